"""wait: until a container has ended.

Layer ``container``. A client that wants no stream gets only the exit.
"""

from __future__ import annotations

import os
import select
import time

from minirun.container.files import parse
from minirun.container.locks import Lock, is_looked_after
from minirun.container.state import Exit, Home
from minirun.errors import NotFound
from minirun.linux import process
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.container.channel import Channel


def wait(home: Home) -> Exit:
    """Blocks until the container has ended; how it ended. Raises NotFound when it is gone."""
    while client := watch(home):
        try:
            if found := exit_within(client, None):
                return found
        finally:
            client.close()
        # End of file: the monitor was killed, or it has as many clients as it takes.
        dies_within(home, None)
        until_recorded(home)
        if home.has_exit():
            break
    return last_exit(home)


def dies_within(home: Home, seconds: float | None) -> bool:
    """Whether the container's first process is dead, at the latest after ``seconds``."""
    pid = home.live_pid()
    try:
        pidfd = process.pidfd_open(pid) if pid else -1
    except ProcessLookupError:
        return True
    if pidfd < 0:
        return True
    try:
        if home.live_pid() != pid:
            return True  # it died, and the number may be another's by now
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))
    finally:
        os.close(pidfd)


def until_recorded(home: Home) -> None:
    """Waits until the end of a dying container is recorded, or nobody is left to do that."""
    while not home.has_exit() and is_looked_after(home):
        time.sleep(0.002)  # a second at most: the monitor waits no longer for output


def watch(home: Home) -> Channel | None:
    """A client of the monitor, None when the container has no monitor any more."""
    from minirun.container import attach  # who only looks at files does not pay for it

    with Lock(home):  # whoever is creating it lets go once the monitor listens
        return attach.connect(home)


def exit_within(client: Channel, seconds: float | None) -> Exit | None:
    """The exit that ``client`` hears of in that time; None if it does not, or at end of file."""
    from minirun.container import monitor

    poll = select.poll()
    poll.register(client.fileno(), select.POLLIN)
    while poll.poll(None if seconds is None else seconds * 1000):
        phase, payload, _ = client.receive()
        if phase == monitor.EXITED:
            return exit_of(payload)
        if phase == b"":
            return None
    return None


def exit_of(payload: bytes) -> Exit:
    """The Exit in a packet, also where the program never started."""
    return parse(payload, Exit, "exit.json")


def last_exit(home: Home) -> Exit:
    """How an ended container ended; code 255 where nobody could record it."""
    found = home.exit()
    if found is None and not home.exists():
        raise NotFound(
            f"container {home.id[:12]} is gone",
            "somebody removed it meanwhile",
            "minirun ps -a lists what is there",
        )
    return found or Exit(exitCode=255)
