"""What a container leaves in the kernel, so that a test can see that nothing is left.

Looked at before and after each test that may start a container: mounts, cgroups,
processes, network interfaces, and the directories of pods and virtual machines.
They go away asynchronously (the kernel takes a namespace apart after the last
process in it is reaped), hence the bounded wait. Containers of others, which come and go on this machine
meanwhile, are not counted: ours have the tests' directory in what they were
given, hold open or have mounted; a bridge of ours has it in its alias, and a veth
pair's end is plugged into one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from minirun.linux import netlink_nftables

PATIENCE = 5.0  # seconds
#: For an empty cgroup alone: a pod of other tests has one from the end of its containers to its own.
OTHERS_PATIENCE = 30.0
INTERFACES = "/sys/class/net"


class Look:
    """What there was when the test began. ``places`` are the tests' directories."""

    def __init__(self, places: tuple[str, ...]) -> None:
        self.places = places
        self.mounts = mounts(places)
        self.cgroups = cgroups()
        self.machines = machines(places)
        self.pods = pods(places)
        self.links = links(places)
        self.pids = pids()

    def left(self) -> set[str]:
        """What is new since, is ours, and stays for longer than PATIENCE."""
        left = wait_for(self._new, PATIENCE)
        if left and all(one.startswith("cgroup") for one in left):
            left = wait_for(self._new, OTHERS_PATIENCE)
        return {f"{one} {words(one.split()[1])}" if one.startswith("process") else one for one in left}

    def _new(self) -> set[str]:
        processes = {f"process {pid}" for pid in pids() - self.pids if self._is_ours(pid)}
        groups = {group for group in cgroups() - self.cgroups if self._counts(group)}
        rest = (mounts(self.places) - self.mounts) | (machines(self.places) - self.machines)
        rest |= (pods(self.places) - self.pods) | (links(self.places) - self.links) | tables()
        return processes | {f"cgroup {group}" for group in groups} | rest

    def _is_ours(self, pid: str) -> bool:
        try:
            if parent(pid) == str(os.getpid()):
                return True  # even a zombie, of which nothing else can be known
            known, mounted = (
                words(pid) + opened(pid),
                Path("/proc", pid, "mountinfo").read_text(errors="replace"),
            )
            if any(place in known for place in self.places):
                return True
            return any(place in mounted for place in self.places) and not is_of_other_tests(pid)
        except OSError:
            return False  # it ended while we looked

    def _counts(self, group: str) -> bool:
        """An empty cgroup that stays is a leak, whoever's it is; in a full one somebody lives."""
        inside = {pid for path, *_ in os.walk(group) for pid in members(path)}
        if not inside:
            return not (is_anothers(group) or self._is_anothers_pod(group))
        return any(map(self._is_ours, inside))

    def _is_anothers_pod(self, group: str) -> bool:
        """Whether it is a pod's, and these tests have never made one."""
        with_pods = any(os.path.isdir(f"{place}/root/pods") for place in self.places)
        return "/kubepods" in group and not with_pods


def wait_for(nothing: Callable[[], set[str]], patience: float = PATIENCE) -> set[str]:
    """What ``nothing`` finds again and again for ``patience`` seconds; empty as soon as it is gone."""
    left = nothing()
    deadline = time.monotonic() + patience
    while left and time.monotonic() < deadline:
        time.sleep(0.01)  # the kernel takes namespaces apart without a word
        left &= nothing()
    return left


def mounts(places: tuple[str, ...]) -> set[str]:
    """The mounts in our own namespace that have to do with ``places``."""
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    return {f"mount {line}" for line in lines if any(place in line for place in places)}


def machines(places: tuple[str, ...]) -> set[str]:
    """The directories that only a virtual machine, or the making of a template, has while it lasts."""
    patterns = ("state/vms/[0-9a-f]*", "root/templates/.new-*")
    return {
        f"directory {path}" for place in places for pattern in patterns for path in Path(place).glob(pattern)
    }


def pods(places: tuple[str, ...]) -> set[str]:
    """What pods have while they are: directories, and names that are links."""
    patterns = ("root/pods/*-*", "root/pods/names/*", "state/pods/*")
    return {f"pod {path}" for place in places for pattern in patterns for path in Path(place).glob(pattern)}


def cgroups() -> set[str]:
    """The directories below ``minirun`` in each hierarchy."""
    found: set[str] = set()
    for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
        if " - cgroup" in line:
            parent = f"{line.split()[4]}/minirun"
            found |= {path for path, *_ in os.walk(parent)} - {parent}
    return found


def links(places: tuple[str, ...]) -> set[str]:
    """minirun's interfaces that have to do with ``places``, but for the bridges of the session's own store.

    Its networks outlive a test, as its images do.
    """
    found = set()
    for name in os.listdir(INTERFACES):
        if name.startswith(("mr", "minirun")):
            of_bridge = alias(name)
            home = of_bridge or alias(f"{name}/master")
            lasts = of_bridge.startswith(f"{places[0]}/state/") and os.path.exists(f"{of_bridge}/ready")
            # An end that is plugged in nowhere can be anybody's: also ours.
            if not lasts and (not home or home.startswith(places)):
                found.add(f"interface {name} {home}".rstrip())
    return found


def tables() -> set[str]:
    """The nftables table, if there is no bridge (any more) that it could be for."""
    if any(alias(name) for name in os.listdir(INTERFACES)) or os.geteuid():
        return set()
    found = netlink_nftables.find_table("minirun")
    return {"nftables table inet minirun"} if found else set()


def alias(link: str) -> str:
    """Where the network is kept whose bridge this is (or, ``NAME/master``, is plugged into)."""
    try:
        text = Path(INTERFACES, link, "ifalias").read_text().strip()
    except OSError:
        return ""  # it is gone
    return text if "/networks/" in text else ""


def members(group: str) -> list[str]:
    """The processes in a cgroup."""
    try:
        return Path(group, "cgroup.procs").read_text().split()
    except OSError:
        return []  # it is gone


def is_anothers(group: str) -> bool:
    """Whether it has the pid of another process in its name, which lives.

    That is a learner's fence (minirun/learn/groups.py), or what tests hold (tests/kernel/groups.py).
    """
    _, found, words = Path(group).name.rpartition("fence-")
    if not found:
        _, found, words = Path(group).name.rpartition("minirun-test-")
    pid = words.partition("-")[0]
    return bool(found) and pid != str(os.getpid()) and os.path.exists(f"/proc/{pid}")


def is_of_other_tests(pid: str) -> bool:
    """Whether a pytest beside ours has started it: its mount namespace may have copies of our mounts."""
    while (pid := parent(pid)) not in ("0", "1", str(os.getpid())):
        if "pytest" in map(os.path.basename, words(pid).split()):
            return True
    return False


def parent(pid: str) -> str:
    """The pid of its parent. Raises OSError if it has ended."""
    return Path("/proc", pid, "stat").read_text(errors="replace").rpartition(")")[2].split()[1]


def pids() -> set[str]:
    """Every process there is."""
    return set(filter(str.isdecimal, os.listdir("/proc")))


def words(pid: str) -> str:
    """The command line of a process, or its name if it has none."""
    try:
        line = Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return line.strip() or Path("/proc", pid, "comm").read_text(errors="replace").strip()
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
