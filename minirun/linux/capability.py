"""Capabilities: root's power, cut into pieces that can be dropped one by one.

Layer: linux, the bottom. A process carries five sets of them. The *bounding*
set is the ceiling of what an execve(2) can give. *Permitted* is what the process
may switch on, *effective* what is switched on. *Inheritable* and *ambient* are
what a program without set-uid bit gets across execve(2); *ambient* is the only
one that helps a user other than 0. capabilities(7) has the formula.

What python-prctl does with one system call (the bounding set), it does here. The
rest is made by hand: its ``set_caps`` reads twice before it writes, and it
does not know PR_CAP_AMBIENT (Linux 4.3). Read ``isolation/privileges.py`` next.
"""

from __future__ import annotations

import ctypes
import struct

import prctl

from minirun.errors import UsageError
from minirun.linux.flags import Numbers
from minirun.linux.libc import checked, libc, raw
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Capability(Numbers):
    """The numbers of linux/capability.h; a set of them is a mask of ``1 << number``."""

    CHOWN = 0
    DAC_OVERRIDE = 1
    DAC_READ_SEARCH = 2
    FOWNER = 3
    FSETID = 4
    KILL = 5
    SETGID = 6
    SETUID = 7
    SETPCAP = 8
    LINUX_IMMUTABLE = 9
    NET_BIND_SERVICE = 10
    NET_BROADCAST = 11
    NET_ADMIN = 12
    NET_RAW = 13
    IPC_LOCK = 14
    IPC_OWNER = 15
    SYS_MODULE = 16
    SYS_RAWIO = 17
    SYS_CHROOT = 18
    SYS_PTRACE = 19
    SYS_PACCT = 20
    SYS_ADMIN = 21
    SYS_BOOT = 22
    SYS_NICE = 23
    SYS_RESOURCE = 24
    SYS_TIME = 25
    SYS_TTY_CONFIG = 26
    MKNOD = 27
    LEASE = 28
    AUDIT_WRITE = 29
    AUDIT_CONTROL = 30
    SETFCAP = 31
    MAC_OVERRIDE = 32
    MAC_ADMIN = 33
    SYSLOG = 34
    WAKE_ALARM = 35
    BLOCK_SUSPEND = 36
    AUDIT_READ = 37
    PERFMON = 38
    BPF = 39
    CHECKPOINT_RESTORE = 40


#: Every capability by its full name, in the order of the numbers.
ALL: tuple[str, ...] = tuple(f"CAP_{one.name}" for one in Capability)

#: What a container keeps unless told otherwise; moby's and containerd's choice.
DEFAULT: tuple[str, ...] = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
)


def resolve(
    base: Iterable[str], add: Iterable[str], drop: Iterable[str], every: Iterable[str] = ALL
) -> tuple[str, ...]:
    """What docker's ``--cap-add`` and ``--cap-drop`` make of ``base``.

    ``every`` is what ALL stands for: the names that the host can give
    (``available``). Of ``base`` only those are taken; a name that was added
    by itself stays, for its lack is an error and no detail. ``add ALL`` with
    ``drop X`` is all but X; ``drop ALL`` with ``add X`` is X alone.
    Raises UsageError for unknown names, and for one that is added and dropped.
    """
    added, dropped, all_names = _asked(add), _asked(drop), tuple(every)
    if both := sorted(added & dropped):
        raise UsageError(
            f"{', '.join(both)} cannot be added and dropped at once",
            "--cap-add and --cap-drop name the same capability",
            "take it out of one of the two",
        )
    if "ALL" in added:
        result = set(all_names) | (added - {"ALL"})
    elif "ALL" in dropped:
        result = added
    else:
        result = (set(base) & set(all_names)) | added
    return tuple(name for name in ALL if name in result and name not in dropped)


def _asked(names: Iterable[str]) -> set[str]:
    """Full names, where ALL stays the word that it is."""
    given = tuple(names)
    word = {"ALL"} if any(name.upper() in ("ALL", "CAP_ALL") for name in given) else set()
    return word | set(parse(name for name in given if name.upper() not in ("ALL", "CAP_ALL")))


