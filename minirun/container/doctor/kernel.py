"""The doctor on the kernel: its age, and the system calls that minirun stands on."""

from __future__ import annotations

import os

from minirun.container.doctor.finding import Finding, fail, is_root, ok, takes_root, warn
from minirun.isolation.cgroups.layout import layout
from minirun.linux.trial import TrialFailed, be_born_in, in_child, knows
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (5, 12)

#: System call -> since when, and what is refused without it; "" where no start does without.
CALLS = {
    "clone3": ("5.3", ""),
    "pidfd_open": ("5.3", ""),
    "open_tree": ("5.2", ""),
    "move_mount": ("5.2", ""),
    "openat2": ("5.6", ""),
    "close_range": ("5.9", ""),
    "mount_setattr": ("5.12", "binds that are read-only all the way down, and id-mapped mounts"),
}


def version(root: str, state: str) -> Iterator[Finding]:
    """Linux 5.12 is the oldest that minirun is made for: bind mounts take mount_setattr(2)."""
    release = os.uname().release
    if _numbers(release) < OLDEST:
        yield fail("kernel", f"Linux {release}", "boot a kernel of 5.12 or newer")
    else:
        yield ok("kernel", f"Linux {release}")


def features(root: str, state: str) -> Iterator[Finding]:
    """What was added over the years, asked of the kernel and not of its number."""
    for call, (since, refused) in CALLS.items():
        name, fix = f"kernel {call}", f"boot a kernel of {since} or newer"
        if knows(call):
            yield ok(name, f"present (Linux {since})")
        elif refused:
            yield warn(name, f"absent: {refused} will be refused", fix)
        else:
            yield fail(name, "absent, or a seccomp filter hides it", fix)
    yield _clone_into_cgroup()
    yield _cgroup_kill()


def _clone_into_cgroup() -> Finding:
    name, tree = "kernel CLONE_INTO_CGROUP", layout().v2
    if not tree:
        return warn(name, "cgroup2 is not mounted, so nobody can be born in it", "mount cgroup2")
    if not is_root():
        return takes_root(name)
    try:
        in_child(lambda: be_born_in(tree))
    except TrialFailed as error:
        return warn(name, f"a child could not be born in {tree}: {error}", "boot a kernel of 5.7 or newer")
    return ok(name, f"a child was born in {tree} (Linux 5.7)")


def _cgroup_kill() -> Finding:
    name, tree = "kernel cgroup.kill", layout().v2
    if not tree:
        return warn(name, "cgroup2 is not mounted: processes are killed one by one", "mount cgroup2")
    groups = [entry.path for entry in os.scandir(tree) if entry.is_dir(follow_symlinks=False)]
    # Every group but the root of the tree has the file; without one, the age must answer.
    there = any(os.path.exists(f"{group}/cgroup.kill") for group in groups)
    if there or (not groups and _numbers(os.uname().release) >= (5, 14)):
        return ok(name, "present (Linux 5.14)")
    return warn(name, "absent: processes are killed one by one", "boot a kernel of 5.14 or newer")


def _numbers(release: str) -> tuple[int, int]:
    """``(6, 1)`` for ``6.1.0-18-amd64``."""
    major, _, rest = release.partition(".")
    minor = "".join(sign if sign.isdigit() else " " for sign in rest).split()
    return int(major), int(minor[0]) if minor else 0
