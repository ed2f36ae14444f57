"""Mounts: the old call that does everything, and the new ones that do one thing.

Layer linux/. mount(2) attaches, binds, remounts and changes propagation,
depending on its flags. Since Linux 5.2 there are system calls with file
descriptors for the parts: open_tree(2) picks a mount up, mount_setattr(2)
changes a whole tree of them, move_mount(2) puts it down; fsopen(2) and
fsconfig(2) make a new one option by option. Here the first is used where it
can do the job, the others where it cannot. Read ``isolation/mounts`` next.
"""

from __future__ import annotations

import os
import struct

from minirun.linux import libc
from minirun.linux.flags import Flags
from minirun.linux.path import AT_FDCWD
from minirun.steps import syscall


class MountFlag(Flags, prefix="MS_"):
    """The flags of mount(2); include/uapi/linux/mount.h."""

    RDONLY = 1
    NOSUID = 2
    NODEV = 4
    NOEXEC = 8
    SYNCHRONOUS = 16
    REMOUNT = 32
    MANDLOCK = 64
    DIRSYNC = 128
    NOSYMFOLLOW = 256
    NOATIME = 1024
    NODIRATIME = 2048
    BIND = 4096
    MOVE = 8192
    REC = 16384
    SILENT = 32768
    UNBINDABLE = 1 << 17
    PRIVATE = 1 << 18
    SLAVE = 1 << 19
    SHARED = 1 << 20
    RELATIME = 1 << 21
    STRICTATIME = 1 << 24
    LAZYTIME = 1 << 25


class UmountFlag(Flags, prefix=""):
    """The flags of umount2(2); include/linux/fs.h."""

    MNT_FORCE = 1
    MNT_DETACH = 2
    MNT_EXPIRE = 4
    UMOUNT_NOFOLLOW = 8


class MountAttr(Flags, prefix="MOUNT_ATTR_"):
    """What mount_setattr(2) and fsmount(2) set; include/uapi/linux/mount.h."""

    RDONLY = 0x1
    NOSUID = 0x2
    NODEV = 0x4
    NOEXEC = 0x8
    NOATIME = 0x10
    STRICTATIME = 0x20
    NODIRATIME = 0x80
    IDMAP = 0x100000
    NOSYMFOLLOW = 0x200000


#: The bits that say how access times are kept; they are replaced as one
#: (mount_setattr(2): MOUNT_ATTR__ATIME must be in attr_clr).
ATIME = 0x70


class OpenTreeFlag(Flags, prefix=""):
    """The flags of open_tree(2); the AT_ ones are those of openat(2)'s family."""

    OPEN_TREE_CLONE = 1
    AT_SYMLINK_NOFOLLOW = 0x100
    AT_NO_AUTOMOUNT = 0x800
    AT_EMPTY_PATH = 0x1000
    AT_RECURSIVE = 0x8000
    OPEN_TREE_CLOEXEC = os.O_CLOEXEC


class MoveMountFlag(Flags, prefix="MOVE_MOUNT_"):
    """The flags of move_mount(2); F is the source, T the target."""

    F_SYMLINKS = 0x1
    F_AUTOMOUNTS = 0x2
    F_EMPTY_PATH = 0x4
    T_SYMLINKS = 0x10
    T_AUTOMOUNTS = 0x20
    T_EMPTY_PATH = 0x40
    SET_GROUP = 0x100


@syscall("mount")
def mount(source: str | None, target: str, fstype: str | None, flags: MountFlag, data: str | None) -> None:
    """Attaches, binds, remounts or changes propagation, as ``flags`` say."""
    result = libc.libc.mount(
        libc.text(source), libc.text(target), libc.text(fstype), libc._word(int(flags)), libc.text(data)
    )
    libc.checked(result, target)


@syscall("umount2")
def umount2(target: str, flags: UmountFlag) -> None:
    """Detaches what is mounted at ``target``."""
    libc.checked(libc.libc.umount2(libc.text(target), int(flags)), target)


