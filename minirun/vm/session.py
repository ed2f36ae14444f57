"""Our streams and the guest's program, from the operations to the exit.

Layer ``vm``. Our stdin, signals and the size of our terminal go in; output and
at last the exit code come out, all of it as frames (``wire.py``). Input waits
until the guest says that it has room; whoever writes faster than the other
reads waits, both ways. ``failures.py`` says what can go wrong in there. Read
``template.py`` next.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import time

from minirun.container import attach, console
from minirun.values import TYPE_CHECKING
from minirun.vm import failures, wire

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    from minirun.vm.wire import Guest

#: Which signals mean that it shall be over.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class EndedBySignal(BaseException):
    """The command was told to end while there was no program to tell it to."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class EndedBySignals:
    """A context in which ENDING raise EndedBySignal: what was begun is taken back on the way."""

    def __enter__(self) -> EndedBySignals:
        self._before = {number: signal.signal(number, self._end) for number in ENDING}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise EndedBySignal(number)


class Session:
    """Our streams and the guest's program, until that has ended.

    ``stdin`` sends ours; ``tty`` says that the program has a terminal, so ours
    goes raw and its size is passed on.
    """

    def __init__(self, guest: Guest, stdin: bool, tty: bool, sig_proxy: bool = True) -> None:
        self.guest = guest
        self.reads_stdin = stdin
        self.tty = tty
        self.sig_proxy = sig_proxy
        self.raw = tty and stdin and os.isatty(0)
        self.room = 0
        self.started = False
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        #: What the handlers want to be sent: they may interrupt a send, so they do none themselves.
        self._signalled: list[tuple[bytes, bytes]] = []

    def follow(self, deadline: float | None) -> int:
        """Passes everything on until the program has ended; its exit code.

        ``deadline`` is of time.monotonic(). Raises TimeoutError after it, what
        kept the program from starting, and EndedBySignal for one that came
        before the program was there to get it.
        """
        saved = console.raw() if self.raw else None
        handlers = self._catch_signals()
        try:
            return self._loop(deadline)
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for fd in (self._wake, self._woken):
                os.close(fd)
            if saved is not None:
                console.restore(saved)

    def _loop(self, deadline: float | None) -> int:
        poll = select.poll()
        poll.register(self.guest.console, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        if not self.reads_stdin and not self.tty:  # a terminal that nobody types at has no end
            self.guest.send(wire.END_OF_INPUT)
        while True:
            self._register(poll)
            timeout = None
            if deadline is not None:
                timeout = (deadline - time.monotonic()) * 1000
                if timeout <= 0:
                    raise TimeoutError
            for fd, _ in poll.poll(timeout):
                if fd == self.guest.control.fileno():
                    self.guest.flush()
                    ended = self._receive()
                    if ended is not None:
                        return ended
                elif fd == self.guest.console.fileno():
                    if not self.guest.read_console():
                        poll.unregister(self.guest.console)
                elif fd == self._wake:
                    os.read(self._wake, wire.CHUNK)
                    while self._signalled:
                        self.guest.send(*self._signalled.pop(0))
                else:
                    self._read_stdin()

    def _register(self, poll: select.poll) -> None:
        poll.register(self.guest.control, select.POLLIN | (select.POLLOUT if self.guest.is_behind else 0))
        if self.reads_stdin and self.room and not self.guest.is_behind:
            poll.register(0, select.POLLIN)
            return
        try:
            poll.unregister(0)
        except KeyError:
            return

    def _receive(self) -> int | None:
        for kind, payload in self.guest.frames():
            if kind == wire.OUTPUT:
                _write(1, payload)
            elif kind == wire.ERROR_OUTPUT:
                _write(2, payload)
            elif kind == wire.ROOM:
                self.room += int.from_bytes(payload, "little")
            elif kind == wire.STARTED:
                self.started = True
                self.guest.milestone("program", -1)
            elif kind == wire.FAILED:
                raise failures.of_operation(payload.decode("utf-8", "surrogateescape"))
            elif kind == wire.EXIT:
                return wire.number(payload) & 0xFF
        return None

    def _read_stdin(self) -> None:
        try:
            data = os.read(0, min(wire.CHUNK, self.room))
        except OSError:
            data = b""  # a terminal that went away
        if data:
            self.room -= len(data)
            self.guest.send(wire.INPUT, data)
        else:
            self.reads_stdin = False
            self.guest.send(wire.END_OF_INPUT)

    def _catch_signals(self) -> dict[int, Any]:
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        before: dict[int, Any] = {}
        if self.tty:
            before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resize)
        for number in attach.PROXIED if self.sig_proxy else ():
            before[number] = signal.signal(number, self._forward)
        return before

    def _forward(self, number: int, frame: FrameType | None) -> None:
        if self.started:
            self._signalled.append((wire.SIGNAL, bytes([number])))
        elif number in ENDING:
            raise EndedBySignal(number)

    def _resize(self, number: int, frame: FrameType | None) -> None:
        self._signalled.append((wire.WINDOW, struct.pack("<HH", *window())))


def window() -> tuple[int, int]:
    """Rows and columns of our terminal; zeros where we have none."""
    for fd in range(3):
        try:
            size = os.get_terminal_size(fd)
        except OSError:
            continue
        return size.lines, size.columns
    return 0, 0


def _write(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # somebody made our terminal or pipe non-blocking, and it is full
            select.select([], [fd], [])
