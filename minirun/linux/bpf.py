"""bpf(2): loads a program into the kernel and hangs it on a cgroup.

Lowest layer. The one use here is the device filter of cgroup v2, which has no
file for it: the kernel runs a BPF_PROG_TYPE_CGROUP_DEVICE program at every
open(2) and mknod(2) of a device inside the group. The program itself is
written in ``isolation/cgroups/device_filter.py``. Manual: bpf(2).
"""

from __future__ import annotations

import ctypes
import os
import struct

from minirun.linux.libc import raw
from minirun.steps import syscall

# enum bpf_cmd, bpf_prog_type and bpf_attach_type of include/uapi/linux/bpf.h
BPF_PROG_LOAD, BPF_PROG_ATTACH = 5, 8
BPF_PROG_TYPE_CGROUP_DEVICE = 15
BPF_CGROUP_DEVICE = 6
BPF_F_ALLOW_MULTI = 2

_LOG_BYTES = 1 << 16


class _Load(ctypes.Structure):
    """The members of ``union bpf_attr`` that BPF_PROG_LOAD reads."""

    _fields_ = (
        ("prog_type", ctypes.c_uint32),
        ("insn_cnt", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("log_level", ctypes.c_uint32),
        ("log_size", ctypes.c_uint32),
        ("log_buf", ctypes.c_uint64),
        ("kern_version", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_name", ctypes.c_char * 16),
    )


@syscall("bpf", show=lambda program: f"bpf(BPF_PROG_LOAD, {{CGROUP_DEVICE, {len(program) // 8} insns}})")
def load_device_filter(program: bytes) -> int:
    """Loads ``program``; the file descriptor (close-on-exec) that holds it.

    Raises OSError; if the kernel's verifier refused, its last words are in it.
    """
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"")
    attributes = _Load(
        prog_type=BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt=len(program) // 8,
        insns=ctypes.addressof(code),
        license=ctypes.addressof(licence),
        prog_name=b"minirun_devices",
    )
    try:
        return raw("bpf", BPF_PROG_LOAD, ctypes.byref(attributes), ctypes.sizeof(attributes))
    except OSError as refusal:
        # A second time with the log on: it costs, so not before it is needed.
        log = ctypes.create_string_buffer(_LOG_BYTES)
        attributes.log_level, attributes.log_size = 1, _LOG_BYTES
        attributes.log_buf = ctypes.addressof(log)
        try:
            return raw("bpf", BPF_PROG_LOAD, ctypes.byref(attributes), ctypes.sizeof(attributes))
        except OSError:
            words = log.value.decode(errors="replace").strip().splitlines()
            said = "; ".join(words[-3:])
            text = f"{os.strerror(refusal.errno or 0)}; the verifier: {said}" if said else ""
            raise OSError(refusal.errno, text or refusal.strerror) from None


@syscall("bpf", show=lambda group, program: f'bpf(BPF_PROG_ATTACH, {{"{group}", {program}, CGROUP_DEVICE}})')
def attach_device_filter(group: str, program: int) -> None:
    """Hangs a loaded program on the cgroup v2 directory ``group`` and closes it.

    The group holds the program from here on. Others that hang there or above
    are asked as well (BPF_F_ALLOW_MULTI), and all of them have to say yes.
    """
    directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # target_fd, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd
        attributes = struct.pack("=IIIII", directory, program, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI, 0)
        raw("bpf", BPF_PROG_ATTACH, ctypes.c_char_p(attributes), len(attributes))
    finally:
        os.close(directory)
        os.close(program)
