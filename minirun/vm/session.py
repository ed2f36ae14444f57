"""What host and guest say to each other, from the first milestone to the exit.

Layer ``vm``. Frames on one virtio-serial port (``native/guest_wire.h`` has the
other end and the same letters):

    type (1 byte)   length (4 bytes, little-endian)   that many bytes

Our stdin, signals and the size of our terminal go in; milestones, output and at
last the exit code come out. Input waits until the guest says that it has room;
whoever writes faster than the other reads waits, both ways. Beside it there is
the guest's console, the last lines of which say why a kernel has died.
"""

from __future__ import annotations

import os
import re
import select
import signal
import struct
import time

from minirun.container import attach, console
from minirun.errors import MinirunError, NotExecutable, ProgramNotFound, StepFailed
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

    from minirun.vm.hypervisor import Hypervisor

    #: Gets the name of a milestone and the guest's own clock in microseconds, -1 for the host's events.
    Milestone = Callable[[str, int], None]

OPERATE, INPUT, END_OF_INPUT, WINDOW, SIGNAL = b"C", b"I", b"Z", b"W", b"S"
MILESTONE, ROOM, OUTPUT, ERROR_OUTPUT, STARTED, FAILED, EXIT = b"M", b"R", b"O", b"E", b"P", b"F", b"X"

_HEAD = struct.Struct("<cI")
_CHUNK = 1 << 16
#: How many bytes of the console are kept for an error.
_KEPT = 1 << 16
#: How long a guest may take to say its first word, in seconds: on a busy machine,
#: without KVM, ten times what it usually needs.
BOOT_TIMEOUT = 90.0


