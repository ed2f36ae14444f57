"""A directory as an archive fills it: the way from a path to a place inside.

Layer ``image``. Below ``unpack.py``. Every path is opened with openat2(2) as
if the directory were ``/``; what is given out is a file descriptor of the
directory above the entry. The last ones stay open, since an archive stays in
one place for a while.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.image.streams import Malformed
from minirun.linux.path import openat2
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OPAQUE_ATTRIBUTES = ("trusted.overlay.opaque", "user.overlay.opaque")

#: Errors of the host. Any other is the archive's fault: a name too long, a loop of links.
HOST_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    *(errno.EACCES, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EAGAIN, errno.EBADF),
}

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Tree:
    """The directory ``root``; what an entry replaces goes to the directory ``trash``."""

    def __init__(self, root: int, trash: int) -> None:
        self.root = root
        self.trash = trash
        #: Filling a directory changes its time, so times are set at the end.
        self.times: dict[bytes, int] = {b"": 0}
        #: The directories used last, by path; at least two of them stay open.
        self._open: dict[bytes, int] = {}
        self._discarded = 0
        os.fchown(root, 0, 0)
        os.fchmod(root, 0o755)

    def fresh(self, above: bytes, name: bytes, make: Callable[[int], int | None]) -> int:
        """What ``make`` gives, after what had the name before is out of the way."""
        at = self.at(above)
        try:
            return make(at) or 0
        except FileExistsError:
            self.discard(at, name)
            return make(at) or 0

    def discard(self, at: int, name: bytes) -> None:
        """Moves the entry ``name`` of the directory ``at`` out of the way."""
        self._discarded += 1
        os.rename(name, b"%d" % self._discarded, src_dir_fd=at, dst_dir_fd=self.trash)
        # Paths may lead elsewhere now, even that of ``at``, if a link was on it.
        for fd in self._open.values():
            if fd != at:
                os.close(fd)
        self._open = {b"\0in use": at}  # no path: its caller goes on with it

    def at(self, path: bytes) -> int:
        """The directory ``path``, made with its parents where it is missing."""
        try:
            return self.existing(path)
        except (FileNotFoundError, NotADirectoryError):
            above, _, name = path.rpartition(b"/")
            missing = [name]
        # From the deepest that is there: the archive may nest deeper than a stack.
        while True:
            try:
                self.existing(above)
                break
            except (FileNotFoundError, NotADirectoryError):
                above, _, name = above.rpartition(b"/")
                missing.append(name)
        while missing:
            name = missing.pop()
            above = self._make_implied(above, name)
        return self.existing(path)

    def _make_implied(self, above: bytes, name: bytes) -> bytes:
        """A directory that the archive did not mention: root's, 0755, as tar(1) makes it; its path."""
        at = self.existing(above)
        path = above + b"/" + name if above else name
        try:
            os.mkdir(name, 0o755, dir_fd=at)
        except FileExistsError:
            there = os.stat(name, dir_fd=at, follow_symlinks=False)
            if not is_whiteout(there):
                return path  # a link to a directory is good; of anything else the next open complains
            self.discard(at, name)
            os.mkdir(name, 0o755, dir_fd=at)
            self.hide_below(at, name)
        os.chown(name, 0, 0, dir_fd=at)  # whatever a set-group-ID parent and the umask say
        os.chmod(name, 0o755, dir_fd=at)
        self.times[path] = 0  # the same archive always gives the same directory
        return self._keep(path, os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=at))

    def existing(self, path: bytes) -> int:
        """The directory ``path``. Raises FileNotFoundError, NotADirectoryError."""
        fd = self._open.pop(path, None)
        if fd is None:
            fd = openat2(self.root, os.fsdecode(path) or ".", OPEN_DIRECTORY)
        self._keep(path, fd)
        return fd

    def _keep(self, path: bytes, fd: int) -> bytes:
        if len(self._open) >= 32:
            os.close(self._open.pop(next(iter(self._open))))
        self._open[path] = fd  # the last in the dict is the one used last
        return path

    def hide_below(self, at: int, name: bytes) -> None:
        """Makes a directory hide what the layers below have under its name."""
        fd = os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
        try:
            make_opaque(fd)
        finally:
            os.close(fd)

    def finish(self) -> None:
        """Sets the times of the directories."""
        for path, moment in self.times.items():
            above, _, name = path.rpartition(b"/")
            try:
                at = self.existing(above)
                if stat.S_ISDIR(os.stat(name or b".", dir_fd=at, follow_symlinks=False).st_mode):
                    os.utime(name or b".", ns=(moment, moment), dir_fd=at, follow_symlinks=False)
            except OSError as error:
                if error.errno in HOST_ERRORS:
                    raise  # any other: a later entry replaced the directory

    def close(self) -> None:
        """Closes the directories that are still open."""
        while self._open:
            os.close(self._open.popitem()[1])


def make_opaque(fd: int) -> None:
    """Marks a directory as one that hides what lies below it."""
    failed: list[OSError] = []
    for attribute in OPAQUE_ATTRIBUTES:
        try:
            os.setxattr(fd, attribute, b"y")
        except OSError as error:
            # trusted. needs CAP_SYS_ADMIN, user. a file system that has it: one must work.
            failed.append(error)
    if len(failed) == len(OPAQUE_ATTRIBUTES):
        raise failed[0]


def clean(name: str) -> bytes:
    """A name of the archive as a path relative to the layer; empty is the root.

    Raises Malformed where ``..`` would lead above the root.
    """
    raw = raw_name(name)
    if b"\0" in raw:
        raise Malformed("a name with a zero byte in it")
    if b"." not in raw and b"//" not in raw:
        return raw.strip(b"/")
    parts: list[bytes] = []
    for part in raw.split(b"/"):
        if part == b"..":
            if not parts:
                raise Malformed("'..' leads out of the layer")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def raw_name(name: str) -> bytes:
    """The bytes that the archive had; tarfile made text of them."""
    return name.encode("utf-8", "surrogateescape")


def is_whiteout(there: os.stat_result) -> bool:
    """Whether it is overlayfs' mark for a removed file."""
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0
