"""What a run of anatomy.py leaves: records of its exits, live or from another day.

Layer ``vm``. Where KVM is missing, ``recorded`` gives the run that is kept in
anatomy_recorded.json: what ``minirun vm anatomy --json`` printed once on a host
that has KVM, word for word but for ``recorded``, which says so.
"""

from __future__ import annotations

import errno
import os
import stat

from minirun.errors import InvalidInput, reason
from minirun.values import Value, decode, replace

_FILE = os.path.join(os.path.dirname(__file__), "anatomy_recorded.json")


class Exit(Value):
    """One return from the guest, and what the host made of it."""

    number: int
    reason: str
    """As in KVM_EXIT_..., or a number."""
    access: str
    """``in``, ``out`` (a port), ``read``, ``write`` (where no memory is), or empty."""
    address: int | None
    """The port, or the guest's physical address."""
    data: str
    """The bytes that were written, or given as an answer, in hexadecimal."""
    rip: int
    """Where the guest stood: at the instruction that trapped or, where KVM steps over it at once, behind."""
    host: str


class Run(Value):
    """The life of a guest, from its first instruction to its last exit."""

    recorded: bool = False
    why: str = ""
    """Why it was not made live."""
    driver: str
    registers_before: dict[str, int]
    exits: tuple[Exit, ...]
    registers_after: dict[str, int]

    @property
    def halted(self) -> bool:
        """Whether the guest came to its own end."""
        return any(one.reason == "HLT" for one in self.exits)


def recorded(why: str) -> Run:
    """The run that was recorded. Raises InvalidInput for a damaged file."""
    try:
        with open(_FILE, "rb") as file:
            run = decode(file.read(), Run, _FILE)
    except OSError as error:
        raise InvalidInput(
            "the recorded run cannot be read", reason(error), "install minirun anew"
        ) from error
    return replace(run, recorded=True, why=why)


def driver() -> str:
    """The module of the kernel below /dev/kvm: kvm_intel (on VT-x), kvm_amd (on AMD-V) or another."""
    known = ("kvm_intel", "kvm_amd", "kvm_pvm")
    return next((name for name in known if os.path.isdir(f"/sys/module/{name}")), "kvm")


def why_not(device: str, error: OSError) -> str:
    """Why there is no virtual machine on ``device``, in a sentence."""
    opened = error.filename is None  # an ioctl names no file
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"there is no {device}: this kernel has no KVM, or the machine it runs in hides it"
        case errno.ENODEV | errno.ENXIO if not opened:
            return f"there is no driver behind {device}: the processor has no VT-x or AMD-V, or it is off"
        case errno.EACCES | errno.EPERM if not opened:
            return f"{device} may not be opened{_who_may(device)}"
        case errno.EBUSY if opened:
            return f"{device} is busy: another hypervisor holds the processor"
        case errno.ENOTTY if opened:
            return f"{device} is not KVM's"
    return f"{device} opens, but KVM refuses: {reason(error)}" if opened else reason(error)


def _who_may(device: str) -> str:
    import grp
    import pwd

    try:
        status = os.stat(device)
        user, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return ""
    owners = f"{stat.filemode(status.st_mode)} {user}:{group}"
    if os.access(device, os.R_OK | os.W_OK):
        return f" ({owners}): a cgroup for devices, or a security module, is in the way"
    if status.st_mode & 0o060 == 0o060:
        return f" ({owners}): as root, `usermod -aG {group} USER`, and log in anew"
    return f" ({owners}): only {user} may"
