"""Signals sent to the command reach the program, and its answer comes back."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE, until

pytestmark = needs("root", "overlay")

NAMES = ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT", "ALRM", "CONT", "WINCH")
#: Tells what it gets, and ends at TERM.
SCRIPT = " ".join(f"trap 'echo {name}' {name};" for name in NAMES[1:]) + (
    "trap 'echo TERM; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
)


def _started(minirun: Minirun, *words: str) -> subprocess.Popen[bytes]:
    process = shell.foreground(minirun, *words)
    assert shell.line(process) == "ready"
    return process


@pytest.mark.parametrize("init", [(), ("--init",)], ids=["bare", "init"])
def test_signals_reach_the_program(minirun: Minirun, init: tuple[str, ...]) -> None:
    process = _started(minirun, "--rm", *init, "busybox", "sh", "-c", SCRIPT)
    for name in ("HUP", "INT", "USR1", "USR2", "ALRM", "CONT"):
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert shell.line(process) == name
    process.send_signal(signal.SIGTERM)
    assert shell.line(process) == "TERM"
    assert shell.end(process) == 3


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1"])
def test_a_program_that_dies_of_it(minirun: Minirun, name: str) -> None:
    """Under --init, since PID 1 does not die of what it has no handler for."""
    process = _started(minirun, "--rm", "--init", "busybox", "sh", "-c", "echo ready; exec sleep 1000")
    number = getattr(signal, f"SIG{name}")
    process.send_signal(number)
    assert shell.end(process) == 128 + number


def test_pid_1_ignores_what_it_has_no_handler_for(minirun: Minirun) -> None:
    words = ("--rm", "-i", "busybox", "sh", "-c", "echo ready; read word; echo $word; exit 4")
    process = shell.foreground(minirun, *words, stdin=subprocess.PIPE)
    assert shell.line(process) == "ready"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGUSR1)
    assert process.communicate(b"alive\n", timeout=PATIENCE) == (b"alive\n", b"")
    assert process.returncode == 4


def test_without_the_proxy_the_command_dies_alone(minirun: Minirun) -> None:
    process = _started(minirun, "--name", "on", "--sig-proxy=false", "busybox", "sh", "-c", SCRIPT)
    process.send_signal(signal.SIGINT)
    assert shell.end(process) == 130
    assert shell.state(minirun, "on") == "running"
    assert minirun("stop", "on", check=True).returncode == 0
    assert minirun("logs", "on", check=True).stdout == "ready\nTERM\n"
    assert minirun("wait", "on").stdout == "3\n"


def test_attach_passes_signals_on_unless_told_not_to(minirun: Minirun) -> None:
    minirun("run", "-d", "--network", "none", "--name", "box", "busybox", "sh", "-c", SCRIPT, check=True)
    mute = shell.watched(minirun, "attach", "--sig-proxy=false", "box")
    minirun("kill", "-s", "HUP", "box", check=True)
    until("the mute one is attached", lambda: _kill_until_heard(minirun, mute))
    mute.send_signal(signal.SIGTERM)
    assert shell.end(mute) == -signal.SIGTERM
    process = shell.watched(minirun, "attach", "box")
    until("the other one is attached", lambda: _kill_until_heard(minirun, process))
    process.send_signal(signal.SIGTERM)
    assert shell.end(process) == 3
    assert shell.state(minirun, "box") == "stopped"


def _kill_until_heard(minirun: Minirun, process: subprocess.Popen[bytes]) -> bool:
    """Whether ``process`` shows what the program says to a signal; what was said before it came is lost."""
    import select

    minirun("kill", "-s", "USR1", "box", check=True)
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], 0.2)
    return bool(ready) and shell.line(process) in ("USR1", "HUP")
