"""Who executes the guest's instructions: the processor (KVM), or QEMU in its stead (TCG).

Layer ``vm``. KVM lets the guest run on the processor itself; without it QEMU
translates every instruction, some ten times slower, and everything else stays
the same. That /dev/kvm opens is not enough: on some hosts, which are guests
themselves, it runs a few instructions of real mode and no distribution's
kernel. See Documentation/virt/kvm/api.rst. Read ``machine.py`` next.
"""

from __future__ import annotations

import fcntl
import os

from minirun.errors import Unsupported, reason

_KVM_GET_API_VERSION, _KVM_CREATE_VM = 0xAE00, 0xAE01
_API_VERSION = 12


def choose(wanted: str, device: str = "/dev/kvm", modules: str = "/sys/module") -> str:
    """``kvm`` or ``tcg``. Raises Unsupported where ``kvm`` was asked for and does not work."""
    if wanted == "tcg":
        return "tcg"
    problem = why_not(device, modules)
    if not problem:
        return "kvm"
    if wanted == "kvm":
        raise Unsupported(
            "KVM cannot be used here", problem, "leave --accel kvm out: QEMU emulates the processor then"
        )
    return "tcg"


def why_not(device: str = "/dev/kvm", modules: str = "/sys/module") -> str:
    """Why KVM cannot be used, "" if it can: found by making a virtual machine, and looking at whose it is."""
    try:
        kvm = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"cannot open {device}: {reason(error)}"
    try:
        if fcntl.ioctl(kvm, _KVM_GET_API_VERSION) != _API_VERSION:
            return f"{device} speaks another version of KVM's API"
        os.close(fcntl.ioctl(kvm, _KVM_CREATE_VM, 0))
    except OSError as error:
        return f"{device} makes no virtual machine: {reason(error)}"
    finally:
        os.close(kvm)
    if not any(os.path.isdir(f"{modules}/{name}") for name in ("kvm_intel", "kvm_amd")):
        return f"{device} is there without VT-x or AMD-V below it (neither kvm_intel nor kvm_amd is loaded)"
    return ""
