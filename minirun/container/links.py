"""Things that one container has at a time: a name, a range of user ids.

Layer ``container``. Each is a symbolic link DIRECTORY/NAME whose text is the
container's id. symlink(2) makes it or refuses in one step, so of two takers
one wins, and no lock is needed. Giving back is two steps, look and unlink(2);
between them another could give the same back and a third take it, whose link
would be unlinked then. So who gives back holds a flock(2) on the directory.
Read ``id_ranges.py`` and ``names.py`` next.
"""

from __future__ import annotations

import fcntl
import os


def take(directory: str, name: str, id: str) -> bool:
    """Takes ``name`` for ``id``; False if somebody has it."""
    try:
        os.symlink(id, f"{directory}/{name}")
    except FileExistsError:
        return False
    return True


def holder(directory: str, name: str) -> str:
    """The id that has ``name``, "" if none has."""
    try:
        return os.readlink(f"{directory}/{name}")
    except OSError:
        return ""


def give_back(directory: str, name: str, id: str) -> bool:
    """Gives ``name`` back if ``id`` has it; whether it had."""
    if holder(directory, name) != id:
        return False
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if holder(directory, name) != id:
            return False
        os.unlink(f"{directory}/{name}")
        return True
    finally:
        os.close(lock)


def give_back_all(directory: str, id: str) -> None:
    """Gives back whatever ``id`` has there."""
    for name in names(directory):
        give_back(directory, name, id)


def names(directory: str) -> list[str]:
    """What is taken there; nothing if the directory is not there."""
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
