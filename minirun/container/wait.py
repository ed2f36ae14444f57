"""wait: until a container has ended.

Layer ``container``. A client that wants no stream gets only the exit.
"""

from __future__ import annotations

import select

from minirun.container import attach, monitor
from minirun.container.channel import Channel
from minirun.container.locks import Lock
from minirun.container.state import Exit, Home, parse
from minirun.errors import NotFound


def wait(home: Home) -> Exit:
    """Blocks until the container has ended; how it ended. Raises NotFound when it is gone."""
    client = watch(home)
    if client is None:
        return last_exit(home)
    found = exit_within(client, None)
    return found or last_exit(home)


def watch(home: Home) -> Channel | None:
    """A client of the monitor, None when the container has no monitor any more."""
    with Lock(home):  # whoever is creating it lets go once the monitor listens
        return attach.connect(home)


def exit_within(client: Channel, seconds: float | None) -> Exit | None:
    """The exit that ``client`` hears of in that time; None if it does not, or at end of file."""
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


