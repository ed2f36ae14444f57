"""``minirun exec``: one more program in a container that runs.

Layer ``cli``. Read ``container/execute.py`` next.
"""

from __future__ import annotations

import os

from minirun.cli.settings import Settings
from minirun.container import attach
from minirun.container.detach import Detached
from minirun.container.execute import execute, running_pid
from minirun.container.guest import process_of
from minirun.container.options import ExecOptions
from minirun.container.signals import signal
from minirun.container.state import Store
from minirun.linux import credentials, process
from minirun.values import replace


def main(settings: Settings, options: ExecOptions) -> int:
    """Runs the program; its exit code. A detached one is left to the container."""
    home = Store(root=settings.root, state=settings.state).find(options.container)
    running_pid(home)
    stdin = options.interactive and not options.detach
    attach.check_terminal(options.tty, stdin)
    record = home.record()
    spec = replace(record.spec, process=process_of(home, record.spec, options))
    trace = None
    if options.trace:
        from minirun.cli.trace import printer

        trace = printer(options.trace)
    proxy = _Proxy()
    guest = execute(home, spec, stdin, not options.detach, trace)
    proxy.direct_to(guest.pid)
    try:
        if options.detach:
            raise Detached(b"")
        if guest.terminal >= 0:
            from minirun.container import console

            console.relay(guest.terminal, stdin)
    except Detached:
        if guest.terminal >= 0:
            _hold(guest.terminal)
        return 0
    status = os.waitstatus_to_exitcode(os.waitpid(guest.pid, 0)[1])
    return status if status >= 0 else 128 - status


class _Proxy:
    """Passes our signals on to the program; those that come before it is there, when it is."""

    def __init__(self) -> None:
        self.pidfd = -1
        self.early: list[int] = []
        for number in attach.PROXIED:
            signal.signal(number, self._forward)

    def direct_to(self, pid: int) -> None:
        self.pidfd = process.pidfd_open(pid)
        while self.early:
            self._forward(self.early.pop(0), None)

    def _forward(self, number: int, frame: object) -> None:
        if self.pidfd < 0:
            self.early.append(number)
            return
        try:
            process.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return


def _hold(master: int) -> None:
    """Leaves a process behind that keeps the terminal: without one, its program gets SIGHUP."""
    from minirun.container import console

    def hold() -> None:
        process.setsid()
        credentials.set_name("minirun:[tty]")
        null = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        console.drain(master)

    process.fork(hold)
