"""Fills a new volume with what the image has at its place.

Layer linux/. Both ends are descriptors of directories: the image's, found
inside the root file system, and the volume's, not attached anywhere yet. No
link is followed on either side. A copy that was cut off is known by a mark on
the volume, and begins anew. Read ``isolation/mounts/bind.py`` next.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from minirun.linux.path import Resolve, openat2, remove_below
from minirun.steps import syscall

_MARK = "trusted.minirun.copying"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@syscall(
    "copy_file_range",
    show=lambda root, path, volume: f'copy_file_range("{root}{path}" with all below, {volume})',
)
def copy_up(root: int, path: str, volume: int) -> None:
    """Copies ``path`` inside ``root`` into ``volume``, if that is an empty directory.

    Owners, modes, times and extended attributes are kept, and so is the
    directory's own owner and mode. Nothing happens where the image has no
    such directory, or where the volume is a file.
    """
    if not stat.S_ISDIR(os.fstat(volume).st_mode):
        return
    try:
        source = openat2(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    target = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=volume)
    try:
        fcntl.flock(target, fcntl.LOCK_EX)  # two containers may meet a new volume at once
        _copy_once(source, target)
    finally:
        os.close(target)
        os.close(source)


@syscall(
    "copy_file_range",
    show=lambda root, path, volume: f'copy_file_range("{root}{path}" with all below, "{volume}")',
)
def fill(root: int, path: str, volume: str) -> None:
    """``copy_up`` into the directory ``volume``, by its path."""
    target = os.open(volume, os.O_PATH | os.O_CLOEXEC)
    try:
        copy_up(root, path, target)
    finally:
        os.close(target)


def _copy_once(source: int, target: int) -> None:
    if _marked(target):
        remove_below(target)
    elif os.listdir(target):
        return
    _mark(target)
    _copy_directory(source, target)
    _unmark(target)


def _copy_directory(source: int, target: int) -> None:
    """The contents, then what the directory itself is (times change while it is filled)."""
    for name in os.listdir(source):
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            _descend(source, target, name)
        elif stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
        elif stat.S_ISREG(found.st_mode):
            _copy_file(source, target, name)
        else:
            os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
    _copy_status(source, target)


def _descend(source: int, target: int, name: str) -> None:
    os.mkdir(name, 0o700, dir_fd=target)
    resolve = Resolve.BENEATH | Resolve.NO_SYMLINKS
    inside = openat2(source, name, os.O_RDONLY | os.O_DIRECTORY, 0, resolve)
    try:
        copy = openat2(target, name, os.O_RDONLY | os.O_DIRECTORY, 0, resolve)
        try:
            _copy_directory(inside, copy)
        finally:
            os.close(copy)
    finally:
        os.close(inside)


def _copy_file(source: int, target: int, name: str) -> None:
    old = os.open(name, _READ, dir_fd=source)
    try:
        new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
        try:
            _copy_bytes(old, new)
            _copy_status(old, new)
        finally:
            os.close(new)
    finally:
        os.close(old)


def _copy_bytes(old: int, new: int) -> None:
    try:
        while os.copy_file_range(old, new, 1 << 30):
            pass
    except OSError as error:
        # Before Linux 5.19 not between all file systems.
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP):
            raise
        while os.sendfile(new, old, None, 1 << 30):
            pass


def _copy_status(old: int, new: int) -> None:
    found = os.fstat(old)
    os.fchown(new, found.st_uid, found.st_gid)
    os.fchmod(new, stat.S_IMODE(found.st_mode))  # after chown, which clears set-user-ID
    for name in os.listxattr(old):
        if name.startswith(("user.", "security.capability", "system.posix_acl")):
            os.setxattr(new, name, os.getxattr(old, name))
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))


def _marked(target: int) -> bool:
    try:
        os.getxattr(target, _MARK)
    except OSError:
        return False
    return True


def _mark(target: int) -> None:
    try:
        os.setxattr(target, _MARK, b"1")
    except PermissionError:
        pass  # in a user namespace: nobody may set trusted attributes there
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise


def _unmark(target: int) -> None:
    if _marked(target):
        os.removexattr(target, _MARK)
