"""copy: files between the host and a container that runs, without any help from inside.

Layer: pod. kubectl has a tar of the image pack and unpack; here the container's files
are reached as the kernel shows them, at /proc/PID/root, volumes included. Whoever
lives in there is trusted with nothing:

    paths       are walked by openat2(2) with RESOLVE_IN_ROOT: links and .. stay inside
    directories are entered by descriptor, never through a link, whatever is renamed meanwhile
    files       are looked at (O_PATH) before they are opened: no pipe holds us up, no
                device is touched
    links       are made again as they are, and never followed below the first word
    owners      what comes out is the caller's, without set-user-ID bits; what goes in
                belongs to the user that the container runs as

Read ``copy_tree.py`` next; ``linux/path.py`` has openat2. See also proc(5) on /proc/PID/root, setfsuid(2).
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.errors import Conflict, InvalidInput, MinirunError, NotFound, hint, reason
from minirun.linux import credentials
from minirun.linux.path import AT_FDCWD, Resolve, openat2
from minirun.pod.copy_tree import Work
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: What of a mode comes out of a container: a program of its root shall not be one of ours.
_OUT, _IN = 0o777, 0o7777


class Side:
    """The host's files, or a container's: where paths begin, and how they are walked."""

    def __init__(self, name: str, root: int, cwd: str, resolve: Resolve, mode: int) -> None:
        self.name = name
        self.root = root
        self.cwd = cwd
        self.resolve = resolve
        self.mode = mode
        """What of a mode the files made here may have."""

    def open(self, path: str, flags: int = os.O_PATH) -> int:
        """A descriptor of ``path``; a relative one begins at the working directory."""
        return openat2(self.root, os.path.join(self.cwd, path), flags, 0, self.resolve)


def host() -> Side:
    """The caller's own files."""
    return Side("", AT_FDCWD, "", Resolve(0), _OUT)


def container(name: str, pid: int, cwd: str) -> Side:
    """The files of the container ``name``, whose first process is ``pid``."""
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return Side(f"{name}:", root, cwd, Resolve.IN_ROOT, _IN)


def become_owner(pid: int, uid: int, gid: int) -> None:
    """New files shall belong to ``uid``:``gid`` of the container of ``pid``; for good, in this process."""
    credentials.own_files_as(host_id(pid, "uid", uid), host_id(pid, "gid", gid))


def host_id(pid: int, kind: str, id: int) -> int:
    """The id of the host's behind ``id`` in the user namespace of ``pid``; user_namespaces(7)."""
    with open(f"/proc/{pid}/{kind}_map") as file:
        for line in file:
            inside, outside, count = map(int, line.split())
            if inside <= id < inside + count:
                return outside + id - inside
    raise InvalidInput(
        f"the container's {kind} {id} is nobody",
        "its user namespace has no such id, so no file can belong to it",
        "run the container as another user",
    )


def copy(source: Side, path: str, target: Side, place: str, skipped: Callable[[str, str], None]) -> None:
    """Copies ``path`` of one side to ``place`` of the other, as cp -r does; modes are kept.

    Into a directory that is there, under its own name (a path that ends in ``/.``:
    only what is in it). ``skipped`` is told of what is no file, directory or link:
    its path, and what it is. Raises NotFound, Conflict, and MinirunError for what
    the kernel does not allow.
    """
    try:
        reading = source.open(path)
    except OSError as error:
        raise _failed(f"cannot read {source.name}{path}", error) from error
    try:
        _into(source, path, reading, target, place, skipped)
    except OSError as error:
        at = f" ({error.filename})" if isinstance(error.filename, str) else ""
        what = f"cannot copy {source.name}{path} to {target.name}{place}{at}"
        raise _failed(what, error) from error
    finally:
        os.close(reading)


def _failed(what: str, error: OSError) -> MinirunError:
    if isinstance(error, FileNotFoundError):
        return NotFound(what, reason(error), "check the path; its parent has to be there")
    if error.errno == errno.EMFILE:
        return MinirunError(what, "its directories are nested too deep", "copy a part of it")
    return MinirunError(what, reason(error), hint(error))


def _into(
    source: Side, path: str, reading: int, target: Side, place: str, skipped: Callable[[str, str], None]
) -> None:
    """Finds out under which name, in which directory."""
    is_directory = stat.S_ISDIR(os.fstat(reading).st_mode)
    name = os.path.basename(path.rstrip("/"))
    only_content = name in ("", ".", "..")
    work = Work(target.mode, skipped)
    try:
        there = target.open(place)
    except FileNotFoundError:
        above, name = os.path.split(place.rstrip("/"))
        if place.endswith("/") and not is_directory:
            raise
        there = target.open(above or ".", os.O_PATH | os.O_DIRECTORY)
        only_content = False
    try:
        kind = os.fstat(there).st_mode
        if stat.S_ISDIR(kind):
            if only_content and is_directory:
                work.merge(reading, os.open(f"/proc/self/fd/{there}", os.O_RDONLY | os.O_DIRECTORY), path)
            else:
                work.copy(reading, there, name, path)
        elif is_directory:
            raise Conflict(
                f"cannot copy the directory {source.name}{path} over {target.name}{place}",
                "that is no directory",
                "name a directory, or something that is not there yet",
            )
        else:
            work.overwrite(reading, there, path)
        work.finish()
    finally:
        work.close()
        os.close(there)
