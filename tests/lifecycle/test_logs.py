"""logs: what a container wrote, from its monitor's files, while it runs and afterwards."""

from __future__ import annotations

import datetime
import os
import re
import signal
import subprocess

import pytest

from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE

pytestmark = needs("root", "overlay")

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


def _ended(minirun: Minirun, script: str, *flags: str) -> None:
    """Leaves an ended container ``box`` behind that has run ``script``."""
    words = ["--name", "box", "--network", "none", *flags, "busybox", "sh", "-c", script]
    shell.run_bytes(minirun, "run", *words)


def _logs(minirun: Minirun, *words: str) -> tuple[bytes, bytes]:
    done = shell.run_bytes(minirun, "logs", *words, "box")
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_both_streams_come_back_as_they_were(minirun: Minirun) -> None:
    """Binary, empty lines, lines without an end, bytes that look like our own format."""
    script = r"printf 'a\0\377\r\n\n2026-11-21T00:00:00Z stdout F x\npart'; printf 'err\n' >&2; printf 'ial'"
    _ended(minirun, script)
    assert _logs(minirun) == (b"a\0\xff\r\n\n2026-11-21T00:00:00Z stdout F x\npartial", b"err\n")
    stamped, _ = _logs(minirun, "-t")
    lines = stamped.split(b"\n")
    assert [line[31:] for line in lines] == [
        b"a\0\xff\r",
        b"",
        b"2026-11-21T00:00:00Z stdout F x",
        b"partial",
    ]
    assert all(re.fullmatch(TIME, line[:30].decode()) for line in lines)


def test_a_large_output_is_whole(minirun: Minirun) -> None:
    """4 MB of random bytes: lines of every length, cut anywhere on the way."""
    content = os.urandom(4 << 20)
    words = ["--name", "box", "--network", "none", "-i", "busybox", "cat"]
    assert shell.run_bytes(minirun, "run", *words, input=content).stdout == content
    assert _logs(minirun) == (content, b"")


@pytest.mark.parametrize(
    ("tail", "shown"),
    [
        ("0", b""),
        ("1", b"end"),
        ("2", b"3\nend"),
        ("3", b"2\n3\nend"),
        ("99", b"1\n2\n3\nend"),
        ("all", b"1\n2\n3\nend"),
        ("-1", b"1\n2\n3\nend"),  # kubectl's word for it
    ],
)
def test_tail(minirun: Minirun, tail: str, shown: bytes) -> None:
    _ended(minirun, "echo 1; echo 2; echo 3; printf en; sleep 0.1; printf d")
    assert _logs(minirun, "--tail", tail)[0] == shown


def test_since(minirun: Minirun) -> None:
    _ended(minirun, "echo first; sleep 0.3; echo second; sleep 0.3; echo third")
    times = [line.split()[0].decode() for line in _logs(minirun, "-t")[0].splitlines()]
    assert _logs(minirun, "--since", times[1])[0] == b"second\nthird\n"
    assert _logs(minirun, "--since", times[2], "--tail", "5")[0] == b"third\n"
    moment = datetime.datetime.fromisoformat(times[1])
    # Another zone's way to say the same, seconds since 1970, and how long ago.
    zone = moment.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    assert _logs(minirun, "--since", zone.isoformat())[0] == b"second\nthird\n"
    assert _logs(minirun, "--since", f"{moment.timestamp():.6f}")[0] == b"second\nthird\n"
    assert _logs(minirun, "--since", "1h30m")[0] == b"first\nsecond\nthird\n"
    assert _logs(minirun, "--since", "2100-01-01T00:00:00Z") == (b"", b"")


