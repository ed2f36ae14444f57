"""``minirun exec``: one more program in a container that runs.

Layer ``cli``. Read ``container/execute.py`` next.
"""

from __future__ import annotations

import os

from minirun.cli.settings import Settings
from minirun.container.execute import Guest, execute, running_pid
from minirun.container.guest import process_of
from minirun.container.options import ExecOptions
from minirun.container.state import Store
from minirun.values import replace


def main(settings: Settings, options: ExecOptions) -> int:
    """Runs the program; its exit code. A detached one is left to the container."""
    home = Store(root=settings.root, state=settings.state).find(options.container)
    running_pid(home)
    record = home.record()
    spec = replace(record.spec, process=process_of(home, record.spec, options))
    trace = None
    if options.trace:
        from minirun.cli.trace import printer

        trace = printer(options.trace)
    guest = execute(home, spec, options.interactive and not options.detach, trace)
    if options.detach:
        return 0
    if guest.terminal >= 0:
        from minirun.container.console import relay

        relay(guest.terminal, options.interactive)
    return _exit_code(guest)


def _exit_code(guest: Guest) -> int:
    """Waits for the program, passing our signals on to it; 128 + N if one ended it."""
    import signal

    from minirun.container.attach import OWN_SIGNALS
    from minirun.linux.process import pidfd_open, pidfd_send_signal

    pidfd = pidfd_open(guest.pid)

    def forward(number: int, frame: object) -> None:
        try:
            pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return

    for number in range(1, signal.NSIG):
        if number not in OWN_SIGNALS and number not in (32, 33):
            signal.signal(number, forward)
    status = os.waitstatus_to_exitcode(os.waitpid(guest.pid, 0)[1])
    return status if status >= 0 else 128 - status
