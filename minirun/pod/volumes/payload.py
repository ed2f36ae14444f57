"""Files that change all at once.

Part of ``pod/volumes``. The files lie in a directory of their own, and a program
sees them through two links; an update is one rename(2) of the first:

    VOLUME/..2024_11_22_09_30_00.123456789/config.yaml
    VOLUME/..data         -> ..2024_11_22_09_30_00.123456789
    VOLUME/config.yaml    -> ..data/config.yaml

Who has a file open keeps the old one; who opens two may meet two versions only
if the rename comes between, and can tell by ``..data``. As in Kubernetes, so
that programs that watch ``..data`` (inotify(7)) work. Containers mount it
read-only. Read ``ownership.py`` next.
"""

from __future__ import annotations

import os
import stat
import time

from minirun.linux.path import remove_tree
from minirun.pod.volumes.contents import File
from minirun.pod.volumes.directories import Owner
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = "..data"
_DATA_NEW = "..data_tmp"

#: What fsGroup may do with what nobody writes to: read, and enter directories.
_GROUP_READS, _GROUP_ENTERS = 0o440, 0o2550


def _show(place: str, files: Mapping[str, File], _owner: Owner) -> str:
    return f'rename("{place}/{_DATA_NEW}", "{place}/{DATA}": {len(files)} files)'


@syscall("rename", show=_show)
def write(place: str, files: Mapping[str, File], owner: Owner) -> bool:
    """Makes ``files`` what the volume at ``place`` has; False if it had them already."""
    wanted = {path: _with_group(file, owner) for path, file in files.items()}
    current = _current(place)
    same = bool(current) and _read(f"{place}/{current}") == wanted
    if not same:
        current = _write(place, wanted, owner)
        _point(place, current, owner)
    _show_names(place, {path.partition("/")[0] for path in files}, owner)
    _remove_old(place, current)
    return not same


def _with_group(file: File, owner: Owner) -> File:
    if not owner.shared:
        return file
    return File(content=file.content, mode=file.mode | _GROUP_READS)


def _current(place: str) -> str:
    """The directory that ``..data`` leads to; empty if there is none yet."""
    try:
        return os.readlink(f"{place}/{DATA}")
    except FileNotFoundError:
        return ""


def _read(place: str) -> dict[str, File]:
    """The files below ``place``, by their path."""
    found = {}
    for above, _, names in os.walk(place):
        for name in names:
            with open(f"{above}/{name}", "rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                found[os.path.relpath(f"{above}/{name}", place)] = File(content=file.read(), mode=mode)
    return found


def _write(place: str, files: Mapping[str, File], owner: Owner) -> str:
    """Writes ``files`` into a new directory; its name."""
    now = time.time_ns()
    name = time.strftime("..%Y_%m_%d_%H_%M_%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}"
    _make_directory(f"{place}/{name}", owner)
    for path, file in files.items():
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            above = "/".join((place, name, *parts[:depth]))
            if not os.path.isdir(above):
                _make_directory(above, owner)
        _write_file(f"{place}/{name}/{path}", file, owner)
    return name


def _make_directory(place: str, owner: Owner) -> None:
    os.mkdir(place, 0o700)
    os.chown(place, owner.uid, owner.gid)
    os.chmod(place, 0o755 | (_GROUP_ENTERS if owner.shared else 0))


def _write_file(place: str, file: File, owner: Owner) -> None:
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(file.content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fchown(fd, owner.uid, owner.gid)
        os.fchmod(fd, file.mode)  # the last: until then nobody else may read it
    finally:
        os.close(fd)


def _point(place: str, directory: str, owner: Owner) -> None:
    """Lets ``..data`` lead to ``directory``, from one moment to the next."""
    try:
        os.unlink(f"{place}/{_DATA_NEW}")
    except FileNotFoundError:
        pass
    _link(directory, f"{place}/{_DATA_NEW}", owner)
    os.rename(f"{place}/{_DATA_NEW}", f"{place}/{DATA}")


def _link(text: str, place: str, owner: Owner) -> None:
    os.symlink(text, place)
    os.chown(place, owner.uid, owner.gid, follow_symlinks=False)


def _show_names(place: str, names: set[str], owner: Owner) -> None:
    """A link for each of ``names``, and none for others: after the change, or they would lead nowhere."""
    there = {name for name in os.listdir(place) if not name.startswith("..")}
    for name in sorted(names - there):
        _link(f"{DATA}/{name}", f"{place}/{name}", owner)
    for name in there - names:
        os.unlink(f"{place}/{name}")


def _remove_old(place: str, current: str) -> None:
    for name in os.listdir(place):
        if name.startswith("..") and name not in (DATA, current):
            remove_tree(f"{place}/{name}")
