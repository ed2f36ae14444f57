"""mount(2) at a place inside a root file system that is not ``/`` yet.

Layer linux/. The place is found (or made) with openat2(2), so that no symlink
of the image leads it outside, and the mount is attached to the descriptor that
was found, through ``/proc/self/fd/N``: between looking and mounting there is no
second walk of the path that somebody could bend. A plan shows the place as
``<rootfs>/proc``. Read ``isolation/mounts/populate.py`` next.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.errors import StepFailed
from minirun.linux import libc, mount
from minirun.linux.masks import PROC_SUPER_MAGIC, filesystem_type
from minirun.linux.mount import MountFlag, MoveMountFlag
from minirun.linux.path import Resolve, open_directory, open_or_make, openat2
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def _quoted(text: str | None) -> str:
    return "NULL" if text is None else f'"{text}"'


def _show_mount(
    root: object, source: str | None, target: str, fstype: str | None, flags: MountFlag, data: str | None
) -> str:
    words = (_quoted(source), _quoted(f"{root}{target}"), _quoted(fstype), str(flags), _quoted(data))
    return f"mount({', '.join(words)})"


#: Files of procfs that may be replaced: what lxcfs and checkpoints do (as in runc).
_REPLACEABLE = frozenset(
    f"/proc/{name}"
    for name in (
        *("cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"),
        *("sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"),
    )
)


@syscall("mount", show=_show_mount)
def mount_in(root: int, source: str, target: str, fstype: str, flags: MountFlag, data: str | None) -> None:
    """Mounts a file system on the directory ``target`` inside ``root``, made if missing."""
    place = _place(root, target, True, links=fstype not in ("proc", "sysfs"))
    try:
        mount.mount(source, f"/proc/self/fd/{place}", fstype, flags, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None
    finally:
        os.close(place)


@syscall(
    "mount", show=lambda root, target, flags, data=None: _show_mount(root, None, target, None, flags, data)
)
def change_in(root: int, target: str, flags: MountFlag, data: str | None = None) -> None:
    """Changes the mount at ``target`` inside ``root``: MS_REMOUNT, or its propagation."""
    place = openat2(root, target, os.O_PATH)
    try:
        mount.mount(None, f"/proc/self/fd/{place}", None, flags, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None
    finally:
        os.close(place)


@syscall(
    "mount", show=lambda root, source, target, flags: _show_mount(root, source, target, None, flags, None)
)
def bind_in(root: int, source: str, target: str, flags: MountFlag) -> None:
    """Binds the host's ``source`` to ``target`` inside ``root``, made if missing."""
    origin = os.open(source, os.O_PATH | os.O_CLOEXEC)
    try:
        place = _place(root, target, stat.S_ISDIR(os.fstat(origin).st_mode))
        try:
            mount.mount(f"/proc/self/fd/{origin}", f"/proc/self/fd/{place}", None, flags, None)
        except OSError as error:
            raise OSError(error.errno, error.strerror, target) from None
        finally:
            os.close(place)
    finally:
        os.close(origin)


def _show_attach(tree: object, root: object, target: str) -> str:
    return f'move_mount({tree}, "", {_quoted(f"{root}{target}")}, "", {_BOTH_FDS})'


_BOTH_FDS = MoveMountFlag.F_EMPTY_PATH | MoveMountFlag.T_EMPTY_PATH


@syscall("move_mount", show=_show_attach)
def attach_in(tree: int, root: int, target: str) -> None:
    """Puts the detached mount ``tree`` at ``target`` inside ``root``; closes ``tree``.

    ``target`` is made if it is missing, as a directory or a file, as ``tree`` is.
    """
    place = _place(root, target, stat.S_ISDIR(os.fstat(tree).st_mode))
    try:
        libc.raw("move_mount", tree, b"", place, b"", _BOTH_FDS)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None
    finally:
        os.close(place)
    os.close(tree)


def _show_layers(target: str, layers: Sequence[str], data: str) -> str:
    shown = data.replace("{}", f"<{len(layers)} layers>", 1)
    return f'mount("overlay", "{target}", "overlay", 0, "{shown}")'


@syscall("mount", show=_show_layers)
def mount_layers(target: str, layers: Sequence[str], data: str) -> None:
    """mount(2) of an overlay whose layers' names would not fit into a page.

    Each layer is opened, and called ``/proc/self/fd/N``: room for 230 of them.
    """
    opened: list[int] = []
    try:
        opened.extend(open_directory(layer) for layer in layers)
        lower = ":".join(f"/proc/self/fd/{fd}" for fd in opened)
        mount.mount("overlay", target, "overlay", MountFlag(0), data.replace("{}", lower, 1))
    finally:
        for fd in opened:
            os.close(fd)


def _show_bind_tree(source: str, target: str, attributes: int) -> str:
    shown = f", {mount.MountAttr(attributes)}" if attributes else ""
    return f'open_tree("{source}", OPEN_TREE_CLONE{shown}), move_mount("{target}")'


@syscall("open_tree", show=_show_bind_tree)
def bind_tree(source: str, target: str, attributes: int) -> None:
    """Binds ``source`` to ``target``, never seen without ``attributes``; not what is mounted below it."""
    tree = mount.open_tree(source)
    try:
        if attributes:
            mount.mount_setattr(tree, False, attributes, 0, MountFlag(0))
        mount.move_mount(tree, target)
    finally:
        os.close(tree)


def _place(root: int, target: str, directory: bool, links: bool = True) -> int:
    """A descriptor of the place to mount on. Raises StepFailed for one that would uncover something.

    Over the root itself, a mount would hide the root and all masks in it; over
    a part of procfs, it would make writes to the kernel go into a file.
    """
    # Masks and read-only paths trust that /proc is where it is called, so no link
    # of the image may stand for it (CVE-2019-19921, CVE-2023-28642).
    links = links and target.rstrip("/") not in ("/proc", "/sys")
    resolve = Resolve.IN_ROOT if links else Resolve.IN_ROOT | Resolve.NO_SYMLINKS
    try:
        place = open_or_make(root, target, directory, resolve=resolve)
    except OSError as error:
        if error.errno == errno.ELOOP and not links:
            raise _refused(target, "it is a symbolic link, or lies behind one") from error
        raise
    here, top = os.fstat(place), os.fstat(root)
    if (here.st_dev, here.st_ino) == (top.st_dev, top.st_ino):
        os.close(place)
        raise _refused(target, "it leads to the root of the container's file system")
    if target not in _REPLACEABLE and filesystem_type(place) == PROC_SUPER_MAGIC:
        os.close(place)
        raise _refused(target, "it is a part of procfs, through which the container's limits are kept")
    return place


def _refused(target: str, why: str) -> StepFailed:
    return StepFailed(
        f"cannot mount {target}", why, "mount it elsewhere, or repair the image: this one may mean harm"
    )
