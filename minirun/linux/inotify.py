"""Waiting for a file to change, without looking again and again.

Layer ``linux``. See inotify(7).
"""

from __future__ import annotations

import os

from minirun.linux.flags import Flags
from minirun.linux.libc import checked, libc, text


class Event(Flags, prefix="IN_"):
    """What can be watched; include/uapi/linux/inotify.h."""

    MODIFY = 0x00000002
    MOVED_FROM = 0x00000040
    MOVED_TO = 0x00000080
    CREATE = 0x00000100
    DELETE = 0x00000200


def watch(path: str, events: Event) -> int:
    """A descriptor that becomes readable when one of ``events`` happens at ``path``."""
    fd = checked(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
    try:
        checked(libc.inotify_add_watch(fd, text(path), int(events)), path)
    except OSError:
        os.close(fd)
        raise
    return fd


def drain(fd: int) -> None:
    """Takes all waiting events off ``fd``; which they were does not matter."""
    try:
        while os.read(fd, 1 << 14):
            continue
    except BlockingIOError:
        return
