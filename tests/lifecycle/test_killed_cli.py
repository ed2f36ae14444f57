"""The command is killed, with SIGKILL: the container neither dies nor is forgotten."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.conftest import Minirun
from tests.lifecycle import proc, shell
from tests.needs import needs
from tests.patience import until

pytestmark = needs("root", "overlay")


def _killed(minirun: Minirun, *flags: str, script: str) -> None:
    """Runs ``script`` in the container ``box``, and kills the command when that has said "up"."""
    words = ("-i", "--name", "box", *flags, "busybox", "sh", "-c", f"echo up; {script}")
    process = shell.foreground(minirun, *words, stdin=subprocess.PIPE)
    assert shell.line(process) == "up"
    process.kill()
    assert shell.end(process) == -signal.SIGKILL


def test_the_container_goes_on(minirun: Minirun) -> None:
    script = (
        "trap 'echo heard; go=1' USR1; while [ -z $go ]; do sleep 0.05; done; echo late; echo err >&2; exit 7"
    )
    _killed(minirun, script=script)
    assert shell.state(minirun, "box") == "running"
    assert proc.inside(minirun, "box", "echo still here") == ["still here"]
    minirun("kill", "-s", "USR1", "box", check=True)
    assert minirun("wait", "box").stdout == "7\n"
    logs = minirun("logs", "box")
    assert (logs.stdout, logs.stderr) == ("up\nheard\nlate\n", "err\n")
    assert minirun("start", "box").returncode == 0


def test_its_stdin_ends_as_after_a_hangup(minirun: Minirun) -> None:
    _killed(minirun, script="cat; echo end of file; exit 8")
    assert minirun("wait", "box").stdout == "8\n"
    assert minirun("logs", "box").stdout == "up\nend of file\n"


def test_with_rm_it_is_removed_when_it_ends(minirun: Minirun) -> None:
    before = shell.volumes(minirun)
    _killed(minirun, "--rm", "-v", "/data", script="cat; exec sleep 1000")
    assert shell.state(minirun, "box") == "running"
    minirun("stop", "-t", "0", "box", check=True)
    until("it is gone", lambda: shell.ids(minirun) == [])
    places = [minirun.root / "containers", minirun.state / "containers"]
    until("its files are gone", lambda: not any(os.listdir(place) for place in places))
    assert shell.volumes(minirun) == before


@pytest.mark.parametrize("flags", [[], ["--rm"]], ids=["kept", "rm"])
def test_killed_after_the_end(minirun: Minirun, flags: list[str]) -> None:
    """While the command stands still the program ends; then it is killed, and others do its work."""
    words = (*flags, "--name", "box", "busybox", "sh", "-c", "echo up; sleep 1000; exit 1")
    process = shell.foreground(minirun, *words)
    assert shell.line(process) == "up"
    process.send_signal(signal.SIGSTOP)
    minirun("kill", "box", check=True)
    if not flags:
        assert minirun("wait", "box", timeout=20).stdout == "137\n"
    process.kill()
    shell.end(process)
    if flags:
        until("it is gone", lambda: shell.ids(minirun) == [])
    else:
        assert minirun("logs", "box").stdout == "up\n"
        minirun("rm", "box", check=True)


def test_a_killed_exec_leaves_the_container_alone(minirun: Minirun) -> None:
    proc.start(minirun, "box")
    process = shell.watched(minirun, "exec", "-i", "box", "cat", stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.write(b"up\n")
    assert shell.line(process) == "up"
    process.kill()
    process.stdin.close()
    process.stdin = None
    assert shell.end(process) == -signal.SIGKILL
    until("its guest has seen the end", lambda: proc.inside(minirun, "box", "pidof cat") == [])
    assert shell.state(minirun, "box") == "running"
