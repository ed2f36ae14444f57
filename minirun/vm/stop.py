"""stop: a signal for the guest's program, some time for it, and the end of the machine.

Layer ``vm``. What a container's program gets by pidfd goes through the guest's
agent here, for the host's kernel knows no program in there. What it knows is
the hypervisor, and SIGKILL for that one is a power cut. Read ``agent.py`` next.
"""

from __future__ import annotations

import os
import select
import signal
import time

from minirun.errors import Conflict
from minirun.linux import process
from minirun.values import TYPE_CHECKING
from minirun.vm import agent

if TYPE_CHECKING:
    from minirun.vm.home import Home, Record

#: How long its command may take to notice that the machine has ended, in seconds.
_FAREWELL = 5.0
#: Stands for no limit: more than ten days.
_FOR_EVER = 1e6


def stop(home: Home, record: Record, seconds: float, number: int = signal.SIGTERM) -> None:
    """Sends signal ``number``, waits ``seconds``, then cuts the power; ended already is fine.

    Negative seconds wait for ever. A machine without a program yet is ended at
    once. Raises Silent for a guest that does not answer, if one would wait for ever.
    """
    try:
        pidfd = process.pidfd_open(record.pid)
    except ProcessLookupError:
        return
    try:
        if not home.is_alive():
            return  # it died, and the number may be another's by now
        deadline = time.monotonic() + (seconds if seconds >= 0 else _FOR_EVER)
        if not (_ask(home, number, seconds) and _dies_by(pidfd, deadline)):
            _kill(pidfd)
        _dies_by(pidfd, time.monotonic() + _FAREWELL)
        _until_forgotten(home)
    finally:
        os.close(pidfd)


def _ask(home: Home, number: int, seconds: float) -> bool:
    """Whether it makes sense to wait for the program's end."""
    if not seconds:
        return False
    try:
        return agent.signal(home, number, seconds if seconds > 0 else agent.TIMEOUT)
    except agent.Silent:
        if seconds < 0:
            raise
        return False
    except Conflict:
        return True  # it has ended meanwhile


def _kill(pidfd: int) -> None:
    try:
        process.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return


def _dies_by(pidfd: int, deadline: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(deadline - time.monotonic(), 0) * 1000))


def _until_forgotten(home: Home) -> None:
    """Until the command that ran it has cleared up: its name is free then."""
    deadline = time.monotonic() + _FAREWELL
    while os.path.exists(home.path) and time.monotonic() < deadline:
        time.sleep(0.005)  # the last that it removes is its directory
