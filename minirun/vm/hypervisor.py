"""The hypervisor: one process of the host, in which there is a whole machine.

Layer ``vm``. It is forked from Python, goes through the steps of ``share.py``,
and becomes QEMU by execve(2). Its descriptors are the wires of ``machine.py``.
It is never asked to end: whatever must be kept, the guest has written by then
(``native/guest_program.h``), so SIGKILL is its ordinary end. Read
``session.py`` next.
"""

from __future__ import annotations

import os
import select
import shutil
import socket

from minirun.container import channel
from minirun.errors import MinirunError, Unsupported, reason
from minirun.linux import process
from minirun.steps import INIT, Call, Step, Walk
from minirun.values import TYPE_CHECKING, replace
from minirun.vm import machine as hardware

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.vm.machine import Machine, Wires

    Trace = Callable[[int, Step, Call, str, float], None]


def program() -> str:
    """The path of QEMU. Raises Unsupported where it is not installed."""
    found = shutil.which(hardware.QEMU)
    if not found:
        raise Unsupported(
            "there is no QEMU to run a virtual machine with",
            f"no program {hardware.QEMU} is in PATH",
            "apt-get install qemu-system-x86   (dnf install qemu-kvm, pacman -S qemu-system-x86)",
        )
    return found


class Lines:
    """The sockets between this command and its machine: ours, and the hypervisor's ends."""

    def __init__(self, with_monitor: bool = False) -> None:
        self.control, self._control = socket.socketpair()
        self.console, self._console = socket.socketpair()
        self.monitor: socket.socket | None = None
        self._monitor: socket.socket | None = None
        if with_monitor:
            self.monitor, self._monitor = socket.socketpair()

    def tie(self, wires: Wires) -> Wires:
        """``wires`` with the hypervisor's ends of these."""
        monitor = self._monitor.fileno() if self._monitor else -1
        return replace(wires, control=self._control.fileno(), console=self._console.fileno(), monitor=monitor)

    def close_theirs(self) -> None:
        """After the fork: so that its death is seen as end of file."""
        for end in (self._control, self._console, self._monitor):
            if end:
                end.close()

    def close(self) -> None:
        """Closes everything."""
        self.close_theirs()
        for end in (self.control, self.console, self.monitor):
            if end:
                end.close()


class Hypervisor:
    """A machine's process. A context: leaving it ends the process."""

    def __init__(self, pid: int, lines: Lines) -> None:
        self.pid = pid
        self.lines = lines
        self.pidfd = process.pidfd_open(pid)

    def __enter__(self) -> Hypervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ended_by(self) -> int:
        """The signal that has ended it; 0 if it ended by itself, or has not within a second."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        if not poll.poll(1000):
            return 0
        ended = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOWAIT)
        return ended.si_status if ended and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED) else 0

    def end(self) -> None:
        """Kills it, if it lives, and reaps it."""
        process.kill_and_reap(self.pid)
        self.lines.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def launch(
    home: str,
    steps: Sequence[Step],
    machine: Machine,
    wires: Wires,
    lines: Lines,
    trace: Trace | None = None,
) -> Hypervisor:
    """Starts the hypervisor of ``machine`` in the directory ``home``.

    Raises StepFailed for a step that could not be done, and NotExecutable.
    """
    path = program()
    words = hardware.arguments(machine, wires)
    plan = (*steps, _become(path, words))
    kept = [fd for fd in (wires.control, wires.console, wires.monitor) if fd >= 0]
    told, tell = channel.Channel.pair()
    log = os.open(f"{home}/qemu.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    pid = process.fork(lambda: _child(home, plan, kept, log, tell, trace))
    os.close(log)
    tell.close()
    lines.close_theirs()
    started = Hypervisor(pid, lines)
    try:
        phase, payload, _ = told.receive()  # execve closes the other end: nothing to read is good
    except BaseException:  # a signal said that it shall end
        started.end()
        raise
    told.close()
    if phase:
        started.end()
        raise channel.failure_in(payload)
    return started


def _become(path: str, words: Sequence[str]) -> Step:
    return Step(
        "become the hypervisor",
        Call(process.execve, path, words, [f"{name}={value}" for name, value in _environment().items()]),
        why="to the host a virtual machine is this one process, whatever runs in it",
        chapter="02",
    )


def _environment() -> dict[str, str]:
    # Its own temporary files, locale and modules are all it might look up.
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}


def _child(
    home: str, plan: Sequence[Step], kept: Sequence[int], log: int, tell: channel.Channel, trace: Trace | None
) -> int:
    """The newborn: its own session (a terminal's ^C is not for it), its wires, its steps."""
    try:
        os.setsid()
        os.chdir(home)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd, number in ((null, 0), (log, 1), (log, 2)):
            os.dup2(fd, number)
        process.stop_ignoring_signals()
        for fd in kept:
            os.set_inheritable(fd, True)
        Walk(plan, INIT, trace=trace).run()
    except MinirunError as error:
        channel.report(tell, error)
    except OSError as error:
        channel.report(tell, MinirunError("cannot start the hypervisor", reason(error)))
    return 125
