"""libseccomp, asked as runc asks it: an OCI profile in, a BPF program out.

The oracle that our compiler is compared with; nothing of minirun uses it. Rules are added as
runc's libcontainer/seccomp does it (redundant ones skipped, repeated arguments split).
"""

from __future__ import annotations

import ctypes
import errno
import os

from minirun.spec import Seccomp

OPERATORS = {"NE": 1, "LT": 2, "LE": 3, "EQ": 4, "GE": 5, "GT": 6, "MASKED_EQ": 7}
ACTIONS = {
    "KILL_PROCESS": 0x80000000,
    "KILL_THREAD": 0,
    "KILL": 0,
    "TRAP": 0x00030000,
    "ERRNO": 0x00050000,
    "TRACE": 0x7FF00000,
    "LOG": 0x7FFC0000,
    "ALLOW": 0x7FFF0000,
}
TOKENS = {
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X32": 0x4000003E,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
    "SCMP_ARCH_ARM": 0x40000028,
    "SCMP_ARCH_RISCV64": 0xC00000F3,
    "SCMP_ARCH_PPC64LE": 0xC0000015,
}


CTL_OPTIMIZE = 8  # SCMP_FLTATR_CTL_OPTIMIZE of <seccomp.h>


class _Compare(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def library() -> ctypes.CDLL | None:
    """libseccomp, where it is installed."""
    try:
        loaded = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None
    loaded.seccomp_init.restype = ctypes.c_void_p
    loaded.seccomp_init.argtypes = (ctypes.c_uint32,)
    loaded.seccomp_release.argtypes = (ctypes.c_void_p,)
    loaded.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    loaded.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    loaded.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_void_p,
    )
    loaded.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    return loaded


def action(name: str, errno_ret: int | None) -> int:
    """libseccomp's value of an OCI action."""
    short = name.removeprefix("SCMP_ACT_")
    data = (errno.EPERM if errno_ret is None else errno_ret) if short in ("ERRNO", "TRACE") else 0
    return ACTIONS[short] | data


def compiled(profile: Seccomp, binary_tree: bool = False) -> bytes:
    """The filter libseccomp makes, for this machine's architecture and those of the profile."""
    loaded = library()
    assert loaded is not None
    default = action(profile.defaultAction, profile.defaultErrnoRet)
    context = loaded.seccomp_init(default)
    try:
        if binary_tree:
            _checked(loaded.seccomp_attr_set(context, CTL_OPTIMIZE, 2))
        for name in profile.architectures:
            _checked(loaded.seccomp_arch_add(context, TOKENS[name]), -errno.EEXIST)
        for rule in profile.syscalls:
            wanted = action(rule.action, rule.errnoRet)
            if wanted == default:
                continue
            split = len({arg.index for arg in rule.args}) < len(rule.args)
            groups = [(arg,) for arg in rule.args] if split else [rule.args]
            for name in rule.names:
                number = loaded.seccomp_syscall_resolve_name(name.encode())
                if number == -1:
                    continue
                for group in groups:
                    compares = [
                        _Compare(arg.index, OPERATORS[arg.op[len("SCMP_CMP_") :]], arg.value, arg.valueTwo)
                        for arg in group
                    ]
                    array = (_Compare * max(len(compares), 1))(*compares)
                    result = loaded.seccomp_rule_add_array(context, wanted, number, len(compares), array)
                    _checked(result, -errno.EEXIST, -errno.EFAULT, -errno.EDOM)
        return _exported(loaded, context)
    finally:
        loaded.seccomp_release(context)


def _exported(loaded: ctypes.CDLL, context: int) -> bytes:
    descriptor = os.memfd_create("filter")
    try:
        _checked(loaded.seccomp_export_bpf(context, descriptor))
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, 8 * 65536)
    finally:
        os.close(descriptor)


def _checked(result: int, *fine: int) -> None:
    if result < 0 and result not in fine:
        raise OSError(-result, os.strerror(-result))
