"""Where `load` reads from: a directory or a tar, as files by name.

Layer ``image``. An OCI layout and docker's archive may list their contents at
the end, so a tar must be read in any order: its headers are walked once and
the places noted. What cannot be read so, a pipe or a compressed archive, is
first copied to a file without a name. Read ``intake.py`` next.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from minirun.errors import InvalidInput, NotFound
from minirun.image import compression
from minirun.image.layout import DOCUMENT_LIMIT, Descriptor
from minirun.image.reference import is_digest
from minirun.image.streams import CHUNK, FileRange, Malformed, PutBack, write_all
from minirun.image.tar import Archive
from minirun.image.tree import clean
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from minirun.image.streams import Stream

#: More files than any image has layers and documents.
_MOST_FILES = 100_000


class Source:
    """Files by name, in a directory or an archive."""

    def open(self, path: str) -> FileRange | None:
        """The file ``path``, None if there is none."""
        raise NotImplementedError

    def read(self, path: str) -> bytes | None:
        """A whole document. Raises Malformed where it is too large for one."""
        file = self.open(path)
        if file is None:
            return None
        if file.end - file.position > DOCUMENT_LIMIT:
            raise Malformed(f"{path} has more than {DOCUMENT_LIMIT >> 20} MiB, which is no document")
        pieces = []
        while piece := file.read(CHUNK):
            pieces.append(piece)
        return b"".join(pieces)

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether what ``blob`` describes is here."""
        return self.open(blob_name(blob.digest)) is not None

    def blob(self, blob: Descriptor) -> FileRange:
        """The content of ``blob``, its size checked. Raises Malformed if it is not here."""
        file = self.open(blob_name(blob.digest))
        if file is None:
            raise Malformed(f"{blob.digest} is mentioned and is not there")
        if file.end - file.position != blob.size:
            raise Malformed(f"{blob.digest} has {file.end - file.position} bytes and should have {blob.size}")
        return file

    def document(self, blob: Descriptor) -> bytes:
        """The JSON document ``blob``, its size and digest checked."""
        self.blob(blob)
        raw = self.read(blob_name(blob.digest)) or b""
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if digest != blob.digest:
            raise Malformed(f"a document's digest should be {blob.digest} and is {digest}")
        return raw


def blob_name(digest: str) -> str:
    """A blob's place in a layout (image-layout.md). Raises Malformed for other digests than sha256."""
    if not is_digest(digest):
        raise Malformed(f"the digest {digest!r} is not sha256 and 64 digits, and others are not supported")
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


class Directory(Source):
    """The files below a directory."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fds: list[int] = []

    def open(self, path: str) -> FileRange | None:
        """See Source."""
        try:
            fd = os.open(os.path.join(self.path, path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        self._fds.append(fd)
        return FileRange(fd, 0, os.fstat(fd).st_size)

    def close(self) -> None:
        """Closes the files that were opened."""
        while self._fds:
            os.close(self._fds.pop())


class TarFile(Source):
    """The files in an uncompressed tar, which is open as ``fd``."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        archive = Archive(FileRange(fd, 0, os.fstat(fd).st_size), block=1 << 14)
        for entry in archive:
            name = os.fsdecode(clean(entry.name))
            if entry.isreg() and entry.sparse is None:
                self._places[name] = (entry.offset_data, entry.size)
            elif entry.issym() or entry.islnk():  # `docker save` once wrote a layer of two images so
                above = os.path.dirname(name) if entry.issym() else ""
                self._links[name] = os.path.normpath(os.path.join(above, entry.linkname))
            if len(self._places) + len(self._links) > _MOST_FILES:
                raise Malformed(f"more than {_MOST_FILES} files: this is no archive of images")

    def open(self, path: str) -> FileRange | None:
        """See Source."""
        for _ in range(8):
            if path in self._places:
                return FileRange(self.fd, *self._places[path])
            path = self._links.get(path, "")
        return None


@contextlib.contextmanager
def opened(source: str | BinaryIO, root: str) -> Iterator[Source]:
    """``source``, a path or an open file, as a Source; copies go below ``root``."""
    if isinstance(source, str) and os.path.isdir(source):
        directory = Directory(source)
        try:
            yield directory
        finally:
            directory.close()
        return
    with stream(source) as file:
        fd = _seekable(file)
        head = file.read(compression.LOOK) if fd < 0 else os.pread(fd, compression.LOOK, 0)
        kind = compression.kind(head)
        if fd >= 0 and not kind:
            yield TarFile(fd)
            return
        whole: Stream = PutBack(head, file) if fd < 0 else FileRange(fd, 0, os.fstat(fd).st_size)
        copy = _copied(compression.plain(whole, kind), root)
        try:
            yield TarFile(copy)
        finally:
            os.close(copy)


@contextlib.contextmanager
def stream(source: str | BinaryIO) -> Iterator[BinaryIO]:
    """``source`` open for reading; closed afterwards if it was a path."""
    if not isinstance(source, str):
        yield source
        return
    try:
        file = open(source, "rb", buffering=0)  # closed by the `with` below
    except FileNotFoundError as error:
        raise NotFound(
            f"there is no file {source}", "nothing has that path", "look for a typing error"
        ) from error
    except OSError as error:
        raise InvalidInput(
            f"cannot read {source}", error.strerror or "", "name a file that you may read"
        ) from error
    with file:
        yield file


def _seekable(file: BinaryIO) -> int:
    """The file descriptor of a regular file at its beginning, -1 for anything else."""
    import stat

    try:
        fd = file.fileno()
    except OSError:
        return -1
    regular = stat.S_ISREG(os.fstat(fd).st_mode)
    return fd if regular and os.lseek(fd, 0, os.SEEK_CUR) == 0 else -1


def _copied(content: Stream, root: str) -> int:
    fd = os.open(f"{root}/images", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        while piece := content.read(CHUNK):
            write_all(fd, piece)
    except BaseException:
        os.close(fd)
        raise
    return fd
