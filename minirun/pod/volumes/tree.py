"""Everything below a directory that a container may change meanwhile.

Part of ``pod/volumes``. No link is followed and no mount entered, whatever is
swapped on the way, and no depth is too deep: a path that grows too long for
the kernel goes on from a descriptor. Used by ``ownership.py`` and ``usage.py``.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.linux.path import Resolve, openat2
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSIDE = Resolve.BENEATH | Resolve.NO_SYMLINKS | Resolve.NO_XDEV
#: PATH_MAX is 4096, and a name at most 255.
_LONG = 3800
#: What a directory can have become since it was listed: gone, a file, a link, a mount.
_CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)


def below(top: int) -> Iterator[tuple[int, str, os.stat_result]]:
    """Each entry below the directory ``top``: a descriptor of its directory, its name, its status.

    The descriptor is good until the next one is asked for.
    """
    pending = ["."]
    while pending:
        path = pending.pop()
        directory = _enter(top, path)
        if directory < 0:
            continue
        try:
            for name in os.listdir(directory):
                try:
                    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield directory, name, found
                if not stat.S_ISDIR(found.st_mode):
                    continue
                if len(os.fsencode(path)) < _LONG:
                    pending.append(f"{path}/{name}")
                    continue
                deep = _enter(directory, name)
                if deep >= 0:
                    try:
                        yield from below(deep)
                    finally:
                        os.close(deep)
        finally:
            os.close(directory)


def _enter(top: int, path: str) -> int:
    """The directory ``path`` below ``top``; -1 if it is none (any more)."""
    try:
        return openat2(top, path, os.O_RDONLY | os.O_DIRECTORY, 0, _INSIDE)
    except OSError as error:
        if error.errno in _CHANGED:
            return -1
        raise
