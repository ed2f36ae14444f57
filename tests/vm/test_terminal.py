"""vm run -it: a terminal of the guest's own, tied to the user's. See pty(7)."""

from __future__ import annotations

from tests.conftest import Minirun
from tests.lifecycle.terminal import CTRL_C, CTRL_D, Terminal
from tests.needs import needs

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run", "-it")


def test_a_shell_as_a_user_has_it(vm: Minirun) -> None:
    """A size, a prompt, an echo; Ctrl-C hits what runs in front and not the shell; an end by Ctrl-D."""
    with Terminal(vm, *RUN, "busybox", "sh", size=(33, 123)) as terminal:
        terminal.see("# ")
        terminal.type(b"stty size; tty; echo $TERM\r")
        terminal.see("33 123\r\n/dev/pts/0\r\nxterm\r\n")
        terminal.see("# ")
        terminal.type(b"(trap 'exit 1' INT; echo in front; while :; do sleep 0.05; done)\r")
        terminal.see("\r\nin front\r\n")
        terminal.type(CTRL_C)
        terminal.see("# ")
        terminal.type(b"(exit 9)\r")
        terminal.see("# ")
        terminal.type(CTRL_D)
        assert terminal.end() == 9


def test_the_window_may_change(vm: Minirun) -> None:
    script = "trap 'stty size' WINCH; trap 'exit 3' INT; echo ready; while :; do sleep 0.05; done"
    with Terminal(vm, *RUN, "busybox", "sh", "-c", script) as terminal:
        terminal.see("ready")
        terminal.resize(40, 100)
        terminal.see("40 100")
        terminal.type(CTRL_C)
        terminal.see(r"\^C")
        assert terminal.end() == 3


def test_the_terminal_is_given_back_when_the_machine_is_switched_off(vm: Minirun) -> None:
    """Terminal.end sees to that."""
    with Terminal(vm, *RUN, "--name", "off", "busybox", "sh") as terminal:
        terminal.see("# ")
        vm("vm", "stop", "-t", "0", "off", check=True)
        terminal.see("switched off")
        assert terminal.end() == 137


def test_a_terminal_without_input(vm: Minirun) -> None:
    """-t alone: what comes out comes as from a terminal, and ours may be a pipe."""
    done = vm("vm", "run", "-t", "busybox", "sh", "-c", "test -t 0 && test -t 1 && echo terminal", check=True)
    assert done.stdout == "terminal\n"
