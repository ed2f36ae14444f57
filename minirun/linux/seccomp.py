"""seccomp: a BPF program that judges every system call of a process.

On layer ``linux``. The program sees the number, the architecture and the six arguments
(``struct seccomp_data``; not what pointers point at) and answers with a ``SeccompReturn``. Once
installed it stays, and is inherited through fork and execve. Where programs come from:
isolation/syscall_filter. seccomp(2)
"""

from __future__ import annotations

import ctypes
import errno

from minirun.linux import libc
from minirun.linux.flags import Flags, Numbers
from minirun.steps import syscall

# <linux/seccomp.h>: the operations of seccomp(2).
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_GET_ACTION_AVAIL = 2


class SeccompFlag(Flags, prefix="SECCOMP_FILTER_FLAG_"):
    """SECCOMP_FILTER_FLAG_*."""

    TSYNC = 1 << 0
    LOG = 1 << 1
    SPEC_ALLOW = 1 << 2
    NEW_LISTENER = 1 << 3
    TSYNC_ESRCH = 1 << 4
    WAIT_KILLABLE_RECV = 1 << 5


class SeccompReturn(Numbers):
    """SECCOMP_RET_*, the strictest first; the low 16 bits are free for an errno."""

    KILL_PROCESS = 0x80000000
    KILL_THREAD = 0x00000000
    TRAP = 0x00030000
    ERRNO = 0x00050000
    USER_NOTIF = 0x7FC00000
    TRACE = 0x7FF00000
    LOG = 0x7FFC0000
    ALLOW = 0x7FFF0000


class _SockFprog(ctypes.Structure):
    """struct sock_fprog of <linux/filter.h>: 8 bytes an instruction."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _shown(program: bytes, flags: SeccompFlag) -> str:
    return f"seccomp(SECCOMP_SET_MODE_FILTER, {flags}, <{len(program) // 8} instructions>)"


@syscall("seccomp", show=_shown)
def install(program: bytes, flags: SeccompFlag) -> int:
    """Has the calling process filtered by ``program`` from here on, for ever.

    Needs no_new_privs or CAP_SYS_ADMIN (EACCES without). The result is 0, or a descriptor with
    NEW_LISTENER.
    """
    fprog = _SockFprog(len(program) // 8, program)
    result = libc.raw("seccomp", SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(fprog))
    if result > 0 and not flags & SeccompFlag.NEW_LISTENER:
        # TSYNC names the thread that could not follow, and nothing is installed: seccomp(2).
        raise OSError(errno.ESRCH, f"thread {result} cannot take over the filter")
    return result


def action_available(name: str) -> bool:
    """Whether the kernel knows SECCOMP_RET_``name``. Asks for no privilege."""
    action = ctypes.c_uint32(SeccompReturn[name])
    try:
        libc.raw("seccomp", SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(action))
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            return False
        raise
    return True
