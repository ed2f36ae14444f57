"""A tar archive, entry by entry, from a stream that may be anybody's.

Layer ``image``. The standard library's tarfile parses the headers: ustar, pax,
GNU's long names and three forms of sparse files (tar(5)). It is not asked for
more, because its own loop ends silently at a damaged header and extracts ten
times slower than ``unpack.py``. What is added here is distrust: a header may
not make us hold more than a mebibyte, sizes must add up, the end must be
marked. Read ``unpack.py`` next.
"""

from __future__ import annotations

import tarfile

from minirun.image.streams import CHUNK, Buffered, Malformed
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.image.streams import Stream

#: What one entry may need of headers: its pax records, long names, sparse map.
HEADER_LIMIT = 1 << 20

#: Everything that tarfile may stumble over in bytes that are not a tar.
_COMPLAINTS = (tarfile.TarError, ValueError, IndexError, KeyError, OverflowError, RecursionError)


class Archive:
    """Iterate it for the entries; ``data`` gives the content of the one just met."""

    def __init__(self, stream: Stream, end_mark: bool = False, block: int = CHUNK) -> None:
        """``end_mark``: insist on the blocks of zeros at the end, where no digest protects it.

        ``block`` is how many bytes are read at once: few where contents are skipped.
        """
        self._input = Buffered(stream, block)
        self._headers = _Headers(self._input)
        self._parser = _Parser(fileobj=self._headers, encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]  # it only reads
        self._end_mark = end_mark

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        while (entry := self._next()) is not None:
            yield entry
            self._input.skip(self._parser.offset - self._input.position)

    def _next(self) -> tarfile.TarInfo | None:
        start = self._input.position
        self._headers.left = HEADER_LIMIT
        try:
            entry = tarfile.TarInfo.fromtarfile(self._parser)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # typeshed leaves it out
            return None
        except tarfile.EmptyHeaderError as error:  # type: ignore[attr-defined]  # as above
            if self._end_mark or not start:
                raise Malformed(f"it ends without its end mark at byte {start}: truncated?") from error
            return None
        except _COMPLAINTS as error:
            raise Malformed(f"the header at byte {start} is no tar header ({error})") from error
        if entry.size < 0 or self._parser.offset < self._input.position:
            raise Malformed(f"the header at byte {start} has an impossible size")
        if len(self._parser.pax_headers) > 1000:
            raise Malformed("it has more than a thousand global headers")
        return entry

    def data(self, entry: tarfile.TarInfo) -> Iterator[tuple[int, bytes]]:
        """Pieces of the content and where in the file they belong; holes are left out."""
        sparse: list[tuple[int, int]] | None = entry.sparse  # type: ignore[assignment]  # typeshed errs
        extents = [(0, entry.size)] if sparse is None else sparse
        for offset, size in extents:
            if offset < 0 or size < 0 or offset + size > entry.size:
                raise Malformed("the map of a sparse file does not fit its size")
            end = offset + size
            while offset < end:
                wanted = min(CHUNK, end - offset)
                if self._input.position + wanted > self._parser.offset:
                    raise Malformed("the map of a sparse file does not fit its data")
                piece = self._input.read(wanted)
                if len(piece) < wanted:
                    raise Malformed("it ends in the middle of an entry: truncated?")
                yield offset, piece
                offset += wanted

    @property
    def position(self) -> int:
        """How many bytes of the archive are behind us."""
        return self._input.position


class _Headers:
    """The stream as tarfile sees it: it may read what headers need, no more."""

    def __init__(self, stream: Buffered) -> None:
        self.stream = stream
        self.left = HEADER_LIMIT

    def read(self, size: int) -> bytes:
        self.left -= size
        if size < 0 or self.left < 0:
            raise ValueError(f"it takes more than {HEADER_LIMIT} bytes")
        return self.stream.read(size)

    def tell(self) -> int:
        return self.stream.position


class _Parser(tarfile.TarFile):
    """What ``TarInfo.fromtarfile`` wants for context; it never reads by itself."""

    def next(self) -> tarfile.TarInfo | None:
        return None  # the constructor asks for the first entry
