"""-t: a terminal of the container's own, tied to the user's. See pty(7)."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Minirun
from tests.lifecycle import proc, shell
from tests.lifecycle.terminal import CTRL_C, CTRL_D, CTRL_P, CTRL_Q, Terminal
from tests.needs import needs
from tests.patience import until

pytestmark = needs("root", "overlay")

RUN = ("run", "--network", "none")


def test_the_program_has_a_terminal_of_the_right_size_from_the_start(minirun: Minirun) -> None:
    words = (*RUN, "--rm", "-it", "busybox", "sh", "-c", "stty size; tty; echo $TERM; exit 4")
    with Terminal(minirun, *words, size=(33, 123)) as terminal:
        terminal.see("33 123\r\n/dev/(console|pts/0)\r\nxterm\r\n")
        assert terminal.end() == 4


def test_the_window_may_change(minirun: Minirun) -> None:
    script = "trap 'stty size' WINCH; trap 'exit 3' INT; echo ready; while :; do sleep 0.05; done"
    with Terminal(minirun, *RUN, "--rm", "-it", "busybox", "sh", "-c", script) as terminal:
        terminal.see("ready")
        terminal.resize(40, 100)
        terminal.see("40 100")
        terminal.type(CTRL_C)
        terminal.see(r"\^C")
        assert terminal.end() == 3


def test_a_shell_as_a_user_has_it(minirun: Minirun) -> None:
    """A prompt, an echo, an end by Ctrl-D; Ctrl-C hits what runs in front and not the shell."""
    with Terminal(minirun, *RUN, "--rm", "-it", "busybox", "sh") as terminal:
        terminal.see("# ")
        terminal.type(b"echo $((20 + 3))\r")
        terminal.see("\r\n23\r\n")
        terminal.type(b"sleep 1000\r")
        terminal.see("sleep 1000\r\n")
        until("sleep runs in front", lambda: _in_front(minirun) == "sleep")
        terminal.type(CTRL_C)
        terminal.see("# ")
        terminal.type(b"(exit 9)\r")
        terminal.see("# ")
        terminal.type(CTRL_D)
        assert terminal.end() == 9
    assert shell.ids(minirun) == []


def _in_front(minirun: Minirun) -> str:
    """The program in the foreground of the only container's terminal; proc(5), /proc/PID/stat, field 8."""
    id = minirun("ps", "-q").stdout.strip()
    done = minirun("exec", id, "sh", "-c", "g=$(cut -d' ' -f8 /proc/1/stat); cat /proc/$g/comm")
    return done.stdout.strip()


@pytest.mark.parametrize("init", [[], ["--init"]], ids=["bare", "init"])
def test_ctrl_c_comes_once(minirun: Minirun, init: list[str]) -> None:
    script = "trap 'n=$((n+1)); echo count $n' INT; echo ready; while :; do sleep 0.05; done"
    words = (*RUN, "--rm", "-it", "--name", "box", *init, "busybox", "sh", "-c", script)
    with Terminal(minirun, *words) as terminal:
        terminal.see("ready")
        for number in (1, 2, 3):
            terminal.type(CTRL_C)
            assert terminal.see(r"count \d") == f"count {number}"
        minirun("kill", "box", check=True)
        assert terminal.end() == 137
        assert b"count" not in terminal.shown


def test_detach_and_come_back(minirun: Minirun) -> None:
    with Terminal(minirun, *RUN, "-it", "--name", "box", "busybox", "sh") as terminal:
        terminal.see("# ")
        terminal.type(b"word=kept\r")
        terminal.see("# ")
        terminal.type(CTRL_P)
        terminal.type(CTRL_Q)
        assert terminal.end() == 0
    assert shell.state(minirun, "box") == "running"
    with Terminal(minirun, "attach", "box", size=(30, 90)) as terminal:
        terminal.type(b"echo $word; stty size\r")
        terminal.see("\r\nkept\r\n30 90\r\n")
        # Both keys at once, behind others: those reach the shell, and the detach keys do not.
        terminal.type(b"echo last > /last\r" + CTRL_P + CTRL_Q)
        assert terminal.end() == 0
    assert until("it heard", lambda: proc.inside(minirun, "box", "cat /last 2>/dev/null")) == ["last"]
    with Terminal(minirun, "attach", "box") as terminal:
        # Ctrl-P alone is a key like others: the shell's "line before".
        terminal.type(CTRL_P)
        terminal.type(b"\r")
        terminal.see("echo last > /last")
        terminal.type(b"exit 6\r")
        assert terminal.end() == 6
    assert minirun("wait", "box").stdout == "6\n"