class Guest:
    """The frames and the console of one machine."""

    def __init__(self, hypervisor: Hypervisor, milestone: Milestone, complaints: Callable[[], str]) -> None:
        self.hypervisor = hypervisor
        self.control = hypervisor.lines.control
        self.console = hypervisor.lines.console
        self.control.setblocking(False)
        self.console.setblocking(False)
        self.milestone = milestone
        self.complaints = complaints
        self.on_console: Callable[[bytes], None] | None = None
        self._read = bytearray()
        self._unsent = bytearray()
        self._console = bytearray()
        self._line = b""

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Queues a frame, and sends what can be sent at once."""
        self._unsent += _HEAD.pack(kind, len(payload)) + payload
        self.flush()

    def flush(self) -> None:
        """Sends what is queued, as far as it goes."""
        try:
            while self._unsent:
                del self._unsent[: self.control.send(self._unsent)]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._unsent.clear()  # it has gone, as we shall read

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    def wait_ready(self, timeout: float = BOOT_TIMEOUT) -> None:
        """Until the guest's first process has said that it is ready for operations.

        Raises MinirunError with the console's last lines when that does not happen.
        """
        deadline = time.monotonic() + timeout
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.console, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _never_ready(timeout, self.last_words())
            for fd, _ in poll.poll(left * 1000):
                if fd == self.console.fileno():
                    if not self.read_console():
                        poll.unregister(self.console)
                elif any(kind == MILESTONE and name == "ready" for kind, name in self._told()):
                    return

    def _told(self) -> Iterator[tuple[bytes, str]]:
        for kind, payload in self.frames():
            yield kind, payload.decode(errors="replace").rpartition(" ")[2]

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """The frames that have come. Raises MinirunError at the end of the machine."""
        try:
            data = self.control.recv(_CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            raise self.died()
        self._read += data
        while len(self._read) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._read)
            if len(self._read) < _HEAD.size + length:
                return
            payload = bytes(self._read[_HEAD.size : _HEAD.size + length])
            del self._read[: _HEAD.size + length]
            if kind == MILESTONE:
                uptime, _, name = payload.decode(errors="replace").partition(" ")
                self.milestone(name, int(uptime))
            yield kind, payload

    def read_console(self) -> bool:
        """Reads what the kernel or our init said there; False at its end."""
        try:
            data = self.console.recv(_CHUNK)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        if self.on_console:
            self.on_console(data)
        self._console += data
        del self._console[:-_KEPT]
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            found = re.match(rb"minirun: milestone (\d+) (\w+)", line)
            if found:
                self.milestone(found[2].decode(), int(found[1]))
        return bool(data)

    def last_words(self, lines: int = 8) -> str:
        """The console's last lines, without our own milestones."""
        text = self._console.decode(errors="replace").replace("\r", "")
        said = [line for line in text.split("\n") if line.strip() and "minirun: milestone" not in line]
        return "\n".join(said[-lines:])

    def died(self) -> MinirunError:
        """The error for a machine that ended before its program did."""
        while self.read_console() and select.select([self.console], [], [], 1.0)[0]:
            pass
        words = self.last_words(40)
        panic = re.search(r"Kernel panic - not syncing: (.*)", words)
        ours = re.search(r"^minirun: (?!milestone)(.*)", words, re.MULTILINE)
        complaints = self.complaints()
        quoted = "".join(f"\n       | {line}" for line in words.split("\n")[-12:] if line)
        if panic:
            return MinirunError(
                "the guest's kernel panicked",
                f"{panic[1]}; its last words:{quoted}",
                "give it more --memory, or another --kernel; --console shows the whole boot",
            )
        if ours:
            return MinirunError(
                "the guest could not be brought up",
                ours[1],
                "try another --kernel (minirun vm kernel ls); --console shows the whole boot",
            )
        if complaints:
            return MinirunError(
                "the hypervisor gave up", complaints.replace("\n", " "), "minirun doctor says what this host can do"
            )
        return MinirunError(
            "the virtual machine ended before its program did",
            f"it was killed or switched off{'; its last words:' + quoted if quoted else ''}",
            "--console shows what its kernel says",
        )


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

    def follow(self, deadline: float | None) -> int:
        """Passes everything on until the program has ended; its exit code.

        ``deadline`` is of time.monotonic(). Raises TimeoutError after it, what
        kept the program from starting, and KeyboardInterrupt or SystemExit for
        a signal that came before the program was there to get it.
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
        if not self.reads_stdin:
            self.guest.send(END_OF_INPUT)
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
                    os.read(self._wake, _CHUNK)  # a handler has queued what there is to say
                    self.guest.flush()
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
            if kind == OUTPUT:
                _write(1, payload)
            elif kind == ERROR_OUTPUT:
                _write(2, payload)
            elif kind == ROOM:
                self.room += int.from_bytes(payload, "little")
            elif kind == STARTED:
                self.started = True
                self.guest.milestone("program", -1)
            elif kind == FAILED:
                raise failure(payload.decode("utf-8", "surrogateescape"))
            elif kind == EXIT:
                return int(payload)
        return None

    def _read_stdin(self) -> None:
        try:
            data = os.read(0, min(_CHUNK, self.room))
        except OSError:
            data = b""  # a terminal that went away
        if data:
            self.room -= len(data)
            self.guest.send(INPUT, data)
        else:
            self.reads_stdin = False
            self.guest.send(END_OF_INPUT)

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
            self.guest.send(SIGNAL, bytes([number]))
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        elif number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            raise SystemExit(128 + number)

    def _resize(self, number: int, frame: FrameType | None) -> None:
        self.guest.send(WINDOW, struct.pack("<HH", *window()))


def window() -> tuple[int, int]:
    """Rows and columns of our terminal; zeros where we have none."""
    for fd in range(3):
        try:
            size = os.get_terminal_size(fd)
        except OSError:
            continue
        return size.lines, size.columns
    return 0, 0


def failure(told: str) -> MinirunError:
    """The error for an operation that failed in the guest: ``ERRNO NAME ARGUMENTS``."""
    number, _, what = told.partition(" ")
    why = os.strerror(int(number)) if number.isdigit() else "it said no more"
    name, _, rest = what.partition(" ")
    if name == "exec":
        return _not_started(int(number), rest)
    return StepFailed(
        f"the guest could not do: {what.strip()}",
        why,
        "--console shows what its kernel says about it",
    )


def _not_started(number: int, program: str) -> MinirunError:
    import errno

    if number == errno.ENOENT:
        return ProgramNotFound(
            f"cannot run '{program}': no such program in the virtual machine",
            "it is not in the image, or not in its PATH",
            "give the path, install it in the image, or check the spelling",
        )
    if number == errno.ELIBACC:
        return NotExecutable(
            f"cannot run '{program}': its interpreter or loader is missing",
            "the file is there, but what its first line or its ELF header asks for is not",
            "install that in the image, or use a statically linked program",
        )
    hints = {
        errno.EACCES: "chmod +x it, or choose another --user",
        errno.ENOEXEC: "use an image for this architecture; begin a script with #!/bin/sh",
        errno.E2BIG: "pass a part of its arguments and environment in a file",
    }
    return NotExecutable(
        f"cannot run '{program}': {os.strerror(number).lower()}",
        "the guest's kernel refused to execute it",
        hints.get(number, "see execve(2)"),
    )


def _write(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # somebody made our terminal or pipe non-blocking, and it is full
            select.select([], [fd], [])


def _never_ready(timeout: float, words: str) -> MinirunError:
    said = words.replace("\n", " | ") if words else "nothing"
    return MinirunError(
        f"the guest did not come up within {timeout:.0f} seconds",
        f"its console said last: {said}",
        "--console shows the whole boot; --accel tcg, if KVM is there but does not work",
    )
