"""hostPath: what has to be at a path of the host's, or is made there.

Part of ``pod/volumes``. The host's tree is the host's own: links in it are
followed, and nothing that was made is removed with the pod. Kubernetes:
"hostPath volume types".
"""

from __future__ import annotations

import os
import stat

from minirun.errors import Conflict, InvalidInput, NotFound
from minirun.linux.path import make_directory
from minirun.steps import syscall

#: type -> the question to ask of its mode, what it is called, and what makes it.
_TYPES = {
    "": (None, "anything", "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "a directory", "directory"),
    "Directory": (stat.S_ISDIR, "a directory", ""),
    "FileOrCreate": (stat.S_ISREG, "a file", "file"),
    "File": (stat.S_ISREG, "a file", ""),
    "Socket": (stat.S_ISSOCK, "a socket", ""),
    "CharDevice": (stat.S_ISCHR, "a character device", ""),
    "BlockDevice": (stat.S_ISBLK, "a block device", ""),
}


def check_words(name: str, place: str, kind: str) -> None:
    """Raises InvalidInput for what no host could have. ``name`` is the volume's."""
    if kind not in _TYPES:
        raise InvalidInput(
            f"volume {name}: hostPath.type cannot be {kind!r}",
            f"there are {', '.join(filter(None, _TYPES))}",
            "correct it, or leave it out",
        )
    if not place.startswith("/") or ".." in place.split("/") or "\0" in place:
        raise InvalidInput(
            f"volume {name}: hostPath.path cannot be {place!r}",
            "it is an absolute path without ..",
            "write out the path",
        )


@syscall("stat", show=lambda name, place, kind: f'stat("{place}")')
def look(name: str, place: str, kind: str) -> None:
    """Makes ``place`` if its ``kind`` allows that; raises NotFound or Conflict if it is not of that kind.

    Without a kind nothing is asked, and a directory is made where nothing is: as
    container runtimes do for kubelet.
    """
    fits, called, made_as = _TYPES[kind]
    if made_as and not os.path.exists(place):
        _make(name, place, made_as)
    try:
        mode = os.stat(place).st_mode
    except FileNotFoundError as error:
        raise NotFound(
            f"volume {name}: the host has no {place}",
            f"hostPath.type {kind} wants {called} that is there already",
            f"make it, or say {kind}OrCreate" if f"{kind}OrCreate" in _TYPES else "make it first",
        ) from error
    if fits and not fits(mode):
        raise Conflict(
            f"volume {name}: {place} of the host is not {called}",
            f"hostPath.type is {kind}",
            "correct the path or the type",
        )


def _make(name: str, place: str, made_as: str) -> None:
    if made_as == "directory":
        make_directory(place, 0o755)
        return
    try:
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except FileNotFoundError as error:
        raise NotFound(
            f"volume {name}: cannot make {place}",
            "FileOrCreate makes the file, and not the directories above it",
            f"make {os.path.dirname(place)} first, for example by a volume DirectoryOrCreate",
        ) from error
    try:
        os.fchmod(fd, 0o644)
    finally:
        os.close(fd)
