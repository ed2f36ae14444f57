"""Namespaces: what a process sees. clone3(2) makes them, setns(2) joins one.

Layer ``linux``. Read ``isolation/namespaces.py`` next, which decides which of
the eight a container gets. See namespaces(7).
"""

from __future__ import annotations

import os

from minirun.linux import mount
from minirun.linux.flags import Flags
from minirun.linux.libc import checked, libc
from minirun.linux.mount import MountFlag, UmountFlag
from minirun.steps import syscall


class CloneFlag(Flags, prefix="CLONE_"):
    """The CLONE_* flags of <linux/sched.h> that minirun uses."""

    NEWTIME = 0x00000080
    PARENT = 0x00008000
    NEWNS = 0x00020000
    NEWCGROUP = 0x02000000
    NEWUTS = 0x04000000
    NEWIPC = 0x08000000
    NEWUSER = 0x10000000
    NEWPID = 0x20000000
    NEWNET = 0x40000000
    INTO_CGROUP = 0x200000000


#: OCI's word for a namespace -> (the flag, its file in /proc/PID/ns).
KINDS: dict[str, tuple[CloneFlag, str]] = {
    "user": (CloneFlag.NEWUSER, "user"),
    "mount": (CloneFlag.NEWNS, "mnt"),
    "uts": (CloneFlag.NEWUTS, "uts"),
    "ipc": (CloneFlag.NEWIPC, "ipc"),
    "network": (CloneFlag.NEWNET, "net"),
    "pid": (CloneFlag.NEWPID, "pid"),
    "cgroup": (CloneFlag.NEWCGROUP, "cgroup"),
    "time": (CloneFlag.NEWTIME, "time"),
}


@syscall("setns")
def join(path: str, flag: CloneFlag) -> None:
    """Moves the caller into the namespace that the file ``path`` stands for.

    Joining a PID or time namespace moves the children made from now on, not
    the caller. Raises OSError with ``path``.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked(libc.setns(fd, int(flag)), path)
    finally:
        os.close(fd)


@syscall("open", show=lambda path: f'open("{path}", O_RDONLY|O_CLOEXEC)')
def open_namespace(path: str) -> int:
    """A descriptor of a namespace, which it keeps alive, and by which one can return to it."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


@syscall("setns")
def join_process(pidfd: int, flags: CloneFlag) -> None:
    """Moves the caller into several namespaces of a process at once (Linux 5.8), or into an open one."""
    checked(libc.setns(pidfd, int(flags)))


@syscall("mount", show=lambda source, path: f'mount("{source}", "{path}", NULL, MS_BIND, NULL)')
def keep(source: str, path: str) -> None:
    """Binds the namespace's file ``source`` to ``path``, which is made: without a process it lives on.

    It has the same name for whoever works with it, too, as long as the mount is there.
    """
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o400))
    mount.mount(source, path, None, MountFlag.BIND, None)


@syscall("umount2", show=lambda path: f'umount2("{path}", MNT_DETACH)')
def let_go(path: str) -> None:
    """Takes ``keep`` back, and removes the file; gone already is fine."""
    if is_kept(path):
        mount.umount2(path, UmountFlag.MNT_DETACH | UmountFlag.UMOUNT_NOFOLLOW)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def is_kept(path: str) -> bool:
    """Whether a namespace is bound to ``path``: then it is a file of nsfs's, not of its directory's."""
    try:
        return os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev
    except FileNotFoundError:
        return False


@syscall("unshare")
def unshare(flags: CloneFlag) -> None:
    """Gives the caller new namespaces of its own; see unshare(2)."""
    checked(libc.unshare(int(flags)))


@syscall("sethostname")
def sethostname(name: str) -> None:
    """Names the caller's UTS namespace; at most 64 bytes."""
    raw = os.fsencode(name)
    checked(libc.sethostname(raw, len(raw)))


@syscall("setdomainname")
def setdomainname(name: str) -> None:
    """Sets the NIS domain name of the caller's UTS namespace."""
    raw = os.fsencode(name)
    checked(libc.setdomainname(raw, len(raw)))


def inodes(pid: int | str) -> dict[str, int]:
    """The inode of each namespace of ``pid``, by OCI's word: equal = shared.

    A namespace that this kernel lacks is left out. Raises OSError when the
    process is gone or not ours to look at.
    """
    found = {}
    for kind, (_, name) in KINDS.items():
        try:
            found[kind] = os.stat(f"/proc/{pid}/ns/{name}").st_ino
        except FileNotFoundError:
            if not os.path.exists(f"/proc/{pid}"):
                raise
    return found
