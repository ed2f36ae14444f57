"""/sys/fs/cgroup: the container's own cgroups, as the host has them, v2 or v1.

Part of ``isolation/mounts``. On a v2 host one cgroup2 at /sys/fs/cgroup. On a
v1 or hybrid host a tmpfs, and in it a directory for each tree. In a cgroup
namespace a fresh mount shows the container's cgroup as the root; without one
it would show the host's, so the container's own directory is bound instead.
See cgroups(7), cgroup_namespaces(7). Read ``protect.py`` next.
"""

from __future__ import annotations

import os

from minirun.errors import Unsupported
from minirun.isolation.mounts.options import Options
from minirun.linux import mountpoint
from minirun.linux.mount import MountFlag
from minirun.linux.path import make_symlink
from minirun.spec import Mount, Spec
from minirun.steps import Call, Ref, Step
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOTFS = Ref(name="rootfs")


class Hierarchy(Value):
    """One cgroup tree of the host."""

    mountpoint: str
    controllers: tuple[str, ...] = ()
    """v1's, as its mount options name them; empty for v2."""


def mount(
    spec: Spec, each: Mount, options: Options, hierarchies: Sequence[Hierarchy] | None
) -> Iterator[Step]:
    """The steps for a mount of type cgroup. Raises Unsupported without a cgroup tree."""
    trees = tuple(hierarchies) if hierarchies is not None else _used(spec, read_hierarchies())
    if not trees:
        raise Unsupported(
            f"the container cannot have {each.destination}",
            "no cgroup file system is mounted on this host",
            "mount cgroup2 at /sys/fs/cgroup; `minirun doctor` shows the layout",
        )
    if len(trees) == 1 and not trees[0].controllers:
        yield _tree(spec, trees[0], each.destination, options.flags)
    else:
        yield from _trees(spec, trees, each.destination, options.flags)


def _trees(spec: Spec, trees: Sequence[Hierarchy], place: str, flags: MountFlag) -> Iterator[Step]:
    own = flags & ~MountFlag.RDONLY
    yield Step(
        f"mount {place}",
        Call(mountpoint.mount_in, _ROOTFS, "tmpfs", place, "tmpfs", own, "mode=755"),
        why="this host has cgroup v1: a directory for each tree is made here",
        chapter="05",
    )
    for tree in trees:
        name = os.path.basename(tree.mountpoint)
        yield _tree(spec, tree, f"{place}/{name}", flags)
        for alias in tree.controllers:
            if alias != name and len(tree.controllers) > 1:
                yield Step(
                    f"link {alias} to {name}",
                    Call(make_symlink, _ROOTFS, name, f"{place}/{alias}"),
                    why="two controllers in one tree: each is found by its own name",
                    chapter="05",
                )
    if flags & MountFlag.RDONLY:
        remount = flags | MountFlag.REMOUNT | MountFlag.BIND
        yield Step(
            f"make {place} read-only",
            Call(mountpoint.change_in, _ROOTFS, place, remount),
            why="all trees have their places now; limits are for the host to change",
            chapter="05",
        )


def _tree(spec: Spec, tree: Hierarchy, place: str, flags: MountFlag) -> Step:
    if any(namespace.type == "cgroup" for namespace in spec.linux.namespaces):
        kind = "cgroup" if tree.controllers else "cgroup2"
        data = ",".join(tree.controllers) or None
        return Step(
            f"mount {place}",
            Call(mountpoint.mount_in, _ROOTFS, "cgroup", place, kind, flags, data),
            why="shows this container's cgroup as the root, and what limits it",
            chapter="05",
        )
    remount = flags | MountFlag.REMOUNT | MountFlag.BIND
    own = tree.mountpoint + own_path(spec)
    return Step(
        f"mount {place}",
        Call(mountpoint.bind_in, _ROOTFS, own, place, MountFlag.BIND),
        Call(mountpoint.change_in, _ROOTFS, place, remount),
        why="without a cgroup namespace: the container's own directory, not the host's tree",
        chapter="05",
    )


def own_path(spec: Spec) -> str:
    """Where the container is below each tree, as isolation/cgroups places it."""
    given = spec.linux.cgroupsPath or spec.id
    return "/" + given.strip("/") if given.startswith("/") else f"/minirun/{given}"


def _used(spec: Spec, trees: Sequence[Hierarchy]) -> tuple[Hierarchy, ...]:
    """Those that minirun puts a container into (isolation/cgroups/tree.py): others
    would show where its creator stands."""
    resources = spec.linux.resources
    used = {"memory", "pids", "cpu", "devices"}
    if resources.cpu.cpus or resources.cpu.mems:
        used.add("cpuset")
    return tuple(tree for tree in trees if not tree.controllers or not used.isdisjoint(tree.controllers))


def read_hierarchies(mountinfo: str = "") -> tuple[Hierarchy, ...]:
    """The cgroup trees that are mounted here, from the text of /proc/self/mountinfo."""
    if not mountinfo:
        with open("/proc/self/mountinfo", "rb", buffering=0) as file:
            mountinfo = os.fsdecode(file.readall())
    found: dict[tuple[str, ...], Hierarchy] = {}
    for line in mountinfo.splitlines():
        mounted, separator, rest = line.partition(" - cgroup")
        if not separator:
            continue
        words = rest.rsplit(" ", 1)[1].split(",")
        v2 = rest.startswith("2 ")
        controllers = () if v2 else tuple(word for word in words if word in _V1)
        if v2 or controllers:
            point = mounted.split(" ")[4]
            found.setdefault(controllers, Hierarchy(mountpoint=point, controllers=controllers))
    return tuple(found.values())


#: v1's controllers among a mount's options, which are also rw, xattr, name=systemd ...
_V1 = frozenset({
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids",
    "hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "misc",
})  # fmt: skip
