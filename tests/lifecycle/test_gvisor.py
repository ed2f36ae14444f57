"""`--runtime runsc`: a kernel of its own (gVisor), entered and signalled by its runtime alone."""

from __future__ import annotations

from tests.conftest import Minirun
from tests.needs import needs
from tests.patience import until

pytestmark = needs("root", "overlay", "runsc", "memory", "pids")

RUNSC = ("--runtime", "runsc")


def test_another_kernel_on_the_usual_network(minirun: Minirun) -> None:
    """Its log begins with a word of gVisor's; exit code and streams are as ever."""
    script = "dmesg | head -1; ip -4 addr show eth0 | grep -c 'inet 10'; cat; exit 7"
    done = minirun("run", "--rm", "-i", *RUNSC, "busybox", "sh", "-c", script, input="in")
    assert done.returncode == 7, done.stderr
    assert "Starting gVisor" in done.stdout and done.stdout.endswith("1\nin")


def test_a_life(minirun: Minirun) -> None:
    """exec, its terminal and its failure, pause, a signal, stop: each by the way that leads there."""
    program = "trap 'echo asked; exit 3' TERM; echo begun; while :; do sleep 0.1; done"
    minirun(
        "run", "-d", *RUNSC, "--network", "none", "--name", "gv", "busybox", "sh", "-c", program, check=True
    )
    until("it has begun", lambda: minirun("logs", "gv").stdout == "begun\n")
    inside = minirun(
        "exec", "-i", "-u", "7", "-e", "A=b", "gv", "sh", "-c", "cat; id -u; echo $A; exit 4", input="x\n"
    )
    assert (inside.returncode, inside.stdout) == (4, "x\n7\nb\n"), inside.stderr
    assert minirun("exec", "-t", "gv", "sh", "-c", "test -t 0 && echo tty").stdout.strip() == "tty"
    assert minirun("exec", "gv", "nosuch").returncode == 127
    minirun("pause", "gv", check=True)
    minirun("unpause", "gv", check=True)
    minirun("stop", "gv", check=True)
    assert minirun("inspect", "-f", "{{.state.exit.code}}", "gv").stdout.strip() == "3"
    assert minirun("logs", "gv").stdout == "begun\nasked\n"
    minirun("rm", "gv", check=True)


def test_what_it_cannot_have_and_what_is_not_there(minirun: Minirun) -> None:
    refused = minirun("run", "--rm", *RUNSC, "--sysctl", "net.ipv4.ip_forward=1", "busybox", "true")
    assert "the sysctl net.ipv4.ip_forward cannot be had from the runtime runsc" in refused.stderr
    missing = minirun("run", "--rm", *RUNSC, "--network", "none", "busybox", "nosuch")
    assert missing.returncode == 127
    assert missing.stderr.startswith("minirun: cannot run 'nosuch': no such program in the container")
    minirun("run", "-d", *RUNSC, "--name", "gv", "busybox", "sleep", "1000", check=True)
    minirun("network", "create", "other", check=True)
    connected = minirun("network", "connect", "other", "gv")
    assert connected.returncode == 125 and "a kernel of their own" in connected.stderr
    minirun("rm", "-f", "gv", check=True)
    minirun("network", "rm", "other", check=True)
