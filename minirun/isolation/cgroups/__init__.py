"""cgroups: how much a container may use, and which processes are its own.

isolation/: one promise a package. A cgroup is a directory; its files are the
limits, and the list of the processes that are counted together. The steps here
make a container's directories and write its limits (host side, before there is
a process), and bring the process in (from birth on v2, by its own hand on v1):
no process of a container ever runs outside its limits.

    layout.py         which controllers live where on this host: v2, v1, both
    tree.py           the directories of one container in those trees
    creation.py       making them, from the top down
    making.py         the same at once, without a container
    promises.py       writing the limits, in the words of ...
    v2.py, v1.py      ... either version: resources -> writes
    device_rules.py   which devices may be used, and v1's way to say it
    device_filter.py  the same as an eBPF program, which is v2's way
    members.py        kill, freeze, thaw, remove: what a group is for besides limits
    accounting.py     what is limited and what is used, for inspect and stats

cgroups(7); the kernel's Documentation/admin-guide/cgroup-v2.rst. Next: layout.py.
"""

from __future__ import annotations

from minirun.isolation.cgroups.creation import make_v1, make_v2
from minirun.isolation.cgroups.device_rules import BASELINE
from minirun.isolation.cgroups.layout import Layout, layout
from minirun.isolation.cgroups.promises import limit, limit_devices, write_unified
from minirun.isolation.cgroups.tree import Group, group, group_of
from minirun.linux import cgroup
from minirun.spec import Resources, Spec
from minirun.steps import INIT, Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from minirun.isolation.cgroups.accounting import Usage, limits, usage, usage_of
    from minirun.isolation.cgroups.making import lost, make
    from minirun.isolation.cgroups.members import (
        freeze,
        frozen,
        kill,
        processes,
        remove,
        remove_parents,
        thaw,
    )

__all__ = [
    "Layout",
    "Usage",
    "clone_into",
    "directories",
    "freeze",
    "group",
    "limit",
    "frozen",
    "group_steps",
    "host_steps",
    "init_steps",
    "join_steps",
    "kill",
    "layout",
    "limits",
    "lost",
    "make",
    "oom_file",
    "processes",
    "remove",
    "remove_parents",
    "thaw",
    "usage",
    "usage_of",
]

CHAPTER = "05"


def host_steps(spec: Spec, layout: Layout) -> Iterator[Step]:
    """Makes the container's groups with all their limits, before it is born.

    Raises Unsupported, while planning, for a limit whose controller this host
    does not have, and InvalidInput for a value that no kernel takes.
    """
    made = group_of(spec, layout)
    resources = spec.linux.resources
    yield from _group(made, resources, layout)
    yield from limit_devices(made, (*resources.devices, *BASELINE), bool(resources.devices))


def group_steps(path: str, resources: Resources, layout: Layout) -> Iterator[Step]:
    """Makes a group that holds containers, a pod's for one: limits, no processes."""
    made = group(path, resources, layout)
    yield from _group(made, resources, layout)
    if resources.devices:
        yield from limit_devices(made, resources.devices, asked=True)


def clone_into(spec: Spec, layout: Layout) -> str | None:
    """The v2 directory that clone3(2) puts the container's first process into.

    Its file descriptor goes with CLONE_INTO_CGROUP. None without cgroup2.
    """
    return group_of(spec, layout).leaf or None


def init_steps(spec: Spec, layout: Layout) -> Iterator[Step]:
    """The process enters its v1 groups itself, while it sees the host's paths."""
    made = group_of(spec, layout).v1_directories
    if made:
        yield Step(
            "join the cgroups",
            *(Call(cgroup.write, f"{directory}/tasks", "0") for directory in made),
            why="0 stands for the writer: a pid written by the parent would wait 5 ms for a grace period",
            side=INIT,
            chapter=CHAPTER,
        )


def join_steps(spec: Spec, layout: Layout, v2: bool = False) -> Iterator[Step]:
    """A further process (exec) enters the container's groups.

    With ``v2`` the v2 group too, for one that was not born there by ``clone_into``.
    """
    leaf = group_of(spec, layout).leaf
    if v2 and leaf:
        yield Step(
            "join the cgroup",
            Call(cgroup.write, f"{leaf}/cgroup.procs", "0"),
            why="what joins a container is under its limits, and dies when it is killed",
            side=INIT,
            chapter=CHAPTER,
        )
    yield from init_steps(spec, layout)


def directories(spec: Spec, layout: Layout) -> tuple[str, ...]:
    """All groups of a container, deepest first, for kill and remove."""
    return group_of(spec, layout).directories


def oom_file(spec: Spec, layout: Layout) -> str | None:
    """The file whose line ``oom_kill N`` counts the container's OOM kills."""
    version, directory = group_of(spec, layout).directory("memory")
    file = {2: "memory.events", 1: "memory.oom_control"}.get(version)
    return f"{directory}/{file}" if file else None


def _group(made: Group, resources: Resources, layout: Layout) -> Iterator[Step]:
    yield from make_v2(made, resources, layout)
    yield from make_v1(made, layout)
    yield from limit(made, resources, layout)
    yield from write_unified(made, resources.unified, layout)


def __getattr__(name: str) -> Any:
    """What a start has no use for is imported on its first use (PEP 562)."""
    if name in ("freeze", "frozen", "kill", "processes", "remove", "remove_parents", "thaw"):
        from minirun.isolation.cgroups import members

        return getattr(members, name)
    if name in ("Usage", "limits", "usage", "usage_of"):
        from minirun.isolation.cgroups import accounting

        return getattr(accounting, name)
    if name in ("lost", "make"):
        from minirun.isolation.cgroups import making

        return getattr(making, name)
    raise AttributeError(f"{__name__} has no {name}")
