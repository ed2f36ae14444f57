"""logs: what the container wrote, from the files that its monitor writes.

Layer ``container``. A line of container.log is
``2026-11-21T23:40:28.123456789Z stdout F message``; P in the place of F says
that the program had not ended the line. So the bytes come back exactly as
they were written. See the Kubernetes CRI log format (KEP "CRI logging").
"""

from __future__ import annotations

import os
import select

from minirun.container import wait
from minirun.container.state import Home
from minirun.errors import InvalidInput
from minirun.linux import inotify
from minirun.linux.inotify import Event
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_CHANGES = Event.MODIFY | Event.CREATE | Event.MOVED_TO


class Line(Value):
    """One line of a log file. ``text`` has its newline if the program wrote one."""

    time: str
    stream: str
    text: bytes


def read(home: Home, tail: int | None = None, since: str = "", follow: bool = False) -> Iterator[Line]:
    """The container's log lines, oldest first.

    ``tail`` gives only that many of the last lines, ``since`` (RFC 3339, UTC)
    only what is not older; ``follow`` goes on until the container has ended.
    """
    path = f"{home.data}/container.log"
    # Watched before it is read: what is written in between is not missed.
    client = wait.watch(home) if follow else None
    events = inotify.watch(home.data, _CHANGES) if client else -1
    log = _Log(path)
    old = log.new_lines()
    yield from _since(old if tail is None else iter(_last(list(old), tail)), since)
    if client is None:
        return
    poll = select.poll()
    poll.register(events, select.POLLIN)
    poll.register(client.fileno(), select.POLLIN)
    ended = False
    while not ended:
        ready = [fd for fd, _ in poll.poll()]
        inotify.drain(events)
        # Told of the exit are we early; the monitor hangs up when the last line is written.
        ended = client.fileno() in ready and client.receive()[0] == b""
        yield from _since(log.new_lines(), since)
    os.close(events)


class _Log:
    """Reads a rotating log; each call gives the whole lines that are new."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.waiting = _rotated(path)
        self.file: BinaryIO | None = None
        self.rest = b""

    def new_lines(self) -> Iterator[Line]:
        while True:
            if self.file is None and not self._open_next():
                return
            for raw in self.file or ():
                raw = self.rest + raw
                self.rest = b"" if raw.endswith(b"\n") else raw
                if not self.rest:
                    yield _parse(raw)
            if not self._is_finished():
                return
            self.file.close()  # type: ignore[union-attr]  # _open_next opened it
            self.file = None

    def _open_next(self) -> bool:
        while self.waiting:
            try:
                self.file = open(self.waiting.pop(0), "rb")
                return True
            except FileNotFoundError:
                continue
        try:
            self.file = open(self.path, "rb")
        except FileNotFoundError:
            return False
        return True

    def _is_finished(self) -> bool:
        """Whether another file has taken this one's place, so that no line will follow."""
        try:
            current = os.stat(self.path)
        except FileNotFoundError:
            return False
        return bool(self.waiting) or not os.path.samestat(os.fstat(self.file.fileno()), current)  # type: ignore[union-attr]  # open


def _rotated(path: str) -> list[str]:
    """The files of one log, oldest first: container.log.2, container.log.1, container.log."""
    number = 1
    while os.path.exists(f"{path}.{number}"):
        number += 1
    return [*(f"{path}.{n}" for n in range(number - 1, 0, -1)), path]


def _parse(raw: bytes) -> Line:
    time, stream, tag, text = raw.split(b" ", 3)
    return Line(
        time=time.decode(),
        stream=stream.decode(),
        text=text if tag == b"F" else text[:-1],
    )


def _since(lines: Iterator[Line], moment: str) -> Iterator[Line]:
    return lines if not moment else (line for line in lines if line.time >= moment)


def _last(lines: list[Line], count: int) -> list[Line]:
    """The last ``count`` whole lines; the pieces of a line count as one."""
    whole: list[list[Line]] = []
    open_pieces: dict[str, list[Line]] = {}
    for line in lines:
        pieces = open_pieces.pop(line.stream, None)
        if pieces is None:
            pieces = []
            whole.append(pieces)
        pieces.append(line)
        if not line.text.endswith(b"\n"):
            open_pieces[line.stream] = pieces
    kept = whole[-count:] if count else []
    return [line for pieces in kept for line in pieces]


def moment(text: str) -> str:
    """``--since``: a time, or how long ago (90s, 10m, 1h30m), as RFC 3339 in UTC.

    Raises InvalidInput for anything else.
    """
    import datetime
    import re

    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    utc = datetime.UTC
    if re.fullmatch(r"(\d+(\.\d+)?[hms])+", text):
        pairs = re.findall(r"(\d+(?:\.\d+)?)([hms])", text)
        ago = datetime.timedelta(seconds=sum(float(n) * units[unit] for n, unit in pairs))
        when = datetime.datetime.now(utc) - ago
    elif re.fullmatch(r"\d+(\.\d+)?", text):
        when = datetime.datetime.fromtimestamp(float(text), utc)
    else:
        try:
            when = datetime.datetime.fromisoformat(text)
        except ValueError as error:
            raise InvalidInput(
                f"--since {text!r} is not a time",
                "it is neither a length of time nor a moment",
                "say 10m, 1h30m, 2026-11-21T10:00:00Z or seconds since 1970",
            ) from error
        when = when.astimezone(utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
