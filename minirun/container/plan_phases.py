"""Part of ``plan.py``: the steps by which the two sides of a start wait for each other.

Layer ``container``, pure. The phases and their drawing are in ``channel.py``.
"""

from __future__ import annotations

from minirun.container import channel
from minirun.isolation import users
from minirun.steps import HOST, Call, Ref, Step

#: What the pid of a process is known by that stands for init at the channel (oci/plan.py).
STARTER = "starter"
#: Each side's end of the channel (create.py puts them there).
_HOST_END = Ref(name="channel to init")
_INIT_END = Ref(name="channel to host")


def gate() -> Step:
    """Where a created container stays until it is started."""
    return Step(
        "wait at the gate",
        Call(channel.wait, _INIT_END, channel.START),
        why="created, not running: `start` opens the gate",
        chapter="10",
    )


def wake(side: str, phase: bytes, *fds: Ref) -> Step:
    """``side`` tells the other one that ``phase`` is reached, and hands over ``fds``."""
    end = _HOST_END if side == HOST else _INIT_END
    return Step(
        "let init go on" if side == HOST else "say that all is ready",
        Call(channel.wake, end, phase, *fds),
        why="all that has to be done to it from outside is done"
        if side == HOST
        else "what can fail has not: the container is created, and only the program is missing",
        side=side,
        chapter="10",
    )


def wait_for_host() -> Step:
    """Init waits until the host side has done its part."""
    return Step(
        "wait for the host side",
        Call(channel.wait, _INIT_END, channel.HOST_SIDE_DONE),
        why="from outside come its limits, its ids, its network: nothing here goes on without them",
        result=users.RECEIVED_TREE.name,
        chapter="10",
    )
