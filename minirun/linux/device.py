"""Device nodes: a name for a driver, made or borrowed, inside a root file system.

Layer linux/. A node is a type, a major and a minor number; whoever may open it
talks to the driver. mknod(2) needs CAP_MKNOD in the host's user namespace, so
in another one the host's node is bound instead. Read ``isolation/devices.py``
next.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.errors import StepFailed
from minirun.linux import libc, mount, mountpoint
from minirun.linux.mount import MountFlag
from minirun.linux.path import open_or_make, openat2
from minirun.steps import syscall

_TYPES = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
_LETTERS = {stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p"}


def _show_mknod(
    root: object, path: str, kind: str, major: int, minor: int, mode: int, uid: int = 0, gid: int = 0
) -> str:
    number = "0" if kind == "p" else f"makedev({major}, {minor})"
    letter = {"b": "S_IFBLK", "p": "S_IFIFO"}.get(kind, "S_IFCHR")
    return f'mknodat({root}, "{path}", {letter}|{mode:#o}, {number})'


@syscall("mknodat", "mknod(2)", show=_show_mknod)
def make_node(
    root: int, path: str, kind: str, major: int, minor: int, mode: int, uid: int = 0, gid: int = 0
) -> None:
    """Makes the node ``path`` inside ``root``. Raises EEXIST if something else is there."""
    parent, _, name = path.rpartition("/")
    above = open_or_make(root, parent or "/", True)
    umask = os.umask(0)
    try:
        number = 0 if kind == "p" else os.makedev(major, minor)
        try:
            os.mknod(name, _TYPES[kind] | mode, number, dir_fd=above)
        except FileExistsError:
            _check(os.stat(name, dir_fd=above, follow_symlinks=False), kind, number, path)
        if uid or gid:
            os.chown(name, uid, gid, dir_fd=above, follow_symlinks=False)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.umask(umask)
        os.close(above)


def _show_bind(root: object, path: str, kind: str, major: int, minor: int) -> str:
    return f'mount("{path}", "{root}{path}", NULL, MS_BIND, NULL)'


@syscall("mount", show=_show_bind)
def bind_node(root: int, path: str, kind: str, major: int, minor: int) -> None:
    """Binds the host's node of that number to ``path`` inside ``root``."""
    source = os.open(_host_path(path, kind, major, minor), os.O_PATH | os.O_CLOEXEC)
    try:
        _check(os.fstat(source), kind, os.makedev(major, minor), path)
        mountpoint.bind_in(root, f"/proc/self/fd/{source}", path, MountFlag.BIND)
    finally:
        os.close(source)


def _host_path(path: str, kind: str, major: int, minor: int) -> str:
    """Where the host has that device: at the same path, or where sysfs says."""
    try:
        found = os.stat(path)
        if _LETTERS.get(stat.S_IFMT(found.st_mode)) == kind and found.st_rdev == os.makedev(major, minor):
            return path
    except FileNotFoundError:
        pass
    group = "block" if kind == "b" else "char"
    try:
        with open(f"/sys/dev/{group}/{major}:{minor}/uevent") as file:
            names = [line[8:].strip() for line in file if line.startswith("DEVNAME=")]
    except FileNotFoundError:
        names = []
    return f"/dev/{names[0]}" if names else path


@syscall("open_tree", show=lambda fd: f'open_tree({fd}, "", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH)')
def pick_up_terminal(fd: int) -> int:
    """A detached mount of the very terminal that ``fd`` is: no path of it is walked."""
    found = os.fstat(fd)
    if not stat.S_ISCHR(found.st_mode) or not os.isatty(fd):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), "/dev/console")
    flags = mount.OpenTreeFlag.OPEN_TREE_CLONE | mount.OpenTreeFlag.OPEN_TREE_CLOEXEC
    return libc.raw("open_tree", fd, b"", flags | mount.OpenTreeFlag.AT_EMPTY_PATH)


@syscall("stat", show=lambda root, path, fd: f'stat("{root}{path}"): the device that {fd} is')
def check_same(root: int, path: str, fd: int) -> None:
    """Raises StepFailed unless ``path`` inside ``root`` is the device that ``fd`` is."""
    found = openat2(root, path, os.O_PATH)
    try:
        if os.fstat(found).st_rdev != os.fstat(fd).st_rdev:
            raise StepFailed(
                f"{path} is not the terminal that was put there",
                "something else took its place meanwhile (CVE-2025-52565)",
                "do not mount anything at /dev that others can write",
            )
    finally:
        os.close(found)


def _check(found: os.stat_result, kind: str, number: int, path: str) -> None:
    letter = _LETTERS.get(stat.S_IFMT(found.st_mode))
    if letter != kind.replace("u", "c") or found.st_rdev != number:
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
