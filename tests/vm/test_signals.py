"""The ends of a machine that its program did not choose, and that nothing is left after any."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests import leaks
from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE, until
from tests.vm.conftest import running

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run")


def pids_of(vm: Minirun, name: str) -> int:
    """The hypervisor of a machine."""
    return int(vm("vm", "inspect", "-f", "{{.host.pid}}", name, check=True).stdout)


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_the_program_gets_our_signals(vm: Minirun, name: str) -> None:
    script = f"trap 'echo got; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
    process = shell.watched(vm, *RUN, "busybox", "sh", "-c", script)
    assert shell.line(process) == "ready"
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert shell.line(process) == "got"
    assert shell.end(process) == 7


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_while_it_boots_a_signal_ends_it_at_once(vm: Minirun, number: int, code: int) -> None:
    process = shell.watched(vm, *RUN, "--cold", "--trace", "busybox", "true")
    assert process.stderr
    while b"the hypervisor runs" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (code, b"")
    assert running(vm) == set()


@pytest.mark.parametrize("cold", [[], ["--cold"]], ids=["template", "cold"])
def test_timeout_is_a_power_cut(vm: Minirun, cold: list[str]) -> None:
    began = time.monotonic()
    done = vm(*RUN, *cold, "--timeout", "1", "busybox", "sh", "-c", "trap : TERM INT; sleep 1000")
    assert done.returncode == 137
    assert [line.strip().partition(":")[0] for line in done.stderr.splitlines()] == ["minirun", "why", "try"]
    assert "did not end within 1 second" in done.stderr
    assert time.monotonic() - began < PATIENCE
    assert running(vm) == set()


def test_the_machine_dies_with_its_command(vm: Minirun) -> None:
    """Nobody could tell its output, so it ends; what it leaves the next command sweeps."""
    process = shell.watched(vm, *RUN, "--name", "orphan", "busybox", "sh", "-c", "echo ready; sleep 1000")
    assert shell.line(process) == "ready"
    hypervisor = pids_of(vm, "orphan")
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert leaks.wait_for(lambda: {hypervisor} & set(map(int, leaks.pids()))) == set()
    assert len(running(vm)) == 1
    assert vm("vm", "ps", "-q", check=True).stdout == ""
    assert "its command was killed" in vm("gc", check=True).stdout
    assert running(vm) == set()
    assert not os.listdir(vm.state / "vms" / "names")


def test_the_next_run_sweeps_too(vm: Minirun) -> None:
    """And the name is free again."""
    process = shell.watched(vm, *RUN, "--name", "again", "busybox", "sh", "-c", "echo ready; sleep 1000")
    assert shell.line(process) == "ready"
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert vm(*RUN, "--name", "again", "busybox", "true").returncode == 0
    assert running(vm) == set()


def test_the_hypervisor_is_killed(vm: Minirun) -> None:
    """From outside, as the host does when its memory is short: what, why, what to do."""
    process = shell.watched(vm, *RUN, "--name", "victim", "busybox", "sh", "-c", "echo ready; sleep 1000")
    assert shell.line(process) == "ready"
    os.kill(pids_of(vm, "victim"), signal.SIGKILL)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 137
    assert b"switched off\n  why: its hypervisor got SIGKILL" in said and b"\n  try: " in said
    assert running(vm) == set()


def test_a_panic_is_told_with_its_reason(vm: Minirun) -> None:
    done = vm(*RUN, "busybox", "sh", "-c", "echo c > /proc/sysrq-trigger; sleep 1000")
    assert done.returncode == 125
    assert (
        "minirun: the guest's kernel panicked\n  why: sysrq triggered crash; its last words:" in done.stderr
    )
    assert "       | " in done.stderr and "\n  try: " in done.stderr
    assert running(vm) == set()


def test_a_guest_that_switches_itself_off(vm: Minirun) -> None:
    """The program never ended, so there is no exit code to give."""
    done = vm(*RUN, "busybox", "sh", "-c", "poweroff -f; sleep 1000")
    assert done.returncode == 125 and "ended before its program did" in done.stderr


def test_stop_asks_first(vm: Minirun) -> None:
    """The program's own exit code, and the machine has gone when `stop` returns."""
    script = "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.05; done"
    process = shell.watched(vm, *RUN, "--name", "one", "busybox", "sh", "-c", script)
    assert shell.line(process) == "ready"
    done = vm("vm", "stop", "one", check=True)
    assert (done.stdout, running(vm)) == ("one\n", set())
    assert shell.line(process) == "bye"
    assert shell.end(process) == 4


def test_stop_insists(vm: Minirun) -> None:
    """After the grace period the power is cut; a signal may be chosen."""
    script = "trap '' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done"
    process = shell.watched(vm, *RUN, "--name", "stubborn", "busybox", "sh", "-c", script)
    assert shell.line(process) == "ready"
    vm("vm", "stop", "-s", "USR1", "-t", "0.5", "stubborn", check=True)
    assert shell.line(process) == "usr1"
    assert shell.end(process) == 137


def test_stop_while_it_boots(vm: Minirun) -> None:
    """There is no program yet that could be asked."""
    process = shell.watched(vm, *RUN, "--cold", "--name", "early", "busybox", "sleep", "1000")
    until("it is known", lambda: vm("vm", "ps", "-q").stdout)
    vm("vm", "stop", "-t", "5", "early", check=True)
    # Asked while the guest booted it may just have begun its program.
    assert shell.end(process) in (137, 143)


def test_stop_of_nobody(vm: Minirun) -> None:
    done = vm("vm", "stop", "nobody", "neither")
    assert done.returncode == 125 and done.stderr.count("no such virtual machine") == 2
