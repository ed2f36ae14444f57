"""Resource limits of a process: getrlimit(2) names them, prlimit(2) sets them.

Layer: linux, the bottom. Each has a soft value, which bites, and a hard one,
to which the process may raise the soft one. ``isolation/rlimits.py`` is next.
"""

from __future__ import annotations

import ctypes
import struct

from minirun.linux.flags import Numbers
from minirun.linux.libc import checked, libc
from minirun.steps import syscall


class Rlimit(Numbers):
    """The numbers of asm-generic/resource.h (x86, arm, riscv, s390, powerpc)."""

    CPU = 0
    FSIZE = 1
    DATA = 2
    STACK = 3
    CORE = 4
    RSS = 5
    NPROC = 6
    NOFILE = 7
    MEMLOCK = 8
    AS = 9
    LOCKS = 10
    SIGPENDING = 11
    MSGQUEUE = 12
    NICE = 13
    RTPRIO = 14
    RTTIME = 15


#: "No limit", as the kernel and OCI write it. -1 means the same here.
INFINITY = 0xFFFFFFFFFFFFFFFF


def shown(value: int) -> str:
    """``1024``, or ``unlimited``."""
    return "unlimited" if _unlimited(value) else str(value)


def _show(which: Rlimit, soft: int, hard: int) -> str:
    words = ("RLIM64_INFINITY" if _unlimited(value) else str(value) for value in (soft, hard))
    return "prlimit(0, RLIMIT_{}, {{rlim_cur={}, rlim_max={}}}, NULL)".format(which.name, *words)


@syscall("prlimit64", "prlimit(2)", show=_show)
def set_limit(which: Rlimit, soft: int, hard: int) -> None:
    """Limits this process. A hard limit can be raised with CAP_SYS_RESOURCE only."""
    # Not by the module resource: inside the container there is no Python to import it from.
    checked(libc.prlimit(0, int(which), struct.pack("=QQ", soft & INFINITY, hard & INFINITY), None))


def get_limit(which: Rlimit) -> tuple[int, int]:
    """This process's soft and hard limit; INFINITY is unlimited."""
    answer = ctypes.create_string_buffer(16)
    checked(libc.prlimit(0, int(which), None, answer))
    soft, hard = struct.unpack("=QQ", answer.raw)
    return soft, hard


def _unlimited(value: int) -> bool:
    return value < 0 or value >= INFINITY
