"""TLS around a connection, and nothing verified: a probe asks who is well, not who it is.

Layer: pod. OpenSSL works on two buffers here, so that the waiting stays with
the conversation. ssl is imported only where a probe says HTTPS (25 ms, 3 MiB).
Kubernetes, "HTTP probes"; SSL_set_bio(3).
"""

from __future__ import annotations

from minirun.pod.probes.connection import HungUp, Stream
from minirun.pod.probes.conversation import Failed
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import TypeVar

    from minirun.pod.probes.conversation import Talk

    T = TypeVar("T")

_PIECE = 16384


class NotSpoken(Failed):
    """Who answers here does so in something else."""


class Secured(Stream):
    """A connection with TLS on it."""

    def __init__(self, connection: Stream, host: str) -> None:
        import ssl

        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # A certificate that nobody looks at may have a short key.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self._under = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def handshake(self) -> Talk[None]:
        """Agrees on keys with the server."""
        import ssl

        self._under.doing = "agreeing on TLS keys"
        try:
            yield from self._do(self._tls.do_handshake)
        except ssl.SSLEOFError as error:
            raise HungUp("TLS: the server hung up before keys were agreed on") from error
        except ssl.SSLError as error:
            raise _failure(error) from error

    def send(self, data: bytes) -> Talk[None]:
        """Sends all of ``data``."""
        yield from self._do(lambda: self._tls.write(data))

    def receive(self) -> Talk[bytes]:
        """The next piece, as it comes; b"" at the end."""
        import ssl

        self._under.doing = self.doing
        try:
            return (yield from self._do(lambda: self._tls.read(_PIECE)))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # with a goodbye and without one
            return b""

    def close(self) -> None:
        """Closes it, at once."""
        self._under.close()

    def _do(self, what: Callable[[], T]) -> Talk[T]:
        """Does it again and again, until OpenSSL has got from the server what it needs for it."""
        import ssl

        while True:
            try:
                done = what()
                yield from self._under.send(self._outgoing.read())
                return done
            except ssl.SSLWantReadError:
                yield from self._under.send(self._outgoing.read())
                self._feed((yield from self._under.receive()))

    def _feed(self, piece: bytes) -> None:
        if piece:
            self._incoming.write(piece)
        else:
            self._incoming.write_eof()


def _failure(error: ssl.SSLError) -> Failed:
    if error.reason == "WRONG_VERSION_NUMBER" or error.reason == "HTTP_REQUEST":
        return NotSpoken("TLS: the server does not speak it on this port (scheme: HTTP?)")
    return Failed(f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}")
