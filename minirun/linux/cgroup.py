"""The doors to the cgroup file systems: a directory is a group, a file is a knob.

Lowest layer, no decisions. The kernel has no system call for cgroups: mkdir(2)
makes one, write(2) sets a limit or moves a process, rmdir(2) removes one.
What it answers to a write is one errno, so the reasons that errno can have
stand here, beside the write. Manual: cgroups(7). Read
``isolation/cgroups`` next, for which of them are made and written.
"""

from __future__ import annotations

import errno
import os
import time

from minirun.steps import syscall

#: The extended attribute of a group that was made on the way to a container's.
SHARED = "user.minirun"

#: How long rmdir waits for processes that have died and not left yet, in seconds.
PATIENCE = 1.0


@syscall("mkdir")
def mkdir_parent(path: str) -> None:
    """Makes a group that containers share, such as ``minirun``; it may exist.

    One that is made is marked, so that it can go with the last container: see
    ``is_shared``. Without the mark, on a kernel that takes none, it stays.
    """
    try:
        os.mkdir(path, 0o755)
        os.setxattr(path, SHARED, b"")
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM) or not os.path.isdir(path):
            raise


def is_shared(path: str) -> bool:
    """Whether containers share this group and minirun made it, not somebody else who needs it."""
    if os.path.basename(path) == "minirun":
        return True
    try:
        return SHARED in os.listxattr(path)
    except OSError:
        return False


def is_gone(error: OSError) -> bool:
    """Whether a call failed because a group on its way was removed meanwhile."""
    return error.errno in (errno.ENOENT, errno.ENODEV)


@syscall("mkdir")
def mkdir(path: str) -> None:
    """Makes a container's own group. Raises FileExistsError if there is one.

    Not even an empty one is taken over: it may be another's, who is about to
    enter, and a limit left there by an earlier life would hold on.
    """
    try:
        os.mkdir(path, 0o755)
    except OSError as error:
        raise _explained(error, _remedy("", error.errno)) from None


@syscall("rmdir")
def rmdir(path: str) -> None:
    """Removes a group; one that is gone is fine. Raises OSError (EBUSY) if it is in use.

    A process that was waited for leaves its group a moment after wait(2) has
    returned, so EBUSY is asked again, for up to PATIENCE seconds.
    """
    deadline = time.monotonic() + PATIENCE
    pause = 0.0001
    while True:
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline or children(path):
                raise
            time.sleep(pause)  # the kernel lets go of the dead a little later, and says nothing
            pause = min(pause * 2, 0.02)
        else:
            return


@syscall("write", "cgroups(7)")
def write(path: str, text: str) -> None:
    """Writes ``text`` to a group's file in one write(2), which is one command.

    Raises OSError; ``remedy`` on it says what the errno means for this file.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
    except OSError as error:
        raise _explained(error, _remedy(os.path.basename(path), error.errno)) from None


@syscall("write", "cgroups(7)", show=lambda group: f'write("{group}/memory.low", <sum of the groups in it>)')
def sum_memory_low(group: str) -> str:
    """Writes the memory.low of all groups directly in ``group`` to its own; the text.

    Locked, for the groups of two containers may be made or removed at once.
    """
    directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        import fcntl

        fcntl.flock(directory, fcntl.LOCK_EX)
        below = [read(f"{each}/memory.low") or "0" for each in children(group)]
        text = "max" if "max" in below else str(sum(map(int, below)))
        write(f"{group}/memory.low", text)
        return text
    finally:
        os.close(directory)


def read(path: str) -> str:
    """The text of a group's file; empty if there is no such file or group."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().decode().strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):  # removed while we read; not a domain
            return ""
        raise


def children(path: str) -> list[str]:
    """The groups directly below ``path``."""
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _explained(error: OSError, remedy: str) -> OSError:
    if remedy:
        error.remedy = remedy  # type: ignore[attr-defined]  # steps.hint looks for it
    return error


def _remedy(file: str, number: int | None) -> str:
    if known := _REMEDIES.get((file, number or 0)):
        return known
    if number == errno.EROFS:
        return "this host mounts its cgroups read-only: mount them read-write"
    if number == errno.EEXIST:
        return "another container is there (choose another cgroupsPath), or a left-over: `minirun gc`"
    if number == errno.ENOENT and file.startswith("memory.swap"):
        return "the kernel does not account swap: leave the swap limit out, or boot with swapaccount=1"
    if number == errno.ENOENT and "." in file and file != "cgroup.procs":
        return "the kernel has no such file in this group: see cgroups(7), and the kernel's cgroup-v2.rst"
    return ""


_BUSY_PARENT = (
    "move the processes of that group into a child of it: below a group that has "
    "processes of its own no controller can be enabled (cgroups(7), no internal processes)"
)
_THREADS = "a group there sorts threads, not processes: choose another (cgroups(7), thread mode)"
_CPUS = "ask only for CPUs and memory nodes that the parent group has: see `lscpu`"
_MEMSW = "swap counts memory plus swap: it may not be below the memory limit"

#: What an errno means, by file: the kernel's documentation, gathered.
_REMEDIES: dict[tuple[str, int], str] = {
    ("cgroup.subtree_control", errno.EBUSY): _BUSY_PARENT,
    ("cgroup.subtree_control", errno.ENOENT): "the parent group does not pass this controller on",
    ("cgroup.subtree_control", errno.EOPNOTSUPP): _THREADS,
    ("cgroup.procs", errno.EBUSY): _BUSY_PARENT,
    ("cgroup.procs", errno.EOPNOTSUPP): _THREADS,
    ("cgroup.procs", errno.ENOSPC): _CPUS,
    ("tasks", errno.ENOSPC): _CPUS,
    ("cpuset.cpus", errno.EINVAL): _CPUS,
    ("cpuset.cpus", errno.ERANGE): _CPUS,
    ("cpuset.cpus", errno.EACCES): _CPUS,
    ("cpuset.mems", errno.EINVAL): _CPUS,
    ("cpuset.mems", errno.ERANGE): _CPUS,
    ("cpuset.mems", errno.EACCES): _CPUS,
    ("memory.limit_in_bytes", errno.EBUSY): "the group uses more than that already",
    ("memory.limit_in_bytes", errno.EINVAL): _MEMSW,
    ("memory.memsw.limit_in_bytes", errno.EINVAL): _MEMSW,
    ("memory.memsw.limit_in_bytes", errno.EBUSY): "the group uses more than that already",
    ("cpu.max", errno.EINVAL): "the period is from 1000 to 1000000 us, the quota at least 1000 us",
    ("cpu.cfs_quota_us", errno.EINVAL): "a quota is at least 1000 us, and below the parent group's share",
    ("cpu.cfs_period_us", errno.EINVAL): "a period is from 1000 to 1000000 us",
    ("io.max", errno.ENODEV): "limit a whole disk, not a partition: see `lsblk` for MAJ:MIN",
    ("devices.allow", errno.EPERM): "the parent group is not allowed that device itself",
}
