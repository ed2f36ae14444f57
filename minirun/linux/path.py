"""Paths that an image or a user wrote, resolved without leaving their root.

Layer linux/. An image may hold any symlink it likes, ``/etc -> /`` or
``/data -> ../../../tmp``. openat2(2) with ``RESOLVE_IN_ROOT`` treats a
directory as if it were ``/``: absolute links and ``..`` stay inside, and the
kernel checks it on the way, so nobody wins a race. Everything that is made or
mounted inside a root file system goes through here. Read mount.py next.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from minirun.linux import libc
from minirun.linux.flags import Flags
from minirun.steps import syscall

AT_FDCWD = -100


class Resolve(Flags, prefix="RESOLVE_"):
    """How openat2(2) walks the path; include/uapi/linux/openat2.h."""

    NO_XDEV = 0x01
    NO_MAGICLINKS = 0x02
    NO_SYMLINKS = 0x04
    BENEATH = 0x08
    IN_ROOT = 0x10
    CACHED = 0x20


@syscall("openat2")
def openat2(dirfd: int, path: str, flags: int, mode: int = 0, resolve: Resolve = Resolve.IN_ROOT) -> int:
    """Opens ``path`` below ``dirfd``; a new file descriptor, close-on-exec.

    Raises OSError with ``path``: EXDEV where the path would leave the root
    (``BENEATH``), ELOOP at a forbidden link, EAGAIN after a rename that the
    kernel could not follow eight times.
    """
    # struct open_how: flags, mode, resolve; EINVAL where mode comes without O_CREAT.
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(8):
        try:
            return libc.raw("openat2", dirfd, libc.text(path), how, len(how))
        except OSError as error:
            # A rename on the way: the kernel asks to try again, see openat2(2).
            if error.errno != errno.EAGAIN:
                raise OSError(error.errno, error.strerror, path) from None
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def open_or_make(
    root: int,
    path: str,
    directory: bool,
    mode: int = 0o755,
    resolve: Resolve = Resolve.IN_ROOT,
    links: int = 8,
) -> int:
    """An O_PATH descriptor of ``path`` inside ``root``, made where it is missing.

    Missing parents become directories of ``mode``; the last part becomes a
    directory or an empty file. Of a link that leads to nothing the target is
    made, inside ``root`` too, up to ``links`` of them. Raises ENOTDIR or EISDIR (with ``path``) where
    something of the other kind is in the way.
    """
    try:
        found = openat2(root, path, os.O_PATH, 0, resolve)
    except FileNotFoundError:
        found = _make(root, path, directory, mode, resolve, links)
    if stat.S_ISDIR(os.fstat(found).st_mode) != directory:
        os.close(found)
        number = errno.ENOTDIR if directory else errno.EISDIR
        raise OSError(number, os.strerror(number), path)
    return found


def _make(root: int, path: str, directory: bool, mode: int, resolve: Resolve, links: int) -> int:
    parent, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    above = open_or_make(root, parent or "/", True, mode, resolve, links)
    leads_to = ""
    umask = os.umask(0)  # the caller's umask is for the caller's files
    try:
        if directory:
            os.mkdir(name, mode, dir_fd=above)
        else:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=above))
    except FileExistsError:
        leads_to = _link_at(above, name)
    finally:
        os.umask(umask)
        os.close(above)
    if leads_to and links:
        place = leads_to if leads_to.startswith("/") else f"{parent}/{leads_to}"
        return open_or_make(root, place, directory, mode, resolve, links - 1)
    return openat2(root, path, os.O_PATH, 0, resolve)


def _link_at(directory: int, name: str) -> str:
    """Where the link ``name`` leads; empty if it is no link (but made by another meanwhile)."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return ""


def _show_make(path: str, mode: int) -> str:
    return f'mkdir("{path}", {mode:#o})'


@syscall("mkdir", show=_show_make)
def make_directory(path: str, mode: int) -> bool:
    """Makes ``path`` and its missing parents; False if it was there already."""
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
        return False
    except FileNotFoundError:
        make_directory(os.path.dirname(path), 0o755)
        os.mkdir(path, mode)
    os.chmod(path, mode)  # whatever the umask was
    return True


@syscall("mkdir", show=_show_make)
def make_missing(path: str, mode: int) -> bool:
    """Makes the directory ``path`` unless something is there: a file can be mounted, too. Whether it did."""
    return not os.path.exists(path) and make_directory(path, mode)


