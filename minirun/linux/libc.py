"""The way into the kernel: one place where numbers and pointers are met.

``raw`` makes a system call by number, as syscall(2) does; what glibc does not
wrap (clone3, pivot_root, openat2, mount_setattr ...) has no other way in.
The GIL stays held during a call (``PyDLL``): minirun has one thread, and a
process made by clone3 comes back into an interpreter that is as it was left.
"""

from __future__ import annotations

import ctypes
import os

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

#: System call numbers that are the same on every architecture (all calls
#: added since Linux 5.1 are: include/uapi/asm-generic/unistd.h).
GENERIC = {
    "pidfd_send_signal": 424,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "clone3": 435,
    "close_range": 436,
    "openat2": 437,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
    "listmount": 458,
}

#: Those that differ: the older calls that glibc has no wrapper for.
_BY_MACHINE = {
    "x86_64": {
        "pivot_root": 155,
        "seccomp": 317,
        "bpf": 321,
        "capset": 126,
        "capget": 125,
        "keyctl": 250,
        "rt_sigaction": 13,
    },
    "aarch64": {
        "pivot_root": 41,
        "seccomp": 277,
        "bpf": 280,
        "capset": 91,
        "capget": 90,
        "keyctl": 219,
        "rt_sigaction": 134,
    },
}

NUMBERS: dict[str, int] = {**GENERIC, **_BY_MACHINE.get(os.uname().machine, {})}


def raw(name: str, *args: Any) -> int:
    """Makes the system call ``name``; its result, or OSError with its errno."""
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *[_word(arg) for arg in args])
    return checked(result)


def checked(result: int, *paths: str) -> int:
    """``result``, or the OSError that errno stands for, with the paths it is about."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *_both(paths))
    return int(result)


def text(path: str | None) -> bytes | None:
    """A path as the C string that the kernel reads."""
    return None if path is None else os.fsencode(path)


def _word(arg: Any) -> Any:
    # An int goes into a whole register: ctypes would pass it as a 32-bit int.
    return ctypes.c_ulong(int(arg) & 0xFFFFFFFFFFFFFFFF) if isinstance(arg, int) else arg


def _both(paths: tuple[str, ...]) -> tuple[Any, ...]:
    # OSError(errno, text, filename, None, filename2)
    if len(paths) < 2:
        return paths
    return (paths[0], None, paths[1])
