"""A file as a container of the image would see it, without mounting anything.

Layer ``image``. Before a container exists one must know who its USER is, and
that stands in the image's /etc/passwd. So here is overlayfs' rule for reading
(kernel Documentation/filesystems/overlayfs.rst), done with lstat(2): the
topmost layer that has the name decides; a whiteout ends the search, a directory
joins those of the same name below it until one is opaque or something else is
in the way. Links are followed within the image. Read ``lookup.py`` next.
"""

from __future__ import annotations

import os
import stat

from minirun.errors import InvalidInput
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: As the kernel does: path_resolution(7).
_MOST_LINKS = 40


def read_file(layers: Sequence[str], path: str, limit: int = 1 << 20) -> bytes | None:
    """The content of ``path`` in the image; None if it has no such regular file.

    ``layers`` are directories, the lowest first. Raises InvalidInput where the
    file has more than ``limit`` bytes, and PermissionError where the layers
    are not ours to read.
    """
    found = find(layers, path)
    if found is None:
        return None
    fd = os.open(found, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        content = b""
        while block := os.read(fd, 1 << 16):
            content += block
            if len(content) > limit:
                raise InvalidInput(
                    f"{path} of the image is too large",
                    f"it has more than {limit} bytes, and is read as a whole",
                    "make the image with a smaller one",
                )
        return content
    finally:
        os.close(fd)


def find(layers: Sequence[str], path: str) -> str | None:
    """Where ``path`` of the image is on the host, links followed; None if it is not there.

    For a directory it is the topmost of those that make it up.
    """
    root = list(reversed(layers))
    above = [root]  # the directory we are in and those above it; each a list, topmost first
    todo = path.split("/")
    todo.reverse()
    links = 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            above = above[:-1] or [root]
            continue
        found = _entry(above[-1], name)
        if not found:
            return None
        if len(found) > 1 or found[0][1] == stat.S_IFDIR:
            above.append([place for place, _ in found])
            continue
        place, kind = found[0]
        if kind != stat.S_IFLNK:
            return None if any(part not in ("", ".") for part in todo) else place
        links += 1
        if links > _MOST_LINKS:
            return None
        target = os.readlink(place)
        if target.startswith("/"):
            above = [root]
        todo.extend(reversed(target.split("/")))
    return above[-1][0] if above[-1] else None


def _entry(directories: list[str], name: str) -> list[tuple[str, int]]:
    """Path and kind of what has the name ``name``: all directories that merge, or one other."""
    found: list[tuple[str, int]] = []
    for number, directory in enumerate(directories):
        place = f"{directory}/{name}"
        try:
            there = os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            continue
        kind = stat.S_IFMT(there.st_mode)
        if kind != stat.S_IFDIR:
            whiteout = kind == stat.S_IFCHR and there.st_rdev == 0
            return found or ([] if whiteout else [(place, kind)])
        found.append((place, kind))
        if number + 1 < len(directories) and _is_opaque(place):
            break
    return found


def _is_opaque(directory: str) -> bool:
    for attribute in ("trusted.overlay.opaque", "user.overlay.opaque"):
        try:
            if os.getxattr(directory, attribute) == b"y":
                return True
        except OSError:
            continue  # it has none, or only root may see it
    return False