@syscall("unlinkat", show=lambda path, made: f'unlinkat("{path}" with all below, if it was made)')
def remove_made(path: str, made: bool) -> None:
    """Takes make_directory back: removes ``path`` only if that call made it."""
    if made:
        remove_tree(path)


@syscall("rmdir", show=lambda path, made: f'rmdir("{path}", if it was made)')
def remove_empty(path: str, made: bool) -> None:
    """Takes make_directory back where others may have put files meanwhile."""
    if made:
        os.rmdir(path)


@syscall("unlinkat", show=lambda path: f'unlinkat("{path}" with all below)')
def remove_tree(path: str) -> None:
    """Removes ``path`` and everything below it; what is gone already is fine.

    A container wrote it, so nothing in it is trusted: links are not followed,
    and no depth of directories costs more descriptors or stack than another.
    Raises OSError (EXDEV or EBUSY, with the path) where something is mounted
    below it, which is neither entered nor unmounted.
    """
    try:
        os.unlink(path)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        pass  # a directory: EISDIR on Linux, EPERM in POSIX
    parent, name = os.path.split(os.path.abspath(path))
    above = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        top = _enter(above, name)
        try:
            remove_below(top)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=above)
    except FileNotFoundError:
        pass  # another remover was faster
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(above)


def remove_below(top: int) -> None:
    """Empties the directory ``top``: each one in it first gives its own directories to ``top``."""
    number = 0
    secret = os.urandom(8).hex()
    while names := os.listdir(top):
        for name in names:
            if _unlink(top, name):
                continue
            inside = _enter(top, name)
            try:
                for entry in os.listdir(inside):
                    if not _unlink(inside, entry):
                        number += 1
                        os.rename(entry, f".{secret}{number}", src_dir_fd=inside, dst_dir_fd=top)
            finally:
                os.close(inside)
            os.rmdir(name, dir_fd=top)


def _unlink(directory: int, name: str) -> bool:
    """Removes ``name`` unless it is a directory."""
    try:
        os.unlink(name, dir_fd=directory)
    except (IsADirectoryError, PermissionError):
        return False
    except FileNotFoundError:
        pass
    return True


def _enter(above: int, name: str) -> int:
    """The directory ``name`` itself: not what a link there points to, not what is mounted there."""
    resolve = Resolve.BENEATH | Resolve.NO_SYMLINKS | Resolve.NO_XDEV
    try:
        return openat2(above, name, os.O_RDONLY | os.O_DIRECTORY, 0, resolve)
    except PermissionError:
        # overlayfs keeps its ``work/work`` at mode 0; root reads it, an owner has to chmod.
        found = openat2(above, name, os.O_PATH | os.O_DIRECTORY, 0, resolve)
        try:
            os.chmod(f"/proc/self/fd/{found}", 0o700)
        finally:
            os.close(found)
        return openat2(above, name, os.O_RDONLY | os.O_DIRECTORY, 0, resolve)


@syscall("open", show=lambda path: f'open("{path}", O_PATH|O_DIRECTORY|O_CLOEXEC)')
def open_directory(path: str) -> int:
    """A descriptor that stands for the directory ``path`` in later calls."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


@syscall("chdir", show=lambda path: f'chdir("{path}")')
def change_directory(path: str) -> None:
    """Makes ``path`` the working directory."""
    os.chdir(path)


@syscall("fchdir", "chdir(2)", show=lambda directory: f"fchdir({directory})")
def change_to(directory: int) -> None:
    """Makes the open ``directory`` the working directory."""
    os.fchdir(directory)


def _show_symlink(root: object, text: str, path: str) -> str:
    return f'symlinkat("{text}", {root}, "{path}")'


@syscall("symlinkat", show=_show_symlink)
def make_symlink(root: int, text: str, path: str) -> None:
    """Makes the link ``path`` inside ``root``; another link in its place is replaced.

    Raises EEXIST where the image has a file or a directory of that name.
    """
    parent, _, name = path.rpartition("/")
    above = open_or_make(root, parent or "/", True)
    try:
        try:
            if os.readlink(name, dir_fd=above) == text:
                return
            os.unlink(name, dir_fd=above)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL):  # EINVAL: there, and no link
                raise
        os.symlink(text, name, dir_fd=above)
    finally:
        os.close(above)
