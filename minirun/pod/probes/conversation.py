"""A conversation: a probe or a hook that never blocks, and what drives many of them.

It is a generator: it yields a Want when it has to wait for a descriptor (or for
time to pass), and its return value is a ProbeResult. Whoever drives it lets it
go on, or closes it when its time is up: its ``finally`` clauses close what is
open. So a server that says nothing, drips a byte a second or never ends costs a
descriptor, not a thread, and no longer than it is given.

    run(talk, seconds)     one, and waits for its end
    Conversations          many, beside whatever else a supervisor does

Layer: pod. Read next: tcp.py. epoll(7).
"""

from __future__ import annotations

import select
import time

from minirun.errors import MinirunError, NotExecutable, ProgramNotFound, reason
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeAlias, TypeVar

    T = TypeVar("T")
    #: A part of a conversation, with what ``yield from`` gives of it.
    Talk: TypeAlias = "Generator[Want, None, T]"

IN = select.EPOLLIN
OUT = select.EPOLLOUT


class ProbeResult(Value):
    """What came of asking once."""

    success: bool
    message: str = ""
    counts: bool = True
    """False: it could not be asked, for a reason of ours that says nothing about the container."""


class Want(Value):
    """What a conversation waits for."""

    fd: int = -1
    events: int = IN
    seconds: float | None = None
    """Go on after so much time, without a descriptor."""
    doing: str
    """For the message if it is not over in time."""


class Failed(Exception):
    """The answer is no; the text says why. Ends a conversation from any depth."""


def run(talk: Talk[ProbeResult], seconds: float | None) -> ProbeResult:
    """Drives one conversation to its end; no longer than ``seconds``, if that is given."""
    talks = Conversations()
    try:
        start = time.monotonic()
        talks.begin("", talk, start, seconds)
        while not (ended := talks.step(time.monotonic())):
            talks.wait(time.monotonic())
        return ended[0][1]
    finally:
        talks.close()


class Conversations:
    """Conversations under way, each by a key.

    ``now`` is any clock that goes steadily, the same in all calls. The whole is
    a descriptor itself (``fileno``), which is readable when ``step`` has
    something to do: a supervisor can wait for it beside others.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._open: dict[Any, _Open] = {}
        self._by_fd: dict[int, Any] = {}
        self._ended: list[tuple[Any, ProbeResult]] = []

    def __contains__(self, key: Any) -> bool:
        return key in self._open

    def fileno(self) -> int:
        """Readable when one of them can go on."""
        return self._epoll.fileno()

    def begin(self, key: Any, talk: Talk[ProbeResult], now: float, seconds: float | None) -> None:
        """Starts a conversation, which may take ``seconds``; its end is told by ``step``."""
        deadline = None if seconds is None else now + seconds
        self._open[key] = _Open(talk=talk, seconds=seconds, deadline=deadline)
        self._go_on(key, now)

    def step(self, now: float) -> list[tuple[Any, ProbeResult]]:
        """Lets all go on that can, ends those whose time is up; gives those that are over.

        Never waits.
        """
        for fd, _ in self._epoll.poll(0):
            if fd in self._by_fd:  # another one's end may have dropped it in the meantime
                self._go_on(self._by_fd[fd], now)
        for key, one in list(self._open.items()):
            if one.deadline is not None and now >= one.deadline:
                self._time_is_up(key)
            elif one.wake is not None and now >= one.wake:
                self._go_on(key, now)
        ended, self._ended = self._ended, []
        return ended

    def next(self) -> float | None:
        """When ``step`` is needed at the latest; None: not before the descriptor is readable."""
        if self._ended:
            return 0.0
        times = [at for one in self._open.values() for at in (one.deadline, one.wake) if at is not None]
        return min(times, default=None)

    def wait(self, now: float) -> None:
        """Blocks until ``step`` has something to do."""
        until = self.next()
        if self._open and not self._ended:
            self._epoll.poll(None if until is None else max(0.0, until - now), 1)

    def drop(self, key: Any) -> None:
        """Ends a conversation without a result; none of that key is fine."""
        self._ended = [one for one in self._ended if one[0] != key]
        if one := self._open.pop(key, None):
            self._unwatch(one)
            one.talk.close()

    def close(self) -> None:
        """Ends all of them."""
        for key in list(self._open):
            self.drop(key)
        self._epoll.close()

    def _go_on(self, key: Any, now: float) -> None:
        one = self._open[key]
        self._unwatch(one)
        try:
            one.want = one.talk.send(None)
        except BaseException as error:
            del self._open[key]
            self._ended.append((key, _result(error)))
            return
        if one.want.seconds is not None:
            one.wake = now + one.want.seconds
        else:
            self._by_fd[one.want.fd] = key
            self._epoll.register(one.want.fd, one.want.events)

    def _unwatch(self, one: _Open) -> None:
        """Before it goes on: it may close the descriptor, and the number is soon another's."""
        if one.want and one.want.seconds is None:
            self._epoll.unregister(one.want.fd)
            del self._by_fd[one.want.fd]
        one.want = one.wake = None

    def _time_is_up(self, key: Any) -> None:
        one = self._open[key]
        doing = one.want.doing if one.want else "beginning"
        self.drop(key)
        message = f"not done within {_seconds(one.seconds or 0)}: it was {doing}"
        self._ended.append((key, ProbeResult(success=False, message=message)))


class _Open:
    """One conversation under way."""

    __slots__ = ("deadline", "seconds", "talk", "wake", "want")

    def __init__(self, talk: Talk[ProbeResult], seconds: float | None, deadline: float | None) -> None:
        self.talk = talk
        self.seconds = seconds
        self.deadline = deadline
        self.want: Want | None = None
        self.wake: float | None = None


def _result(end: BaseException) -> ProbeResult:
    """What the end of a generator comes to."""
    if isinstance(end, StopIteration):
        result: ProbeResult = end.value
        return result
    if isinstance(end, Failed):
        return ProbeResult(success=False, message=str(end))
    if isinstance(end, OSError):
        return ProbeResult(success=False, message=reason(end))
    if isinstance(end, MinirunError):
        # No such program in the container is the container's doing; that no process could be made is ours.
        counts = isinstance(end, ProgramNotFound | NotExecutable)
        return ProbeResult(success=False, message=str(end).replace("\n", ";"), counts=counts)
    raise end


def _seconds(count: float) -> str:
    return f"{count:g} second{'' if count == 1 else 's'}"
