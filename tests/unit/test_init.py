"""``--init``: native/init.c, compared with tini where both exist."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.needs import needs
from tests.unit.native import PATIENCE, compile_native, python

#: Says when it is ready, then what it gets. Its handlers are set before it says so.
LISTENER = """
import os, signal, sys
def heard(number, frame):
    os.write(1, b"%d\\n" % number)
    if number == signal.SIGTERM: os._exit(7)
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH): signal.signal(number, heard)
os.write(1, b"ready\\n")
while True: signal.pause()
"""


@pytest.fixture(scope="session")
def init(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compile_native("init", tmp_path_factory.mktemp("native"))


def run(*argv: str, pid1: bool = False) -> subprocess.CompletedProcess[str]:
    into = ["unshare", "--pid", "--fork", "--mount-proc"] if pid1 else []
    return subprocess.run([*into, *argv], capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
def test_it_exits_as_the_program_does(init: str, code: int) -> None:
    assert run(init, "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("name", ["TERM", "KILL", "ABRT", "SEGV"])
def test_a_killed_program_gives_128_plus_the_signal(init: str, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    assert run(init, "sh", "-c", f"ulimit -c 0; kill -{name} $$").returncode == 128 + number


def test_no_such_program(init: str) -> None:
    done = run(init, "/no/such/program")
    assert done.returncode == 127
    assert "init: cannot execute /no/such/program: No such file or directory" in done.stderr.splitlines()


def test_a_program_that_cannot_be_executed(init: str, tmp_path: Path) -> None:
    done = run(init, str(tmp_path))
    assert done.returncode == 126
    assert f"init: cannot execute {tmp_path}: Permission denied" in done.stderr.splitlines()


def test_without_a_program_it_says_how_to_use_it(init: str) -> None:
    done = run(init)
    assert done.returncode == 125
    assert "usage" in done.stderr


def test_it_warns_where_orphans_do_not_come_to_it(init: str) -> None:
    assert "neither PID 1 nor a subreaper" in run(init, "true").stderr


@needs("root", "unshare")
def test_as_pid_1_it_is_silent(init: str) -> None:
    done = run(init, "true", pid1=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_verbose_tells_the_story(init: str) -> None:
    said = run(init, "-v", "true").stderr
    assert "init: true is process" in said
    assert "init: reaped" in said


@pytest.mark.parametrize("which", ["init", pytest.param("tini", marks=needs("tini"))])
def test_signals_reach_the_program(init: str, which: str) -> None:
    starter = [init] if which == "init" else ["tini", "--"]
    with subprocess.Popen(
        [*starter, *python(LISTENER)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH, signal.SIGTERM):
            process.send_signal(number)
            assert process.stdout.readline() == b"%d\n" % number
        assert process.wait(PATIENCE) == 7


def test_signals_go_to_the_program_not_to_its_group(init: str) -> None:
    """The program's child is in the program's group and must not hear the signal."""
    code = (
        "import os, signal, subprocess, sys\n"
        "child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
        "signal.signal(signal.SIGTERM, lambda *a: (child.stdin.close(), sys.exit(child.wait())))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen(
        [init, *python(code)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0  # cat ended by end of file; -15 had it heard SIGTERM


def test_the_program_gets_the_signal_mask_that_init_got(init: str) -> None:
    def masks(*argv: str) -> list[str]:
        lines = run(*argv, "cat", "/proc/self/status").stdout.splitlines()
        return [line for line in lines if line.startswith(("SigBlk", "SigIgn"))]

    assert masks(init) == masks("env")


@needs("root", "unshare")
def test_orphans_are_reaped(init: str) -> None:
    """Two hundred orphans die under PID 1; the program then finds no zombie beside itself."""
    script = """
    for i in $(seq 200); do (true & ) ; done
    for try in $(seq 500); do
        zombies=$(cat /proc/[0-9]*/status 2>/dev/null | grep -c 'State:.Z')
        [ "$zombies" = 0 ] && exit 0
        sleep 0.01
    done
    exit 1
    """
    assert run(init, "sh", "-c", script, pid1=True).returncode == 0


@needs("root", "unshare")
def test_as_pid_1_it_hands_on_a_signal_that_a_plain_program_would_not_get(init: str) -> None:
    """Sent from inside its PID namespace, SIGTERM does not touch a PID 1 without a handler."""
    assert run("sh", "-c", "kill -TERM $$; exit 5", pid1=True).returncode == 5
    assert run(init, "sh", "-c", "kill -TERM 1; sleep 20; exit 5", pid1=True).returncode == 128 + 15


def test_on_a_terminal_the_program_is_the_foreground_group(init: str) -> None:
    code = "import os; print(os.tcgetpgrp(0) == os.getpgrp() == os.getpid() != os.getsid(0), flush=True)"
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.execv(init, [init, *python(code)])
        finally:
            os._exit(70)
    said = b""
    try:
        while b"True" not in said and b"False" not in said:
            said += os.read(master, 1024)
    except OSError:
        pass  # EIO: everybody has closed the terminal
    os.waitpid(pid, 0)
    os.close(master)
    assert b"True" in said
