"""Changing what the store knows: its directories, locks, records and names.

Layer ``image``. Every change is a rename(2) of something finished. Who changes
names or records holds ``lock`` for that moment; who adds blobs and layers
holds ``intake.lock``, shared, for as long as it takes, and who removes them
must have it alone. Read ``remove.py`` next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from minirun.errors import InvalidInput, MinirunError
from minirun.image import records, store
from minirun.image.streams import write_all
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.image.records import Record


@contextlib.contextmanager
def changing(root: str) -> Iterator[None]:
    """Whoever changes names or records does it in here, one after the other."""
    prepare(root)
    fd = locked(f"{root}/images/lock", fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


def write_record(root: str, record: Record) -> None:
    """Puts a record in its place; the caller is ``changing``."""
    temporary = f"{root}/images/records/{store.TEMPORARY}{record.id}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write_all(fd, records.pack(record))
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, f"{root}/images/records/{record.id}")


def write_name(root: str, name: str, id: str) -> None:
    """Points a name (in its local form) to the record ``id``; the caller is ``changing``."""
    path = store.name_path(root, name)
    if len(os.path.basename(path)) > 255:
        raise InvalidInput(f"the image name {name!r} is too long", "a file name has 255 bytes", "shorten it")
    temporary = f"{root}/images/names/{store.TEMPORARY}{os.urandom(8).hex()}"
    os.symlink(f"../records/{id}", temporary)
    os.rename(temporary, path)


def prepare(root: str) -> None:
    """Makes the store's directories.

    Names and records are for everybody to read, as `explain` needs no root;
    layers are not, for a set-user-ID program in an image is not one of the host.
    """
    try:
        for place, mode in (("names", 0o755), ("records", 0o755), ("blobs/sha256", 0o755)):
            os.makedirs(f"{root}/images/{place}", mode, exist_ok=True)
        os.makedirs(f"{root}/layers", 0o700, exist_ok=True)
    except OSError as error:
        raise disk_error(error, f"cannot use the image store {root}/images") from error


def locked(path: str, how: int) -> int:
    """A file descriptor that holds the flock(2) ``how`` on the file ``path`` until it is closed."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, how)
    except BaseException:
        os.close(fd)
        raise
    return fd


def try_exclusive_intake(root: str) -> int:
    """The lock that keeps intakes out, as a file descriptor; -1 while one is under way."""
    try:
        return locked(f"{root}/images/intake.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return -1


def disk_error(error: OSError, what: str) -> MinirunError:
    """``error`` of the host's disk in words a user can act on."""
    reason = error.strerror or str(error)
    why = f"{reason}: {os.fsdecode(error.filename)}" if error.filename else reason
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space there (`minirun rmi`, `minirun gc`), or choose another place with --root"
    elif error.errno in (errno.EACCES, errno.EPERM):
        remedy = "run it as root, or choose another place with --root"
    elif error.errno == errno.ENOTSUP:
        remedy = "the file system of --root lacks what layers need: extended attributes, O_TMPFILE"
    else:
        remedy = "look at the disk and at `dmesg`"
    return MinirunError(what, why, remedy)
