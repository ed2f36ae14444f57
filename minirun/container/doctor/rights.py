"""The doctor on rights: root, its capabilities, seccomp, the security modules."""

from __future__ import annotations

import os

from minirun.container.doctor.finding import Finding, fail, is_root, ok, warn, word
from minirun.isolation import apparmor
from minirun.linux import capability
from minirun.linux.apparmor import enabled, profiles
from minirun.linux.seccomp import SeccompReturn, action_available
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What setting a container up takes, and what for.
NEEDED = {
    "CAP_SYS_ADMIN": "namespaces and mounts",
    "CAP_SETUID": "becoming the container's user",
    "CAP_SETGID": "becoming the container's group",
    "CAP_SETPCAP": "lowering the ceiling of capabilities",
    "CAP_CHOWN": "unpacking layers",
    "CAP_DAC_OVERRIDE": "unpacking layers, writing to cgroups",
    "CAP_FOWNER": "unpacking layers",
    "CAP_MKNOD": "the nodes in /dev",
    "CAP_KILL": "stopping containers",
}
#: What single features take.
WANTED = {
    "CAP_NET_ADMIN": "the loopback device of a new network namespace cannot be raised",
    "CAP_SYS_RESOURCE": "hard limits cannot be raised, nor oom_score_adj lowered",
    "CAP_SYS_PTRACE": "namespaces of other users' processes cannot be joined",
}


def root(root: str, state: str) -> Iterator[Finding]:
    """Containers need root; `explain` does not."""
    if is_root():
        yield ok("root", "running as root")
    else:
        yield fail("root", f"running as user {os.geteuid()}", "run minirun as root (explain works without)")


def capabilities(root: str, state: str) -> Iterator[Finding]:
    """Root without all capabilities is found inside other containers."""
    have = set(capability.names_of(capability.capget()[0]))
    for name, what_for in NEEDED.items():
        if name not in have:
            yield fail(name, f"missing; it is needed for {what_for}", "start minirun as full root")
    for name, lack in WANTED.items():
        if name not in have:
            yield warn(name, f"missing: {lack}", "start minirun where it was not taken away")
    lacking = [name for name in capability.available() if name not in have]
    total = capability.last_capability() + 1
    if not lacking:
        yield ok("capabilities", f"{len(have)} of {total}, all that the bounding set allows")
    else:
        yield warn("capabilities", f"{len(have)} of {total}", "run minirun as root")


def seccomp(root: str, state: str) -> Iterator[Finding]:
    """Which actions of seccomp(2) the kernel offers."""
    if not os.path.exists("/proc/sys/kernel/seccomp"):
        yield fail("seccomp", "this kernel has none", "boot a kernel with CONFIG_SECCOMP_FILTER=y")
        return
    there = [action.name for action in SeccompReturn if action_available(action.name)]
    lacking = [action.name for action in SeccompReturn if action.name not in there]
    if {"ALLOW", "ERRNO"} - set(there):
        yield fail(
            "seccomp", f"no filters, only {' '.join(there)}", "boot a kernel with CONFIG_SECCOMP_FILTER=y"
        )
    elif lacking:
        yield warn("seccomp", f"actions missing: {' '.join(lacking)}", "boot a newer kernel")
    else:
        yield ok("seccomp", f"actions: {' '.join(there).lower()}")


def security_modules(root: str, state: str) -> Iterator[Finding]:
    """Which are on; SELinux labels cannot be asked for, and it may refuse things."""
    modules = word("/sys/kernel/security/lsm")
    if word("/sys/fs/selinux/enforce") == "1":
        yield warn(
            "security modules",
            "SELinux is enforcing; minirun sets no labels",
            "setenforce 0, if it gets in the way",
        )
    else:
        yield ok("security modules", modules or "none to be seen")


def apparmor_profiles(root: str, state: str) -> Iterator[Finding]:
    """Whether containers are confined by a profile, and by which."""
    if not enabled():
        yield ok("AppArmor", "not enabled in this kernel: containers run without a profile")
    elif lack := apparmor.lacking():
        why, fix = lack
        yield warn("AppArmor", f"on, but {why}: containers run without a profile, unless one is named", fix)
    else:
        yield ok("AppArmor", f"containers get the profile {apparmor.DEFAULT}{_loaded(profiles())}")


def _loaded(loaded: dict[str, str] | None) -> str:
    if loaded is None:
        return "; which ones are loaded takes root to see"
    mode = loaded.get(apparmor.DEFAULT)
    ours = f", in mode {mode}" if mode else ", which the first one loads"
    modes = list(loaded.values())
    counted = ", ".join(f"{modes.count(mode)} {mode}" for mode in sorted(set(modes)))
    return f"{ours}; loaded are {counted or 'none'}"
