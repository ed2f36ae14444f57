"""stdin, stdout and stderr of `run` are the program's own, byte for byte."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE, until

pytestmark = needs("root", "overlay")

RUN = ("run", "--rm", "--network", "none")


def test_ten_megabytes_go_through_unchanged(minirun: Minirun, tmp_path: Path) -> None:
    """Through a file, through a pipe, and back: no byte lost, added or changed."""
    content = os.urandom(10 << 20)
    (tmp_path / "content").write_bytes(content)
    with open(tmp_path / "content", "rb") as source:
        done = shell.run_bytes(minirun, *RUN, "-i", "busybox", "cat", stdin=source)
    assert (done.returncode, len(done.stdout), done.stderr) == (0, len(content), b"")
    assert done.stdout == content
    summed = shell.run_bytes(minirun, *RUN, "-i", "busybox", "sha256sum", input=content)
    assert summed.stdout.split()[0].decode() == hashlib.sha256(content).hexdigest()


def test_stdout_and_stderr_stay_apart(minirun: Minirun) -> None:
    script = 'for i in $(seq 500); do echo "out $i"; echo "err $i" >&2; done; printf end; printf END >&2'
    done = shell.run_bytes(minirun, *RUN, "busybox", "sh", "-c", script)
    out = "".join(f"out {i}\n" for i in range(1, 501)) + "end"
    assert done.stdout == out.encode()
    assert done.stderr == (out.replace("out", "err")[:-3] + "END").encode()


def test_attach_chooses_streams(minirun: Minirun) -> None:
    script = "cat; echo out; echo err >&2"
    done = shell.run(minirun, "-a", "stderr", "busybox", "sh", "-c", script)
    assert (done.stdout, done.stderr) == ("", "err\n")
    done = shell.run(
        minirun, "-i", "-a", "stdin", "-a", "stdout", "busybox", "sh", "-c", script, input="kept "
    )
    assert (done.stdout, done.stderr) == ("kept out\n", "")


def test_without_interactive_stdin_is_empty(minirun: Minirun) -> None:
    done = shell.run(minirun, "busybox", "sh", "-c", "readlink /proc/self/fd/0; cat", input="not for it")
    assert done.stdout == "/dev/null\n"


def test_the_end_of_stdin_ends_the_programs(minirun: Minirun) -> None:
    """And what is written before it arrives while stdin is still open."""
    words = ("-i", "--rm", "busybox", "sh", "-c", "while read word; do echo got $word; done; echo end")
    process = shell.foreground(minirun, *words, stdin=subprocess.PIPE)
    assert process.stdin
    for word in ("one", "two"):
        process.stdin.write(word.encode() + b"\n")
        process.stdin.flush()
        assert shell.line(process) == f"got {word}"
    process.stdin.close()
    process.stdin = None
    assert process.communicate(timeout=PATIENCE) == (b"end\n", b"")
    assert process.returncode == 0


def test_a_program_that_does_not_read_its_stdin_holds_nobody_up(minirun: Minirun) -> None:
    done = shell.run_bytes(minirun, *RUN, "-i", "busybox", "echo", "done", input=bytes(4 << 20))
    assert (done.returncode, done.stdout) == (0, b"done\n")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams(minirun: Minirun, tmp_path: Path, closed: tuple[int, ...]) -> None:
    """What is closed at the caller's is empty at the program's: no file of ours takes its place."""
    script = "cat; echo out; echo err >&2; exit 7"
    words = " ".join(f"{fd}>&-" for fd in closed)
    shellscript = f'exec "$@" {words}'
    command = minirun.command(*RUN, "-i", "busybox", "sh", "-c", script)
    done = subprocess.run(
        ["sh", "-c", shellscript, "sh", *command],
        input=b"in\n" if 0 not in closed else None,
        capture_output=True,
        env=minirun.environment,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 7
    out = b"" if 1 in closed else b"out\n" if 0 in closed else b"in\nout\n"
    assert (done.stdout, done.stderr) == (out, b"" if 2 in closed else b"err\n")


def test_a_reader_that_leaves_ends_the_command_not_the_container(minirun: Minirun) -> None:
    """As with docker: `run yes | head -1` gives the shell back, and `yes` goes on."""
    process = shell.foreground(minirun, "--name", "endless", "busybox", "sh", "-c", "trap '' PIPE; yes")
    assert shell.line(process) == "y"
    assert process.stdout
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr
    assert process.stderr.read() == b""
    assert shell.state(minirun, "endless") == "running"
    assert minirun("stop", "-t", "0", "endless", check=True).stdout == "endless\n"


def test_a_reader_that_is_slow_gets_everything(minirun: Minirun) -> None:
    process = shell.foreground(minirun, "--rm", "--name", "much", "busybox", "seq", "200000")
    assert process.stdout
    # The program fills every buffer on the way, and then stands still.
    until("it waits for us", lambda: "pipe" in _waits_in(minirun, "much"))
    assert process.stdout.read() == "".join(f"{i}\n" for i in range(1, 200001)).encode()
    assert shell.end(process) == 0


def _waits_in(minirun: Minirun, name: str) -> str:
    """The kernel function in which the container's program sleeps; proc(5), /proc/PID/wchan."""
    pid = minirun("inspect", "-f", "{{.state.pid}}", name).stdout.strip()
    try:
        return Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return ""


def test_a_reader_that_stands_still_holds_up_neither_stop_nor_rm(minirun: Minirun) -> None:
    process = shell.foreground(minirun, "--name", "still", "busybox", "yes")
    until("it waits for us", lambda: "pipe" in _waits_in(minirun, "still"))
    minirun("stop", "-t", "0", "still", check=True, timeout=20)
    assert minirun("wait", "still", check=True, timeout=20).stdout == "137\n"
    minirun("rm", "still", check=True, timeout=20)
    assert shell.end(process) == 137
