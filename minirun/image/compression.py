"""Compressed streams, told by their first bytes and read as plain ones.

Layer ``image``. A layer is a tar, usually within gzip or zstd; a media type
says so, but the first bytes cannot lie. Each library is imported when its
kind is met. Read ``tar.py`` next.
"""

from __future__ import annotations

from minirun.errors import Unsupported
from minirun.image.streams import Malformed
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from minirun.image.streams import Stream

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}

#: How many first bytes ``kind`` wants to see.
LOOK = 6


def kind(head: bytes) -> str:
    """``gzip``, ``zstd``, ``xz``, ``bzip2``, or empty for anything else."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    return ""


def plain(stream: Stream, kind: str) -> Stream:
    """``stream`` without the compression ``kind``; its memory does not grow with the content.

    Reading it raises Malformed where the compressed bytes are at fault.
    """
    if not kind:
        return stream
    source: Any = _Source(stream)
    if kind == "gzip":
        import gzip
        import zlib

        return _Guarded(gzip.GzipFile(fileobj=source), (OSError, EOFError, zlib.error), kind, source)
    if kind == "zstd":
        return _zstd(source)
    if kind == "xz":
        import lzma

        return _Guarded(lzma.LZMAFile(source), (lzma.LZMAError, EOFError), kind, source)
    import bz2

    return _Guarded(bz2.BZ2File(source), (OSError, EOFError, ValueError), kind, source)


def _zstd(source: Any) -> Stream:
    try:
        import zstandard
    except ImportError as error:
        raise Unsupported(
            "this is compressed with zstd", "the Python package zstandard is missing", "pip install zstandard"
        ) from error
    reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
    return _Guarded(reader, (zstandard.ZstdError,), "zstd", source)


class _Source:
    """A stream as a file object; remembers an error of its own, so that it is not
    taken for one of the decompressor."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.failure: BaseException | None = None

    def read(self, size: int = 1 << 17) -> bytes:
        try:
            return self.stream.read(size)
        except BaseException as error:
            self.failure = error
            raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    @property
    def closed(self) -> bool:
        return False


class _Guarded:
    """A decompressor whose complaints become Malformed."""

    def __init__(
        self, reader: Any, complaints: tuple[type[Exception], ...], kind: str, source: _Source
    ) -> None:
        self.reader = reader
        self.complaints = complaints
        self.kind = kind
        self.source = source

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self.reader.read(size)
        except self.complaints as error:
            if self.source.failure is not None:
                raise
            raise Malformed(f"the {self.kind} data is damaged or cut off: {error}") from error
        return data
