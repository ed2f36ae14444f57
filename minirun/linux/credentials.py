"""Who a process is to the kernel: its ids, its umask, and the one-way doors.

Layer: linux, the bottom. ``isolation/privileges.py`` puts these calls in the
order that the kernel's rules ask for; read it next. Capabilities have a file of
their own, ``capability.py``. credentials(7) tells the whole story.
"""

from __future__ import annotations

import errno
import os

import prctl

from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@syscall("setgroups", show=lambda groups: f"setgroups({len(groups)}, [{', '.join(map(str, groups))}])")
def setgroups(groups: Sequence[int]) -> None:
    """Replaces the supplementary groups. Needs CAP_SETGID.

    A user namespace that an unprivileged user made denies the call
    (user_namespaces(7), "The /proc/pid/setgroups file"): with no groups asked
    for, that denial is the state of things and not an error.
    """
    try:
        os.setgroups(list(groups))
    except PermissionError:
        if groups or setgroups_allowed():
            raise


def setgroups_allowed() -> bool:
    """Whether this process's user namespace lets setgroups(2) through."""
    try:
        with open("/proc/self/setgroups", "rb") as file:
            return file.read().strip() != b"deny"
    except FileNotFoundError:  # no /proc here, or no user namespaces: no denial
        return True


@syscall("setresgid", show=lambda gid: f"setresgid({gid}, {gid}, {gid})")
def setresgid(gid: int) -> None:
    """Makes ``gid`` the real, effective and saved group id. Needs CAP_SETGID."""
    _change(os.setresgid, gid)


@syscall("setresuid", show=lambda uid: f"setresuid({uid}, {uid}, {uid})")
def setresuid(uid: int) -> None:
    """Makes ``uid`` the real, effective and saved user id. Needs CAP_SETUID.

    Who leaves 0 by it loses effective and ambient capabilities (and the
    permitted ones, see ``set_keepcaps``), PR_SET_PDEATHSIG and dumpability.
    """
    _change(os.setresuid, uid)


def _change(call: Callable[[int, int, int], None], number: int) -> None:
    """Does ``call``; its EINVAL has but one meaning, which is worth saying."""
    try:
        call(number, number, number)
    except OSError as error:
        if error.errno == errno.EINVAL:
            remedy = f"map the id {number} into the user namespace"
            error.remedy = remedy  # type: ignore[attr-defined]  # steps.hint looks for it
        raise


def own_files_as(uid: int, gid: int) -> None:
    """Files that this process makes from now on belong to ``uid`` and ``gid``; it stays who it is.

    setfsuid(2) takes away the capabilities to do with files where it leaves 0: they
    are switched on again. Raises PermissionError.
    """
    from minirun.linux import capability
    from minirun.linux.libc import libc

    effective, permitted, inheritable = capability.capget()
    # Neither says whether it worked; asked with an id that nobody has, each tells the one of now.
    libc.setfsgid(gid)
    libc.setfsuid(uid)
    if (libc.setfsuid(-1), libc.setfsgid(-1)) != (uid, gid):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    capability.capset(effective, permitted, inheritable)


def ids() -> dict[str, str]:
    """The lines Uid and Gid of /proc/self/status, asked without /proc."""
    uids, gids = os.getresuid(), os.getresgid()
    # The fourth number there is the file system id, which follows the effective one.
    return {name: " ".join(map(str, (*three, three[1]))) for name, three in (("Uid", uids), ("Gid", gids))}


@syscall("umask", show=lambda mask: f"umask(0{mask:02o})")
def umask(mask: int) -> None:
    """Sets the permission bits that new files do not get."""
    os.umask(mask)


@syscall("prctl", show=lambda name: f'prctl(PR_SET_NAME, "{name}")')
def set_name(name: str) -> None:
    """What ps shows for this process; 15 bytes at most, the rest is cut off."""
    prctl.set_name(name)


@syscall("prctl", show=lambda: "prctl(PR_SET_CHILD_SUBREAPER, 1)")
def adopt_orphans() -> None:
    """From here on a descendant whose parent dies becomes a child of this process."""
    prctl.set_child_subreaper(1)


@syscall("prctl", show=lambda: "prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)")
def set_no_new_privs() -> None:
    """From here on no execve(2) gives privileges: set-uid bits and file capabilities are void."""
    prctl.set_no_new_privs(1)


@syscall("prctl", show=lambda keep: f"prctl(PR_SET_KEEPCAPS, {keep:d})")
def set_keepcaps(keep: bool) -> None:
    """Whether the permitted capabilities survive the way from user 0 to another."""
    prctl.set_keepcaps(keep)


@syscall("prctl", show=lambda dumpable: f"prctl(PR_SET_DUMPABLE, {dumpable:d})")
def set_dumpable(dumpable: bool) -> None:
    """Whether others of the same user may ptrace(2) it and look into its /proc/PID."""
    prctl.set_dumpable(dumpable)
