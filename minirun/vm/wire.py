"""The wire between host and guest: frames on one virtio-serial port, and a console.

Layer ``vm``. ``native/guest_wire.h`` has the other end and the same letters:

    type (1 byte)   length (4 bytes, little-endian)   that many bytes

Beside it there is the guest's console, where its kernel says why it died, and
our own init what happened before there was a port. Part of ``session.py``.
"""

from __future__ import annotations

import re
import select
import struct
import time

from minirun.errors import MinirunError, printable
from minirun.values import TYPE_CHECKING
from minirun.vm import failures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minirun.vm.hypervisor import Hypervisor

    #: Gets the name of a milestone and the guest's own clock in microseconds, -1 for the host's events.
    Milestone = Callable[[str, int], object]

OPERATE, INPUT, END_OF_INPUT, WINDOW, SIGNAL = b"C", b"I", b"Z", b"W", b"S"
MILESTONE, ROOM, OUTPUT, ERROR_OUTPUT, STARTED, FAILED, EXIT = b"M", b"R", b"O", b"E", b"P", b"F", b"X"

_HEAD = struct.Struct("<cI")
#: What a guest may send; the longest frame is a chunk of output. It may be hostile, and is not believed.
_KINDS, _LONGEST = MILESTONE + ROOM + OUTPUT + ERROR_OUTPUT + STARTED + FAILED + EXIT, 1 << 17
CHUNK = 1 << 16
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
        self.on_console: Callable[[bytes], object] | None = None
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

    def wait_ready(self, deadline: float | None = None) -> None:
        """Until the guest's first process has said that it is ready for operations.

        Raises DidNotComeUp with the console's last lines when that does not
        happen, TimeoutError after ``deadline`` (of time.monotonic()).
        """
        try:
            self._wait_ready(deadline)
        except (failures.DidNotComeUp, failures.Killed):
            raise
        except MinirunError as error:
            raise failures.DidNotComeUp(error.what, error.why, error.remedy) from error

    def _wait_ready(self, asked: float | None) -> None:
        deadline = time.monotonic() + BOOT_TIMEOUT
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.console, select.POLLIN)
        while True:
            left = min(deadline, asked or deadline) - time.monotonic()
            if left <= 0 and asked and asked < deadline:
                raise TimeoutError
            if left <= 0:
                raise failures.never_ready(BOOT_TIMEOUT, self.last_words(8))
            for fd, _ in poll.poll(left * 1000):
                if fd == self.console.fileno():
                    if not self.read_console():
                        poll.unregister(self.console)
                elif any(kind == MILESTONE and name == "ready" for kind, name in self._told()):
                    return

    def _told(self) -> Iterator[tuple[bytes, str]]:
        self.read_console()  # what was said there came before
        for kind, payload in self.frames():
            yield kind, payload.decode(errors="replace").rpartition(" ")[2]

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """The frames that have come. Raises MinirunError at the end of the machine."""
        try:
            data = self.control.recv(CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            raise self.died()
        self._read += data
        while len(self._read) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._read)
            if kind not in _KINDS or length > _LONGEST:
                raise failures.nonsense(f"a frame of kind {kind!r} with {length} bytes")
            if len(self._read) < _HEAD.size + length:
                return
            payload = bytes(self._read[_HEAD.size : _HEAD.size + length])
            del self._read[: _HEAD.size + length]
            if kind == MILESTONE:
                uptime, _, name = payload.decode(errors="replace").partition(" ")
                self.milestone(printable(name), number(uptime))
            yield kind, payload

    def read_console(self) -> bool:
        """Reads what the kernel or our init said there; False at its end."""
        try:
            data = self.console.recv(CHUNK)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        if self.on_console:
            self.on_console(data)
        self._console += data
        del self._console[:-_KEPT]
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[:256]  # a line may have no end
        for line in lines:
            found = re.match(rb"minirun: milestone (\d{1,18}) (\w+)", line)
            if found:
                self.milestone(found[2].decode(), int(found[1]))
        return bool(data)

    def last_words(self, lines: int = 0) -> str:
        """The console's last ``lines``, or all that is kept of it, without our own milestones."""
        text = self._console.decode(errors="replace").replace("\r", "")
        said = [line for line in text.split("\n") if line.strip() and "minirun: milestone" not in line]
        return "\n".join(map(printable, said[-lines:]))

    def died(self) -> MinirunError:
        """The error for a machine that ended before its program did, from its last words."""
        while self.read_console() and select.select([self.console], [], [], 1.0)[0]:
            pass
        if number := self.hypervisor.ended_by():
            return failures.Killed(number)
        return failures.of_last_words(self.last_words(), self.complaints())


def number(text: str | bytes) -> int:
    """A number that the guest said. Raises MinirunError where it is none."""
    if not text.isdigit() or len(text) > 18:
        raise failures.nonsense(f"{text!r} for a number")
    return int(text)