def parse(names: Iterable[str]) -> tuple[str, ...]:
    """Full names in the order of the numbers, from KILL, CAP_KILL, kill or ALL.

    Raises UsageError for a name that is none.
    """
    wanted: set[str] = set()
    for given in names:
        name = given.upper().removeprefix("CAP_")
        if name == "ALL":
            wanted.update(ALL)
        elif f"CAP_{name}" in ALL:
            wanted.add(f"CAP_{name}")
        else:
            raise _unknown(given, name)
    return tuple(name for name in ALL if name in wanted)


def _unknown(given: str, name: str) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(f"CAP_{name}", ALL, n=1)
    remedy = f"did you mean {near[0]}?" if near else "see capabilities(7), or say ALL"
    return UsageError(f"{given!r} is not a capability", "the kernel has none of that name", remedy)


def available(user_namespace: bool = False) -> tuple[str, ...]:
    """The names that a container can get here: what --privileged and ALL mean.

    A process in a new user namespace starts with all of them, whatever its
    parent had (user_namespaces(7), "Capabilities").
    """
    return ALL if user_namespace else names_of(current_bounding())


def current_bounding() -> int:
    """This process's bounding set as a mask, from /proc/self/status."""
    with open("/proc/self/status", "rb") as file:
        return int(file.read().partition(b"CapBnd:")[2].split(None, 1)[0], 16)


def last_capability() -> int:
    """The highest number that the running kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        return int(file.read())


def mask_of(names: Iterable[str]) -> int:
    """The full ``names`` as a mask."""
    mask = 0
    for name in names:
        mask |= 1 << ALL.index(name)
    return mask


def names_of(mask: int) -> tuple[str, ...]:
    """The full names in ``mask``; bits without a name are left out."""
    return tuple(name for number, name in enumerate(ALL) if mask >> number & 1)


def name_of(capability: int) -> str:
    """``CAP_KILL`` for 5; the plain number for one that is newer than this file."""
    return ALL[capability] if capability < len(ALL) else str(capability)


def _show_mask(mask: int) -> str:
    """As strace would, shorter: names joined, the other way round for big sets."""
    if not mask:
        return "0"
    names = names_of(mask)
    if len(names) > len(ALL) // 2:
        lacking = [name for name in ALL if name not in names]
        return "ALL" + "".join(f"-{name}" for name in lacking)
    return "|".join(names)


def _show_capset(effective: int, permitted: int, inheritable: int) -> str:
    return (
        f"capset({{pid=0}}, {{effective={_show_mask(effective)}, "
        f"permitted={_show_mask(permitted)}, inheritable={_show_mask(inheritable)}}})"
    )


#: _LINUX_CAPABILITY_VERSION_3: two 32-bit words a set.
_HEADER = struct.pack("=Ii", 0x20080522, 0)
_LOW = 0xFFFFFFFF


@syscall("capset", show=_show_capset)
def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Sets three of this process's sets, given as masks. Giving up needs no privilege."""
    sets = (effective, permitted, inheritable)
    low, high = [mask & _LOW for mask in sets], [mask >> 32 for mask in sets]
    raw("capset", _HEADER, struct.pack("=6I", *low, *high))


def capget() -> tuple[int, int, int]:
    """This process's effective, permitted and inheritable sets as masks."""
    data = ctypes.create_string_buffer(24)
    raw("capget", _HEADER, data)
    words = struct.unpack("=6I", data.raw)
    low, high = words[:3], words[3:]
    return low[0] | high[0] << 32, low[1] | high[1] << 32, low[2] | high[2] << 32


@syscall("prctl", show=lambda one: f"prctl(PR_CAPBSET_DROP, {name_of(one)})")
def drop_bounding(capability: int) -> None:
    """Takes one capability out of the bounding set, for good. Needs CAP_SETPCAP."""
    if capability < len(ALL):
        prctl.capbset_drop(capability)
    else:  # python-prctl refuses numbers that it was not compiled with
        checked(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))


PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 24, 47, 2


@syscall(
    "prctl",
    show=lambda one: f"prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, {name_of(one)}, 0, 0)",
)
def raise_ambient(capability: int) -> None:
    """Adds one to the ambient set; it must be permitted and inheritable already."""
    arguments = (ctypes.c_ulong(word) for word in (PR_CAP_AMBIENT_RAISE, capability, 0, 0))
    checked(libc.prctl(PR_CAP_AMBIENT, *arguments))
