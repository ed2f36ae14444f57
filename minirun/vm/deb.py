"""A Debian package, read without dpkg: what it says of itself, and its files as a stream.

Layer ``vm``. A .deb is an ar archive of three members (deb(5)): the number of
the format, a tar with the fields of the package, and a tar with its files,
both packed. The second is unpacked on the way, a piece at a time, so that a
kernel's 400 MB never are in memory. Read ``kernel_fetch.py`` next.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from minirun.errors import InvalidInput, reason
from minirun.image import compression
from minirun.image.streams import FileRange, Malformed
from minirun.image.tar import Archive
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.image.streams import Stream

_MAGIC = b"!<arch>\n"
_HEADER = 60  # of each member: name 16, mtime 12, uid 6, gid 6, mode 8, size 10, end mark 2
#: The fields of a package are a few KiB; more is nobody's.
_CONTROL_LIMIT = 1 << 20


class Package:
    """Ask ``open_package`` for it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._members = dict(self._read_members())
        if not any(name.startswith("debian-binary") for name in self._members):
            raise Malformed("it is an ar archive without debian-binary")
        self.fields = self._read_fields()

    def files(self) -> Archive:
        """The entries of the files' tar, and their content."""
        return Archive(self._plain("data.tar"), end_mark=True)

    def _read_fields(self) -> dict[str, str]:
        """``Package``, ``Version``, ``Architecture`` ...: the first line of each (deb-control(5))."""
        archive = Archive(self._plain("control.tar"))
        for entry in archive:
            if entry.name.removeprefix("./") == "control" and entry.isreg() and entry.size < _CONTROL_LIMIT:
                text = b"".join(piece for _, piece in archive.data(entry)).decode("utf-8", "replace")
                pairs = (line.partition(":") for line in text.splitlines() if line[:1].isalpha())
                return {name: value.strip() for name, _, value in pairs}
        raise Malformed("it has no control file")

    def _plain(self, name: str) -> Stream:
        for member, (start, size) in self._members.items():
            if member.startswith(name):
                kind = compression.kind(os.pread(self._fd, min(size, compression.LOOK), start))
                return compression.plain(FileRange(self._fd, start, size), kind)
        raise Malformed(f"it has no {name}")

    def _read_members(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """The name, start and size of each member (ar(5))."""
        size = os.fstat(self._fd).st_size
        if os.pread(self._fd, len(_MAGIC), 0) != _MAGIC:
            raise Malformed("it does not begin as an ar archive")
        start = len(_MAGIC)
        while start < size:
            header = os.pread(self._fd, _HEADER, start)
            digits = header[48:58].strip()
            if len(header) < _HEADER or header[58:] != b"`\n" or not digits.isdigit():
                raise Malformed(f"there is no header at byte {start}")
            start += _HEADER
            if start + int(digits) > size:
                raise Malformed(f"it has {size} bytes and should have {start + int(digits)}: cut off?")
            yield header[:16].decode("ascii", "replace").rstrip(" /"), (start, int(digits))
            start += int(digits) + int(digits) % 2


@contextlib.contextmanager
def open_package(path: str) -> Iterator[Package]:
    """The package in the file ``path``. Raises InvalidInput where it is damaged or none, in the block too."""
    fd = _opened(path)
    try:
        yield Package(fd)
    except Malformed as error:
        raise InvalidInput(
            f"{path} is not a whole Debian package", str(error), "download it anew, and check its sha256"
        ) from error
    finally:
        os.close(fd)


def _opened(path: str) -> int:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # before open(2), which waits for the writer of a pipe
            raise InvalidInput(
                f"{path} is no Debian package", "it is no regular file", "give the path of a .deb"
            )
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidInput(
            f"cannot read the package {path}", reason(error), "give the path of a .deb"
        ) from error
