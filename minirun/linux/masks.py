"""Paths that are covered, or made read-only, and the look at what came out.

Layer linux/. To be called inside the container's root, where no process of
the container's runs yet. A path that is not there needs no mask: kernels
differ in what they have. Read ``isolation/mounts/protect.py`` next.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys

from minirun.errors import StepFailed
from minirun.linux import mount
from minirun.linux.libc import checked, libc
from minirun.linux.mount import MountFlag
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NULL = "/dev/null"

#: include/uapi/linux/magic.h
TMPFS_MAGIC, PROC_SUPER_MAGIC = 0x01021994, 0x9FA0
_LOCKED = (
    (os.ST_NOSUID, MountFlag.NOSUID),
    (os.ST_NODEV, MountFlag.NODEV),
    (os.ST_NOEXEC, MountFlag.NOEXEC),
    (os.ST_NOATIME, MountFlag.NOATIME),
    (os.ST_NODIRATIME, MountFlag.NODIRATIME),
    (os.ST_RELATIME, MountFlag.RELATIME),
)


@syscall("mount", show=lambda path: f'mount("{_NULL}", "{path}", NULL, MS_BIND, NULL)')
def mask_file(path: str) -> bool:
    """Covers the file ``path`` with /dev/null; False if there is no such file.

    Raises StepFailed if /dev/null is an impostor.
    """
    if _kind(path) in (None, stat.S_IFDIR):
        return False
    if not _is_null(os.stat(_NULL, follow_symlinks=False)):
        raise _impostor()
    mount.mount(_NULL, path, None, MountFlag.BIND, None)
    return True


_EMPTY = MountFlag.RDONLY | MountFlag.NOSUID | MountFlag.NODEV | MountFlag.NOEXEC
_SMALL = "nr_blocks=1,nr_inodes=1"


@syscall("mount", show=lambda path: f'mount("tmpfs", "{path}", "tmpfs", {_EMPTY}, "{_SMALL}")')
def mask_directory(path: str) -> bool:
    """Covers the directory ``path`` with an empty file system; False if there is none."""
    if _kind(path) != stat.S_IFDIR:
        return False
    mount.mount("tmpfs", path, "tmpfs", _EMPTY, _SMALL)
    return True


@syscall("mount", show=lambda path: f'mount("{path}", "{path}", NULL, MS_BIND|MS_REC, NULL)')
def bind_to_itself(path: str) -> bool:
    """Makes ``path`` a mount of its own, so that it can have flags of its own.

    False if there is no such path.
    """
    if _kind(path) is None:
        return False
    mount.mount(path, path, None, MountFlag.BIND | MountFlag.REC, None)
    return True


_READONLY = MountFlag.REMOUNT | MountFlag.BIND | MountFlag.RDONLY


@syscall("mount", show=lambda path: f'mount(NULL, "{path}", NULL, {_READONLY}|<its flags>, NULL)')
def remount_readonly(path: str) -> bool:
    """Makes the mount at ``path`` read-only; the flags it has, it keeps. False without a path.

    A remount sets all flags anew, and in a user namespace those of the
    source are locked: leaving one out is EPERM (mount_namespaces(7)).
    """
    if _kind(path) is None:
        return False
    has = os.statvfs(path).f_flag
    kept = MountFlag(0)
    for flag, name in _LOCKED:
        if has & flag:
            kept |= name
    mount.mount(None, path, None, _READONLY | kept, None)
    return True


@syscall("statfs", show=lambda paths: f"statfs({', '.join(paths)}): each is read-only")
def check_readonly(paths: Sequence[str]) -> None:
    """Raises StepFailed for the first of ``paths`` that can be written."""
    for path in paths:
        if _kind(path) is not None and not os.statvfs(path).f_flag & os.ST_RDONLY:
            raise StepFailed(
                f"{path} is not read-only after it was made so",
                "something else was mounted there, or the path leads elsewhere",
                "do not mount anything at or above that path",
            )


@syscall("statfs", show=lambda paths: f"statfs({', '.join(paths)}): each is masked")
def check_masked(paths: Sequence[str]) -> None:
    """Raises StepFailed for the first of ``paths`` behind which something can be read."""
    for path in paths:
        kind = _kind(path)
        if kind is None or (_is_empty(path) if kind == stat.S_IFDIR else _is_null(os.stat(path))):
            continue
        raise StepFailed(
            f"{path} is not masked after it was made so",
            "something else was mounted there, or the path leads elsewhere",
            "do not mount anything at or above that path",
        )


def _kind(path: str) -> int | None:
    """The type of the file, None if there is none."""
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_null(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)


def _is_empty(path: str) -> bool:
    place = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        readonly = os.fstatvfs(place).f_flag & os.ST_RDONLY
        return filesystem_type(place) == TMPFS_MAGIC and bool(readonly) and not os.listdir(place)
    finally:
        os.close(place)


def filesystem_type(fd: int) -> int:
    """The magic number of the file system that ``fd`` is in; see statfs(2)."""
    # struct statfs begins with f_type, a long; it has 120 bytes on 64-bit machines.
    answer = ctypes.create_string_buffer(256)
    checked(libc.fstatfs(fd, answer))
    return int.from_bytes(answer.raw[:4], sys.byteorder)


def _impostor() -> StepFailed:
    return StepFailed(
        f"{_NULL} in the container is not the null device",
        "it would be put over files that shall not be read, and would be read instead (CVE-2025-31133)",
        "do not mount anything at /dev or at /dev/null",
    )
