"""Where this host keeps its controllers: cgroup v2, cgroup v1, or some of each.

Part of ``isolation/cgroups``. A controller (memory, cpu, pids ...) sits in
exactly one hierarchy at a time:

    pure v2    one tree for all                /sys/fs/cgroup
    legacy     one v1 tree per controller      /sys/fs/cgroup/memory, ...
    hybrid     v1 trees, and a v2 tree that    /sys/fs/cgroup/unified
               has few controllers or none

so the question "v1 or v2?" is asked per controller. Even without controllers
the v2 tree is worth having: ``cgroup.kill`` and ``cgroup.freeze`` belong to
the tree itself. Manual: cgroups(7), proc(5) on mountinfo. Next: tree.py.
"""

from __future__ import annotations

import os

from minirun.values import Value

#: The block I/O controller has another name in v1.
V1_NAMES = {"io": "blkio"}


class Layout(Value):
    """Mount points by controller. Controllers have v2's names, except v1's own."""

    v2: str = ""
    """Where cgroup2 is mounted; empty if it is not."""
    v2_controllers: tuple[str, ...] = ()
    """What can be used through it."""
    v1: dict[str, str] = {}
    """v1's controller (memory, blkio, devices, freezer ...) -> its mount point."""

    def version(self, controller: str) -> int:
        """2 or 1: the hierarchy that has ``controller``; 0 if none has."""
        if controller in self.v2_controllers:
            return 2
        return 1 if V1_NAMES.get(controller, controller) in self.v1 else 0


def layout() -> Layout:
    """This host's layout, from two or three files of /proc and /sys; no root needed.

    It is looked for once in each mount namespace that the process has been in.
    """
    here = os.stat("/proc/self/ns/mnt").st_ino
    if here not in _found:
        with open("/proc/self/mountinfo", "rb", buffering=0) as file:
            mountinfo = os.fsdecode(file.readall())
        v2, _ = _mounts(mountinfo)
        _found[here] = parse(mountinfo, _controllers(v2) if v2 else "")
    return _found[here]


_found: dict[int, Layout] = {}


def parse(mountinfo: str, controllers: str) -> Layout:
    """The layout that ``mountinfo`` and v2's ``cgroup.controllers`` tell of.

    /proc/cgroups is not asked: it knows v1's names only, and reading it on a
    pure v2 host puts a warning into the kernel's log since Linux 6.14.
    """
    v2, v1 = _mounts(mountinfo)
    return Layout(v2=v2, v2_controllers=tuple(controllers.split()), v1=v1)


def _mounts(mountinfo: str) -> tuple[str, dict[str, str]]:
    """The v2 mount point and the v1 ones. The first mount of a hierarchy counts.

    What is mounted may be a subtree (its root, the fourth field, is not "/"):
    inside a container. All paths are below the mount point then too.
    """
    v2 = ""
    v1: dict[str, str] = {}
    for line in mountinfo.splitlines():
        mount, separator, rest = line.partition(" - cgroup")
        if not separator:
            continue
        point = _unescape(mount.split(" ")[4])
        if rest.startswith("2 "):
            v2 = v2 or point
            continue
        for option in rest.rsplit(" ", 1)[1].split(","):
            if option in _V1_CONTROLLERS:
                v1.setdefault(option, point)
    return v2, v1


#: A v1 mount's options name its controllers, among others: rw, xattr, name=systemd.
_V1_CONTROLLERS = frozenset(
    ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "perf_event")
)


def _controllers(v2: str) -> str:
    try:
        with open(f"{v2}/cgroup.controllers", "rb", buffering=0) as file:
            return file.readall().decode()
    except FileNotFoundError:  # mounted over, by a container's tmpfs for one
        return ""


def _unescape(path: str) -> str:
    if "\\" not in path:
        return path
    for character in " \t\n\\":
        path = path.replace(f"\\{ord(character):03o}", character)
    return path