@syscall("pivot_root")
def pivot_root(new_root: str, put_old: str) -> None:
    """Makes ``new_root`` the root mount; the old one moves to ``put_old``."""
    libc.raw("pivot_root", libc.text(new_root), libc.text(put_old))


def _at(path: str, name: str, *args: object) -> int:
    """The system call ``name``; its errors tell ``path``."""
    try:
        return libc.raw(name, *args)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def _show_open_tree(path: str, recursive: bool = False) -> str:
    return f'open_tree(AT_FDCWD, "{path}", {_clone_flags(recursive)})'


@syscall("open_tree", show=_show_open_tree)
def open_tree(path: str, recursive: bool = False) -> int:
    """A detached copy of the mount at ``path`` (and of those below it): a descriptor.

    Nobody sees it until move_mount; it goes when its descriptor is closed.
    """
    try:
        return _at(path, "open_tree", AT_FDCWD, libc.text(path), _clone_flags(recursive))
    except FileNotFoundError as error:
        error.remedy = "make it first: there must be something to mount"  # type: ignore[attr-defined]  # read by errors.hint
        raise


def _clone_flags(recursive: bool) -> OpenTreeFlag:
    flags = OpenTreeFlag.OPEN_TREE_CLONE | OpenTreeFlag.OPEN_TREE_CLOEXEC
    return flags | OpenTreeFlag.AT_RECURSIVE if recursive else flags


def _show_move_mount(tree: object, target: str) -> str:
    flags = MoveMountFlag.F_EMPTY_PATH | MoveMountFlag.T_SYMLINKS
    return f'move_mount({tree}, "", AT_FDCWD, "{target}", {flags})'


@syscall("move_mount", show=_show_move_mount)
def move_mount(tree: int, target: str) -> None:
    """Attaches the detached mount ``tree`` at ``target``."""
    flags = MoveMountFlag.F_EMPTY_PATH | MoveMountFlag.T_SYMLINKS
    _at(target, "move_mount", tree, b"", AT_FDCWD, libc.text(target), flags)


def _show_setattr(
    tree: object, recursive: bool, attr_set: object, attr_clr: object, propagation: object
) -> str:
    flags = "AT_EMPTY_PATH|AT_RECURSIVE" if recursive else "AT_EMPTY_PATH"
    attr = (("attr_set", attr_set), ("attr_clr", attr_clr), ("propagation", propagation))
    shown = ", ".join(f"{name}={value}" for name, value in attr if value)
    return f'mount_setattr({tree}, "", {flags}, {{{shown}}})'


@syscall("mount_setattr", show=_show_setattr)
def mount_setattr(tree: int, recursive: bool, attr_set: int, attr_clr: int, propagation: MountFlag) -> None:
    """Sets and clears attributes of the mount ``tree``, or of all below it too. Linux 5.12.

    Raises EINVAL for a bit that is both set and cleared, or for more than one propagation.
    """
    _setattr(tree, recursive, attr_set, attr_clr, propagation, 0)


def _setattr(tree: int, recursive: bool, attr_set: int, attr_clr: int, propagation: int, userns: int) -> None:
    flags = OpenTreeFlag.AT_EMPTY_PATH
    if recursive:
        flags |= OpenTreeFlag.AT_RECURSIVE
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd.
    attr = struct.pack("=QQQQ", attr_set, attr_clr, propagation, userns)
    libc.raw("mount_setattr", tree, b"", flags, attr, len(attr))


def _show_idmap(tree: object, userns: object) -> str:
    return f'mount_setattr({tree}, "", AT_EMPTY_PATH, {{attr_set=MOUNT_ATTR_IDMAP, userns_fd="{userns}"}})'


@syscall("mount_setattr", show=_show_idmap)
def idmap(tree: int, userns: str) -> None:
    """Makes the detached mount ``tree`` show owners as the user namespace at ``userns`` maps them.

    Linux 5.12; which file systems can: ext4 5.12, xfs 5.12, btrfs 5.15, tmpfs 6.3.
    Raises EINVAL where the file system cannot.
    """
    namespace = os.open(userns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setattr(tree, False, MountAttr.IDMAP, 0, 0, namespace)
    finally:
        os.close(namespace)
