"""SIGKILL right before any change that minirun's bookkeeping makes to a file.

No plan lists these moments: a directory made, a name taken, a record renamed.
But Python tells an audit hook (sys.addaudithook) of each before it happens, so
they can be counted in one run and walked in the next ones. See attempts.py,
which does the same for the steps of a plan.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.lifecycle import attempts

#: What changes something that others can see, or gives way to another program.
CHANGES = frozenset(
    "os.mkdir os.rename os.remove os.rmdir os.symlink os.link os.chmod os.truncate fcntl.flock "
    "os.fork os.exec socket.bind netlink.send".split()  # the last is what tests/network tells itself
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

COMMAND, HOST_SIDE = 0, 1


class Killer:
    """An audit hook that kills its process at change number ``at`` of ``side``.

    ``counts`` has how many changes each side has made. With ``both`` the
    command dies at the same moment as the host side.
    """

    def __init__(self, side: int = -1, at: int = 0, both: bool = False) -> None:
        self.side = side
        self.at = at
        self.both = both
        self.command = os.getpid()
        self.shared = mmap.mmap(-1, 8)
        self.own = [0, 0]

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and args[2] and args[2] & _WRITES:
            event = "os.truncate"
        if event not in CHANGES or os.getpid() == 1:
            return  # [init], which is PID 1 where it lives, keeps no books
        side = COMMAND if os.getpid() == self.command else HOST_SIDE
        self.own[side] += 1
        struct.pack_into("i", self.shared, 4 * side, self.own[side])
        if (side, self.own[side]) == (self.side, self.at):
            if self.both:
                os.kill(self.command, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    def count(self, side: int) -> int:
        """How many changes ``side`` has made by now."""
        return int(struct.unpack_from("i", self.shared, 4 * side)[0])


def interrupted(work: Callable[[], int], killer: Killer) -> attempts.Ended:
    """Does ``work`` in a child with that hook; returns when all that it has started is over."""

    def audited() -> int:
        killer.command = os.getpid()
        sys.addaudithook(killer)
        return work()

    return attempts.finished(audited)


def each_moment(side: int, total: int, both: bool = False) -> Iterator[Killer]:
    """A killer for each of ``total`` changes."""
    for at in range(1, total + 1):
        yield Killer(side, at, both)
