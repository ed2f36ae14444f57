"""What a container leaves in the kernel, so that a test can see that nothing is left.

Looked at before and after each test that may start a container: mounts, cgroups
and processes. They go away asynchronously (the kernel takes a namespace apart
after the last process in it is reaped), hence the bounded wait. Containers of
others, which come and go on this machine meanwhile, are not counted: ours have
the tests' directory in what they were given, hold open or have mounted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 5.0  # seconds


class Look:
    """What there was when the test began. ``places`` are the tests' directories."""

    def __init__(self, places: tuple[str, ...]) -> None:
        self.places = places
        self.mounts = mounts(places)
        self.cgroups = cgroups()
        self.pids = pids()

    def left(self) -> set[str]:
        """What is new since, is ours, and stays for longer than PATIENCE."""
        left = wait_for(self._new)
        return {f"{one} {words(one.split()[1])}" if one.startswith("process") else one for one in left}

    def _new(self) -> set[str]:
        processes = {f"process {pid}" for pid in pids() - self.pids if self._is_ours(pid)}
        groups = {group for group in cgroups() - self.cgroups if self._counts(group)}
        return processes | {f"cgroup {group}" for group in groups} | (mounts(self.places) - self.mounts)

    def _is_ours(self, pid: str) -> bool:
        try:
            parent = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(os.getpid()):
                return True  # even a zombie, of which nothing else can be known
            known = words(pid) + Path("/proc", pid, "mountinfo").read_text() + opened(pid)
        except OSError:
            return False  # it ended while we looked
        return any(place in known for place in self.places)

    def _counts(self, group: str) -> bool:
        """An empty cgroup that stays is a leak, whoever's it is; in a full one somebody lives."""
        inside = {pid for path, *_ in os.walk(group) for pid in members(path)}
        return not inside or any(map(self._is_ours, inside))


def wait_for(nothing: Callable[[], set[str]]) -> set[str]:
    """What ``nothing`` finds again and again for PATIENCE seconds; empty as soon as it is gone."""
    left = nothing()
    deadline = time.monotonic() + PATIENCE
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left &= nothing()
    return left


def mounts(places: tuple[str, ...]) -> set[str]:
    """The mounts in our own namespace that have to do with ``places``."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {f"mount {line}" for line in lines if any(place in line for place in places)}


def cgroups() -> set[str]:
    """The directories below ``minirun`` in each hierarchy."""
    found: set[str] = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup" in line:
            parent = f"{line.split()[4]}/minirun"
            found |= {path for path, *_ in os.walk(parent)} - {parent}
    return found


def members(group: str) -> list[str]:
    """The processes in a cgroup."""
    try:
        return Path(group, "cgroup.procs").read_text().split()
    except OSError:
        return []  # it is gone


def pids() -> set[str]:
    """Every process there is."""
    return set(filter(str.isdecimal, os.listdir("/proc")))


def words(pid: str) -> str:
    """The command line of a process, or its name if it has none."""
    try:
        line = Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return line.strip() or Path("/proc", pid, "comm").read_text().strip()
    except OSError:
        return ""  # it has ended


def opened(pid: str) -> str:
    """The paths that a process holds open."""
    names = []
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
        except OSError:
            continue
    return " ".join(names)