def test_detached_with_rm(minirun: Minirun) -> None:
    with Terminal(minirun, *RUN, "--rm", "-it", "--name", "box", "busybox", "cat") as terminal:
        terminal.type(b"here\r")
        terminal.see("here\r\nhere")
        terminal.type(CTRL_P + CTRL_Q)
        assert terminal.end() == 0
    assert shell.state(minirun, "box") == "running"
    minirun("stop", "-t", "0", "box", check=True)
    until("it is gone", lambda: shell.ids(minirun) == [])


def test_created_detached_started_attached(minirun: Minirun) -> None:
    minirun(
        "create",
        "--network",
        "none",
        "-it",
        "--name",
        "box",
        "busybox",
        "sh",
        "-c",
        "stty size; read w; exit 3",
    )
    with Terminal(minirun, "start", "-ai", "box", size=(31, 99)) as terminal:
        terminal.see("31 99")
        terminal.type(b"\r")
        assert terminal.end() == 3
    minirun("run", "-dit", "--network", "none", "--name", "other", "busybox", "sh", check=True)
    with Terminal(minirun, "attach", "other") as terminal:
        terminal.type(b"exit 5\r")
        assert terminal.end() == 5
    assert "exit 5\r\n" in shell.run_bytes(minirun, "logs", "other").stdout.decode()


def test_a_terminal_without_a_user(minirun: Minirun) -> None:
    """-t alone: the program sees a terminal, its caller a pipe with CR LF in it."""
    done = shell.run_bytes(
        minirun, *RUN, "--rm", "-t", "busybox", "sh", "-c", "test -t 0 && echo yes; echo err >&2"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"yes\r\nerr\r\n", b"")


def test_the_command_dies_and_the_terminal_stays(minirun: Minirun) -> None:
    script = "trap '' HUP; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; echo tick > /dev/tty; done"
    with Terminal(minirun, *RUN, "-it", "--name", "box", "busybox", "sh", "-c", script) as terminal:
        terminal.see("ready")
        terminal.process.kill()
        terminal.process.wait()
    minirun("kill", "-s", "HUP", "box", check=True)
    minirun("stop", "box", check=True)
    assert minirun("wait", "box").stdout == "7\n"


def test_exec_with_a_terminal(minirun: Minirun) -> None:
    pid = proc.start(minirun, "box")
    with Terminal(
        minirun, "exec", "-it", "box", "sh", "-c", "stty size; tty; echo $TERM; sh", size=(35, 77)
    ) as terminal:
        terminal.see("35 77\r\n/dev/pts/0\r\nxterm\r\n")
        terminal.see("# ")
        terminal.resize(36, 78)
        terminal.type(b"stty size\r")
        terminal.see("36 78")
        terminal.type(b"sleep 1000\r")
        until("sleep runs", lambda: proc.inside(minirun, "box", "pidof sleep | wc -w") == ["2"])
        terminal.type(CTRL_C)
        terminal.type(b"exit 8\r")
        assert terminal.end() == 8
    with Terminal(minirun, "exec", "-it", "box", "sh") as terminal:
        terminal.see("# ")
        terminal.type(b"exec sleep 2000\r" + CTRL_P + CTRL_Q)
        assert terminal.end() == 0
    until("it goes on", lambda: proc.inside(minirun, "box", "ps -o args | grep 200[0]") == ["sleep 2000"])
    assert proc.pid_of(minirun, "box") == pid


def test_a_terminal_that_hangs_up_ends_exec(minirun: Minirun) -> None:
    """HUP is passed on, as every signal is."""
    proc.start(minirun, "box")
    script = "trap 'echo gone > /gone; exit' HUP; echo ready; while :; do sleep 0.05; done"
    with Terminal(minirun, "exec", "-it", "box", "sh", "-c", script) as terminal:
        terminal.see("ready")
        terminal.process.send_signal(1)
        terminal.end()
    assert proc.inside(minirun, "box", "cat /gone") == ["gone"]


def test_keys_need_a_terminal(minirun: Minirun) -> None:
    """docker's words: reading keys out of a pipe could not end."""
    minirun("run", "-dit", "--network", "none", "--name", "box", "busybox", "cat", check=True)
    minirun("create", "-it", "--network", "none", "--name", "made", "busybox", "cat", check=True)
    for words in (
        [*RUN, "-it", "busybox", "cat"],
        ["exec", "-it", "box", "cat"],
        ["attach", "box"],
        ["start", "-ai", "made"],
    ):
        done = minirun(*words, input="x")
        assert (done.returncode, done.stdout) == (125, "")
        assert done.stderr.startswith("minirun: the input device is not a terminal\n")
    assert shell.state(minirun, "made") == "created"
    looking = shell.watched(minirun, "attach", "--no-stdin", "box", stdin=subprocess.DEVNULL)
    minirun("kill", "box", check=True)
    assert shell.end(looking) in (137, 125)  # 125: it came too late
