"""mount(2) at a place inside a root file system that is not ``/`` yet.

Layer linux/. The place is found (or made) with openat2(2), so that no symlink
of the image leads it outside, and the mount is attached to the descriptor that
was found, through ``/proc/self/fd/N``: between looking and mounting there is no
second walk of the path that somebody could bend. A plan shows the place as
``<rootfs>/proc``. Read ``isolation/mounts/populate.py`` next.
"""

from __future__ import annotations

import os
import stat

from minirun.linux import libc, mount
from minirun.linux.mount import MountFlag, MoveMountFlag
from minirun.linux.path import open_or_make, openat2
from minirun.steps import syscall


def _quoted(text: str | None) -> str:
    return "NULL" if text is None else f'"{text}"'


def _show_mount(
    root: object, source: str | None, target: str, fstype: str | None, flags: MountFlag, data: str | None
) -> str:
    words = (_quoted(source), _quoted(f"{root}{target}"), _quoted(fstype), str(flags), _quoted(data))
    return f"mount({', '.join(words)})"


@syscall("mount", show=_show_mount)
def mount_in(
    root: int, source: str, target: str, fstype: str, flags: MountFlag, data: str | None
) -> None:
    """Mounts a file system on the directory ``target`` inside ``root``, made if missing."""
    place = open_or_make(root, target, directory=True)
    try:
        mount.mount(source, f"/proc/self/fd/{place}", fstype, flags, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None
    finally:
        os.close(place)


@syscall("mount", show=lambda root, target, flags, data=None: _show_mount(root, None, target, None, flags, data))
def change_in(root: int, target: str, flags: MountFlag, data: str | None = None) -> None:
    """Changes the mount at ``target`` inside ``root``: MS_REMOUNT, or its propagation."""
    place = openat2(root, target, os.O_PATH)
    try:
        mount.mount(None, f"/proc/self/fd/{place}", None, flags, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None
    finally:
        os.close(place)


@syscall("mount", show=lambda root, source, target, flags: _show_mount(root, source, target, None, flags, None))
def bind_in(root: int, source: str, target: str, flags: MountFlag) -> None:
    """Binds the host's ``source`` to ``target`` inside ``root``, made if missing."""
    origin = os.open(source, os.O_PATH | os.O_CLOEXEC)
    try:
        place = open_or_make(root, target, stat.S_ISDIR(os.fstat(origin).st_mode))
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
    place = open_or_make(root, target, stat.S_ISDIR(os.fstat(tree).st_mode))
    try:
        libc.raw("move_mount", tree, b"", place, b"", _BOTH_FDS)
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None
    finally:
        os.close(place)
    os.close(tree)
