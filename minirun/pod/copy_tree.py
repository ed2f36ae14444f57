"""The copying of a tree, by descriptors: nothing in it is trusted to stay what it is.

Part of ``copy.py``. Both sides are the same to it: a directory is entered by its
descriptor and never through a link, and of what stands in a directory a descriptor
is taken (O_PATH) before anything is done with it; /proc/self/fd leads from there to
exactly what was looked at. See openat(2), proc(5), lseek(2) on holes.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Frame(Value):
    """A directory that is being copied: both of its ends, and what is left of it."""

    reading: int
    writing: int
    names: Iterator[str]
    mode: int | None
    """What it gets in the end; None for one that was there before."""
    path: str


class Work:
    """Directories on the way, the deepest last: a stack of our own, for theirs may be deep."""

    def __init__(self, mask: int, skipped: Callable[[str, str], None]) -> None:
        self.mask = mask
        self.skipped = skipped
        self.frames: list[_Frame] = []
        self.made: os.stat_result | None = None
        """The first directory that is written to: what is in it is not read again."""

    def copy(self, reading: int, above: int, name: str, path: str) -> None:
        """What ``reading`` stands for (O_PATH) becomes ``name`` in ``above``; a directory is begun."""
        found = os.fstat(reading)
        kind = found.st_mode
        if stat.S_ISREG(kind):
            self._file(reading, found, above, name, path)
        elif stat.S_ISDIR(kind):
            self._directory(reading, found, above, name, path)
        elif stat.S_ISLNK(kind):
            _link(os.readlink("", dir_fd=reading), above, name)
        else:
            self.skipped(path, _WORDS.get(stat.S_IFMT(kind), "something else"))

    def finish(self) -> None:
        """All that is in the directories that were begun."""
        while self.frames:
            frame = self.frames[-1]
            name = next(frame.names, None)
            if name is None:
                self._leave(self.frames.pop())
                continue
            try:
                reading = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=frame.reading)
            except FileNotFoundError:
                continue  # removed meanwhile
            try:
                self.copy(reading, frame.writing, name, f"{frame.path.rstrip('/')}/{name}")
            finally:
                os.close(reading)

    def close(self) -> None:
        """Lets go of what is left after a failure."""
        while self.frames:
            frame = self.frames.pop()
            os.close(frame.reading)
            os.close(frame.writing)

    def merge(self, reading: int, writing: int, path: str, mode: int | None = None) -> None:
        """The content of one directory goes into another; takes ``writing`` over."""
        if self.made is None:
            self.made = os.fstat(writing)
        try:
            own = os.open(f"/proc/self/fd/{reading}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            os.close(writing)
            raise
        names = iter(sorted(os.listdir(own)))
        self.frames.append(_Frame(reading=own, writing=writing, names=names, mode=mode, path=path))

    def overwrite(self, reading: int, there: int, path: str) -> None:
        """The content of a file goes into another one, which keeps its owner."""
        found, other = os.fstat(reading), os.fstat(there)
        if not stat.S_ISREG(found.st_mode):
            return self.skipped(path, _WORDS.get(stat.S_IFMT(found.st_mode), "something else"))
        if not stat.S_ISREG(other.st_mode):
            raise FileExistsError(errno.EEXIST, "there is something that is no file", path)
        if os.path.samestat(found, other):
            raise FileExistsError(errno.EEXIST, "both are the same file", path)
        # By the descriptor that was looked at: another file of that name would be another one.
        writing = os.open(f"/proc/self/fd/{there}", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        return self._content(reading, found, writing)

    def _file(self, reading: int, found: os.stat_result, above: int, name: str, path: str) -> None:
        for _ in range(8):
            try:
                return self._content(reading, found, os.open(name, _NEW, 0o600, dir_fd=above))
            except FileExistsError:
                pass
            there = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
            try:
                kind = os.fstat(there).st_mode
                if stat.S_ISREG(kind):
                    return self.overwrite(reading, there, path)
                if stat.S_ISDIR(kind):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            finally:
                os.close(there)
            os.unlink(name, dir_fd=above)  # a link, a pipe: the file takes its place
        raise FileExistsError(errno.EEXIST, "somebody else makes it again and again", path)

    def _content(self, reading: int, found: os.stat_result, writing: int) -> None:
        """Fills ``writing``, a new or an empty file, and closes it."""
        try:
            source = os.open(f"/proc/self/fd/{reading}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _pump(source, writing, found.st_size)
            finally:
                os.close(source)
            os.fchmod(writing, stat.S_IMODE(found.st_mode) & self.mask)
        finally:
            os.close(writing)

    def _directory(self, reading: int, found: os.stat_result, above: int, name: str, path: str) -> None:
        if self.made and os.path.samestat(found, self.made):
            return self.skipped(path, "what is being written to")
        mode: int | None = stat.S_IMODE(found.st_mode) & self.mask
        try:
            os.mkdir(name, 0o700, dir_fd=above)
        except FileExistsError:
            mode = None
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        return self.merge(reading, os.open(name, flags, dir_fd=above), path, mode)

    def _leave(self, frame: _Frame) -> None:
        try:
            if frame.mode is not None:
                os.fchmod(frame.writing, frame.mode)  # last: it may forbid to write there
        finally:
            os.close(frame.reading)
            os.close(frame.writing)


_WORDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}


def _link(text: str, above: int, name: str) -> None:
    try:
        os.symlink(text, name, dir_fd=above)
    except FileExistsError:
        os.unlink(name, dir_fd=above)  # EISDIR for a directory, which stays
        os.symlink(text, name, dir_fd=above)


def _pump(source: int, target: int, size: int) -> None:
    """Copies the content, and holes as holes: a file may say that it is larger than any disk."""
    at = 0
    while True:
        if size:  # /proc says 0 of all its files
            try:
                at = os.lseek(source, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                at = max(at, os.lseek(source, 0, os.SEEK_END))
                break
            os.lseek(source, at, os.SEEK_SET)
            os.lseek(target, at, os.SEEK_SET)
        data = os.read(source, _CHUNK)
        if not data:
            break
        at += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
    os.ftruncate(target, at)
