"""Directories that are not finished, and the end of those that never will be.

Layer ``image``. A layer grows in ``ROOT/layers/.tmp-X`` and is removed there
too, so that under its own name it is whole or absent. Who works in such a
directory holds a flock(2) on it, which goes with the process: what nobody
holds is rubbish, and ``sweep`` removes it. Read ``changes.py`` next.
"""

from __future__ import annotations

import fcntl
import os

from minirun.image import store
from minirun.image.changes import changing


class TemporaryDirectory:
    """``ABOVE/.tmp-X``, flocked while somebody works in it."""

    def __init__(self, above: str) -> None:
        while True:
            self._path = f"{above}/{store.TEMPORARY}{os.urandom(8).hex()}"
            os.mkdir(self._path, 0o700)
            try:
                self._lock = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(self._lock), os.stat(self._path)):
                    return
                os.close(self._lock)
            except FileNotFoundError:
                pass  # swept between mkdir and flock: once more

    def path(self, name: str) -> str:
        """The path of an entry."""
        return f"{self._path}/{name}"

    def make(self, name: str) -> int:
        """A file descriptor of a new directory in it."""
        os.mkdir(self.path(name), 0o700)
        return os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def give(self, name: str, path: str) -> None:
        """Moves an entry to its final ``path``, unless the same is there already."""
        if not os.path.isdir(path):
            os.rename(self.path(name), path)

    def remove(self) -> None:
        """Removes it with everything in it."""
        remove_tree(self._path)
        os.close(self._lock)


def sweep(root: str) -> list[str]:
    """Removes what crashed commands left half-made below ``root``; their paths."""
    removed = sweep_below(f"{root}/layers")
    if os.path.isdir(f"{root}/images"):
        with changing(root):  # who makes these holds the lock
            for place in ("names", "records"):
                for entry in _temporary(f"{root}/images/{place}"):
                    os.unlink(entry)
                    removed.append(entry)
    return removed


def sweep_below(directory: str) -> list[str]:
    """Removes the temporary directories in ``directory`` that nobody works in; their paths."""
    removed = []
    for entry in _temporary(directory):
        try:
            fd = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(entry)
            removed.append(entry)
        except BlockingIOError:
            pass  # somebody works there
        finally:
            os.close(fd)
    return removed


def _temporary(directory: str) -> list[str]:
    try:
        return [f"{directory}/{n}" for n in os.listdir(directory) if n.startswith(store.TEMPORARY)]
    except FileNotFoundError:
        return []


def remove_tree(path: str) -> None:
    """Removes a directory of any depth, with one or two open files.

    An archive may make directories nested deeper than any path or stack: those
    inside are moved up until all are at the top. No link is followed.
    """
    number = 0
    while True:
        try:
            entries = list(os.scandir(path))
        except FileNotFoundError:
            return
        inner = [entry for entry in entries if _unlinked_or_directory(entry)]
        if not inner:
            os.rmdir(path)
            return
        for directory in inner:
            for entry in list(os.scandir(directory.path)):
                if _unlinked_or_directory(entry):
                    number += 1
                    os.rename(entry.path, f"{path}/{store.TEMPORARY}{number}-{os.urandom(4).hex()}")
            os.rmdir(directory.path)


def _unlinked_or_directory(entry: os.DirEntry[str]) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return True
    os.unlink(entry.path)
    return False
