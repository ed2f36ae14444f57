"""Bytes on their way from an archive to the disk, never all of them at once.

Layer ``image``. A stream is whatever has ``read(size)``; these are the pieces
that are put one behind the other (intake.py draws the chain): a range of a
file, a stream with a few bytes put back, and one that counts, hashes and
copies what passes. ``Malformed`` is how everything that parses says that the
bytes are at fault; intake.py turns it into an InvalidInput. Read
``compression.py`` next.
"""

from __future__ import annotations

import os

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Stream(Protocol):
        """Gives up to ``size`` bytes, and none at its end."""

        def read(self, size: int, /) -> bytes: ...


#: How much is in memory of any stream.
CHUNK = 1 << 20


class Malformed(Exception):
    """The bytes are not what they claim to be."""


class FileRange:
    """``size`` bytes of the file ``fd`` from ``start`` on, independent of its position."""

    def __init__(self, fd: int, start: int, size: int) -> None:
        self.fd = fd
        self.position = start
        self.end = start + size

    def read(self, size: int) -> bytes:
        """Raises Malformed where the file ends before the range does."""
        size = min(size, self.end - self.position)
        if size <= 0:
            return b""
        data = os.pread(self.fd, size, self.position)
        if not data:
            raise Malformed("the file is shorter than it says")
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        """Goes on without reading. Raises Malformed beyond the end."""
        self.position += size
        if self.position > self.end:
            raise Malformed("it ends in the middle of an entry: truncated?")


class PutBack:
    """``stream`` with ``head`` before it: what was read to have a look."""

    def __init__(self, head: bytes, stream: Stream) -> None:
        self.head = head
        self.stream = stream

    def read(self, size: int) -> bytes:
        """The head first."""
        if self.head:
            data, self.head = self.head[:size], self.head[size:]
            return data
        return self.stream.read(size)


class Passing:
    """``stream``, counted and, if ``hashing``, hashed; each piece goes to ``copy`` as well."""

    def __init__(self, stream: Stream, hashing: bool, copy: Callable[[bytes], None] | None = None) -> None:
        import hashlib

        self.stream = stream
        self.size = 0
        self._hash = hashlib.sha256() if hashing else None
        self._copy = copy

    def read(self, size: int) -> bytes:
        """What ``stream`` gives, after it was hashed and copied."""
        data = self.stream.read(size)
        self.size += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._copy is not None:
            self._copy(data)
        return data

    @property
    def digest(self) -> str:
        """The digest of what has passed so far."""
        assert self._hash is not None
        return f"sha256:{self._hash.hexdigest()}"


class Buffered:
    """``stream`` read in big pieces and given out in small ones, with a position."""

    def __init__(self, stream: Stream, block: int = CHUNK) -> None:
        self.stream = stream
        self.position = 0
        self._size = block
        self._block = b""
        self._used = 0

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, less only at the end of the stream."""
        end = self._used + size
        if end <= len(self._block):
            data = self._block[self._used : end]
            self._used = end
        else:
            data = self._refill(size)
        self.position += len(data)
        return data

    def _refill(self, size: int) -> bytes:
        pieces = [self._block[self._used :]]
        missing = size - len(pieces[0])
        self._block, self._used = b"", 0
        while missing > 0:
            block = self.stream.read(max(self._size, missing))
            if not block:
                break
            pieces.append(block[:missing])
            if len(block) > missing:
                self._block, self._used = block, missing
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Goes on by ``size`` bytes. Raises Malformed where the stream ends before."""
        left = len(self._block) - self._used
        if size > left and hasattr(self.stream, "skip"):
            self.stream.skip(size - left)
            self._block, self._used = b"", 0
            self.position += size
            return
        while size > 0:
            got = len(self.read(min(size, CHUNK)))
            if not got:
                raise Malformed("it ends in the middle of an entry: truncated?")
            size -= got


def drain(stream: Stream) -> None:
    """Reads to the end, for what hashes on the way."""
    while stream.read(CHUNK):
        pass


def write_all(fd: int, data: bytes) -> None:
    """write(2) until all is written; it may stop early when the disk is nearly full."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])