def test_follow_shows_what_comes_until_the_end(minirun: Minirun) -> None:
    script = "echo before; while read word; do echo $word; echo e$word >&2; done; printf last; exit 3"
    process = shell.foreground(
        minirun, "-i", "--name", "box", "busybox", "sh", "-c", script, stdin=subprocess.PIPE
    )
    assert shell.line(process) == "before"
    following = shell.watched(minirun, "logs", "-f", "box")
    only_new = shell.watched(minirun, "logs", "-f", "--tail", "0", "box")
    assert shell.line(following) == "before"
    assert process.stdin
    for word in ("one", "two"):
        process.stdin.write(word.encode() + b"\n")
        process.stdin.flush()
        assert shell.line(following) == word
    process.stdin.close()
    process.stdin = None
    assert shell.end(process) == 3
    out, err = following.communicate(timeout=PATIENCE)
    assert (following.returncode, out, err) == (0, b"last", b"eone\netwo\n")
    out, err = only_new.communicate(timeout=PATIENCE)
    # It began at some moment after "before", and shows what came after that.
    assert (only_new.returncode, b"one\ntwo\nlast".endswith(out)) == (0, True)
    assert _logs(minirun, "-f")[0] == b"before\none\ntwo\nlast"


def test_follow_from_before_the_start(minirun: Minirun) -> None:
    minirun("create", "--network", "none", "--name", "box", "busybox", "sh", "-c", "echo at last", check=True)
    following = shell.watched(minirun, "logs", "-f", "box")
    minirun("start", "box", check=True)
    assert following.communicate(timeout=PATIENCE) == (b"at last\n", b"")


def test_a_follower_that_is_interrupted_ends_alone(minirun: Minirun) -> None:
    minirun(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "box",
        "busybox",
        "sh",
        "-c",
        "echo up; sleep 1000",
        check=True,
    )
    following = shell.watched(minirun, "logs", "-f", "box")
    assert shell.line(following) == "up"
    following.send_signal(signal.SIGINT)
    assert shell.end(following) == 130
    assert shell.state(minirun, "box") == "running"


def test_logs_of_a_container_that_was_killed(minirun: Minirun) -> None:
    """Everything up to the death, also what was still in the pipe."""
    script = "i=0; while :; do i=$((i+1)); echo $i; done"
    minirun("run", "-d", "--network", "none", "--name", "box", "busybox", "sh", "-c", script, check=True)
    following = shell.watched(minirun, "logs", "-f", "box")
    assert shell.line(following) == "1"
    minirun("kill", "box", check=True)
    rest, _ = following.communicate(timeout=PATIENCE)
    shown = b"1\n" + rest
    assert shown == _logs(minirun)[0]
    numbers = shown.split(b"\n")
    assert numbers[:-1] == [b"%d" % i for i in range(1, len(numbers))]
    assert b"%d" % len(numbers) == b"%d" % (int(numbers[-2]) + 1)


def test_rotation_keeps_the_newest(minirun: Minirun) -> None:
    """Five files of 10 MiB; what is left is the end of the output, without a gap."""
    awk = r'BEGIN { for (i = 1; i <= 60000; i++) printf "%0999d\n", i }'
    words = ["--name", "box", "--network", "none", "busybox", "awk", awk]
    shell.run_bytes(minirun, "run", *words, stdout=subprocess.DEVNULL)
    id = minirun("inspect", "-f", "{{.id}}", "box", check=True).stdout.strip()
    files = sorted(path.name for path in (minirun.root / "containers" / id).glob("container.log*"))
    assert files == ["container.log", *(f"container.log.{n}" for n in range(1, 5))]
    numbers = [int(line) for line in _logs(minirun)[0].splitlines()]
    assert numbers == list(range(60001 - len(numbers), 60001))
    assert 40 << 20 < 1000 * len(numbers) < 50 << 20
    assert [int(line) for line in _logs(minirun, "--tail", "2")[0].splitlines()] == [59999, 60000]


def test_nothing_written_and_nobody_there(minirun: Minirun) -> None:
    _ended(minirun, "true")
    assert _logs(minirun) == (b"", b"")
    assert _logs(minirun, "-f", "-t") == (b"", b"")
    for words in (
        ["nobody"],
        ["--tail", "x", "box"],
        ["--since", "yesterday", "box"],
        ["--tail", "-2", "box"],
    ):
        done = minirun("logs", *words)
        assert (done.returncode, done.stdout) == (125, "")
        assert re.fullmatch(r"minirun: .*\n  why: .*\n  try: .*\n", done.stderr), done.stderr
