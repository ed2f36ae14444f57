"""A TCP connection that is never waited for: its methods are parts of a conversation.

    opened = yield from connect("10.0.0.2", 80)
    yield from opened.send(b"...")
    line = yield from opened.line(1024)

Layer: pod. With ``_socket``, the C module, since socket costs 9 ms and its
objects would only be closed again. Read next: tls.py, http.py. connect(2),
section EINPROGRESS.
"""

from __future__ import annotations

import _socket
import errno
import os

from minirun.errors import reason
from minirun.pod.probes import names
from minirun.pod.probes.conversation import IN, OUT, Failed, Want
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.probes.conversation import Talk

_PIECE = 16384


class HungUp(Failed):
    """The other side closed the connection where more had to come."""


class Stream:
    """What has been read and not been taken yet, over anything that sends and receives.

    ``doing`` is what a time-out says of it.
    """

    def __init__(self) -> None:
        self.doing = "waiting for an answer"
        self._read = b""

    def send(self, data: bytes) -> Talk[None]:
        """Sends all of ``data``."""
        raise NotImplementedError

    def receive(self) -> Talk[bytes]:
        """The next piece, as it comes; b"" at the end."""
        raise NotImplementedError

    def close(self) -> None:
        """Closes it, at once."""
        raise NotImplementedError

    def exactly(self, count: int) -> Talk[bytes]:
        """The next ``count`` bytes. Raises HungUp."""
        while len(self._read) < count:
            yield from self._more()
        return self._take(count)

    def line(self, limit: int) -> Talk[bytes]:
        """The next line without its end, CR LF or LF. Raises HungUp, Failed past ``limit``."""
        while b"\n" not in self._read[:limit]:
            if len(self._read) >= limit:
                raise Failed(f"the answer has a line of more than {limit} bytes")
            yield from self._more()
        return self._take(self._read.index(b"\n") + 1).rstrip(b"\r\n")

    def up_to_the_end(self, limit: int) -> Talk[bytes]:
        """All until the other side closes, but no more than ``limit`` bytes."""
        try:
            while len(self._read) < limit:
                yield from self._more()
        except HungUp:
            return self._take(len(self._read))
        return self._take(limit)

    def _more(self) -> Talk[None]:
        piece = yield from self.receive()
        if not piece:
            raise HungUp("the server hung up before its answer was complete")
        self._read += piece

    def _take(self, count: int) -> bytes:
        taken, self._read = self._read[:count], self._read[count:]
        return taken


class Connection(Stream):
    """A TCP connection."""

    def __init__(self, sock: _socket.socket) -> None:
        super().__init__()
        self._socket = sock

    def send(self, data: bytes) -> Talk[None]:
        """Sends all of ``data``."""
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                yield Want(fd=self._socket.fileno(), events=OUT, doing="sending the request")

    def receive(self) -> Talk[bytes]:
        """The next piece, as it comes; b"" at the end."""
        while True:
            # Even if there is something already: who sends without end must not keep the others waiting.
            yield Want(fd=self._socket.fileno(), events=IN, doing=self.doing)
            try:
                return self._socket.recv(_PIECE)
            except BlockingIOError:
                continue

    def close(self) -> None:
        """Closes it, at once."""
        self._socket.close()


def connect(address: str, port: int) -> Talk[Connection]:
    """Connects to ``address``, an IP address or a name, trying one after the other that a name has.

    Raises Failed.
    """
    number = errno.EADDRNOTAVAIL
    for family, sockaddr in (yield from names.addresses(address, port)):
        sock = _socket.socket(family, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        try:
            number = sock.connect_ex(sockaddr)
            if number == errno.EINPROGRESS:
                yield Want(fd=sock.fileno(), events=OUT, doing=f"connecting to {place(address, port)}")
                number = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        except BaseException:
            sock.close()
            raise
        if not number:
            return Connection(sock)
        sock.close()
    why = reason(OSError(number, os.strerror(number)))
    raise Failed(f"cannot connect to {place(address, port)}: {why}")


def place(address: str, port: int) -> str:
    """``10.0.0.2:80``, ``[fd00::2]:80``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
