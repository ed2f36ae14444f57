"""Termination messages: which bytes are kept, of a file and of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from minirun.pod.manifest.types import ObjectMeta, Pod
from minirun.pod.observe import last_bytes, last_lines
from minirun.pod.status import pod_status
from tests.unit.pod_toys import T, app, exited, pod, seen

if TYPE_CHECKING:
    from pathlib import Path

STAMP = "2026-11-22T09:30:00.123456789Z"


def logged(path: Path, *lines: str) -> str:
    """The log of a container that printed ``lines``; one that goes on has its tag before a bar."""
    text = ""
    for line in lines:
        tag, _, said = line.rpartition("|")
        text += f"{STAMP} stdout {tag or 'F'} {said}\n"
    path.write_text(text)
    return last_lines(str(path))


def test_of_a_file_the_end_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_bytes(b"a" * 10 + b"b" * 4096)
    assert last_bytes(str(file)) == b"b" * 4096
    file.write_bytes(b"short")
    assert last_bytes(str(file)) == b"short"
    assert last_bytes(str(tmp_path / "none")) == b""


def test_of_a_log_the_last_80_lines(tmp_path: Path) -> None:
    said = logged(tmp_path / "log", *(f"line {number}" for number in range(100)))
    assert said == "".join(f"line {number}\n" for number in range(20, 100))


def test_of_a_log_the_last_2048_bytes(tmp_path: Path) -> None:
    said = logged(tmp_path / "log", "begin", "ü" * 3000)
    assert said == "\ufffd" + "ü" * 1023 + "\n"  # the first byte is half of a letter


def test_parts_of_a_line_are_one_line(tmp_path: Path) -> None:
    assert logged(tmp_path / "log", "P|one ", "two", "", " three") == "one two\n\n three\n"


def test_there_is_no_log(tmp_path: Path) -> None:
    assert last_lines(str(tmp_path / "log")) == ""


@pytest.mark.parametrize(("count", "kept"), [(1, 4096), (3, 4096), (4, 3072), (12, 1024)])
def test_a_pods_messages_share_twelve_kib(count: int, kept: int) -> None:
    spec = pod(*(app(f"app-{number}") for number in range(1, count)), inits=(app("init"),))
    if count == 1:
        spec = pod(app("init"))
    observed = seen(init=exited(1, message="\u00fc" * 2048))
    shown = pod_status(Pod(metadata=ObjectMeta(name="web"), spec=spec), observed, T + 2)
    states = [each.state for each in (*shown.initContainerStatuses, *shown.containerStatuses)]
    messages = [state.terminated.message for state in states if state.terminated]
    assert [len(message.encode()) for message in messages] == [kept]


def test_no_half_of_a_letter_is_left() -> None:
    spec = pod(*(app(f"app-{number}") for number in range(4)), restartPolicy="Never")
    shown = pod_status(
        Pod(metadata=ObjectMeta(name="web"), spec=spec),
        seen(app_0=exited(1, message="a" + "\u00fc" * 2000)),
        T + 2,
    )
    ended = shown.containerStatuses[0].state.terminated
    assert ended and ended.message == "a" + "\u00fc" * 1535
