"""What a session or an exercise cannot do without, by a word; is it here?

Layer ``learn``. The words are those of the tests (tests/needs.py) as far as
chapters use them; any other word is the name of a program. Read
``sessions.py`` next.
"""

from __future__ import annotations

import glob
import os
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from minirun.errors import Unsupported
from minirun.isolation.cgroups.layout import layout
from minirun.learn.places import PACKAGE
from minirun.linux import procfs, trial
from minirun.linux.capability import Capability, capget
from minirun.vm.kernel import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def missing(needs: Iterable[str]) -> list[str]:
    """Those of ``needs`` that this machine lacks."""
    return [need for need in needs if not _there(need)]


def require_root(why: str) -> None:
    """Raises Unsupported, with the reason, for all others."""
    if os.geteuid():
        raise Unsupported("this needs root", why, "sudo minirun learn ...; what it makes will belong to you")


@cache
def _there(need: str) -> bool:
    probe = _PROBES.get(need)
    return probe() if probe else shutil.which(need) is not None


def _filesystem(name: str) -> bool:
    with open("/proc/filesystems") as file:
        return any(line.split()[-1] == name for line in file)


def _opens(device: str) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _capability(one: Capability) -> bool:
    return bool(capget()[0] >> one & 1)


def _unfiltered() -> bool:
    """Whether we may read another's seccomp filter: PTRACE_SECCOMP_GET_FILTER of ptrace(2)."""
    filtered = procfs.status().get("Seccomp") == "2"
    restores = os.path.exists("/proc/sys/kernel/ns_last_pid")  # the kernel has it for checkpoints
    return restores and not filtered and _capability(Capability.SYS_ADMIN)


def _controller(name: str, *versions: int) -> Callable[[], bool]:
    return lambda: layout().version(name) in (versions or (1, 2))


def _unprivileged_userns() -> bool:
    """Whether anybody may make a user namespace: distributions have a switch each."""
    forbidden = (
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("kernel/unprivileged_userns_clone", "0"),
    )
    return not any(_setting(name) == value for name, value in (*forbidden, ("user/max_user_namespaces", "0")))


def _setting(name: str) -> str:
    try:
        with open(f"/proc/sys/{name}") as file:
            return file.read().strip()
    except OSError:
        return ""


def _guest_kernel() -> bool:
    """Whether `minirun vm run` has what it needs: QEMU, and a kernel that was fetched, or is the host's."""
    root = os.environ.get("MINIRUN_ROOT") or "/var/lib/minirun"
    places = (PACKAGE.parent / "build" / "bed" / "kernels", Path(root, "kernels"))
    fetched = any(any(place.glob("[0-9]*")) for place in places)
    return bool(shutil.which("qemu-system-x86_64")) and (fetched or any(map(glob.glob, HOST)))


_PROBES: dict[str, Callable[[], bool]] = {
    "root": lambda: os.geteuid() == 0,
    "x86-64": lambda: os.uname().machine == "x86_64",
    "overlay": lambda: _filesystem("overlay"),
    "cgroup1": lambda: bool(layout().v1),
    "cgroup2": lambda: bool(layout().v2),
    "cgroup2-memory": _controller("memory", 2),
    "cgroup1-memory": _controller("memory", 1),
    "cgroup2-pids": _controller("pids", 2),
    "cgroup1-pids": _controller("pids", 1),
    "memory": _controller("memory"),
    "cpu": _controller("cpu"),
    "cpuset": _controller("cpuset"),
    "pids": _controller("pids"),
    "io": _controller("io"),
    "userns": lambda: os.path.exists("/proc/self/ns/user"),
    "unprivileged-userns": _unprivileged_userns,
    "timens": lambda: os.path.exists("/proc/self/ns/time"),
    "seccomp": lambda: os.path.exists("/proc/sys/kernel/seccomp"),
    "seccomp-get-filter": _unfiltered,
    "int80": trial.calls_by_int80,
    "apparmor": lambda: os.path.exists("/sys/kernel/security/apparmor"),
    "guest-kernel": _guest_kernel,
    "kvm": lambda: _opens("/dev/kvm"),
    "CAP_SYS_RESOURCE": lambda: _capability(Capability.SYS_RESOURCE),
}
#: The words that stand for something else than a program.
WORDS = frozenset(_PROBES)
