"""The cgroups of a container that another runtime makes: one in every tree there is.

Layer ``container``. minirun goes into the trees that it needs (isolation/cgroups);
a runtime goes into all that it knows, and makes what is missing above. Those
above are made here, so that they bear minirun's mark and go with the last
container that is in them.
"""

from __future__ import annotations

import os

from minirun.isolation.cgroups.creation import above
from minirun.isolation.cgroups.layout import Layout
from minirun.isolation.cgroups.tree import path_of
from minirun.linux import cgroup
from minirun.linux.procfs import read
from minirun.spec import Spec
from minirun.steps import HOST, Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As many as the monitor removes (native/monitor_cgroup.h).
_MOST = 16


def trees(mountinfo: str = "") -> tuple[str, ...]:
    """Where each cgroup tree of this host is mounted."""
    found = []
    for line in (mountinfo or read("/proc/self/mountinfo")).splitlines():
        mount, separator, _ = line.partition(" - cgroup")
        if separator:
            found.append(mount.split(" ")[4])
    return tuple(dict.fromkeys(found))


def directories(spec: Spec) -> tuple[str, ...]:
    """The container's group in each tree."""
    return tuple(tree + path_of(spec) for tree in trees())[:_MOST]


def kill_file(spec: Spec, where: Layout) -> str:
    """What ends all that is in the group: cgroup.kill on a v2 host, else a list of pids."""
    path = path_of(spec)
    if memory := where.v1.get("memory"):
        return f"{memory}{path}/cgroup.procs"
    return f"{where.v2}{path}/cgroup.kill" if where.v2 else ""


def host_steps(spec: Spec) -> Iterator[Step]:
    """Makes the groups above the container's."""
    path = path_of(spec)
    missing = [place for tree in trees() for place in above(tree, path)[1:] if not os.path.isdir(place)]
    if missing:
        yield Step(
            "make the cgroups above",
            *(Call(cgroup.mkdir_parent, place) for place in missing),
            why="the runtime makes the container's own in every tree; these go with the last that is in them",
            side=HOST,
            chapter="05",
        )
