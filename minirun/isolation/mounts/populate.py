"""/proc, /dev, /sys, volumes: the spec's mounts, in the spec's order.

Part of ``isolation/mounts``. Order matters: a later mount may lie inside an
earlier one (/dev/pts in /dev). Each place is found, or made, inside the root
file system with openat2(2), and mounted through its descriptor
(linux/mountpoint.py). Read ``bind.py`` and ``cgroup.py`` beside it,
``root.py`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.isolation.mounts import bind, cgroup
from minirun.isolation.mounts.options import PROPAGATION, Options, parse
from minirun.linux import mountpoint
from minirun.linux.mount import MountFlag
from minirun.spec import Mount, Spec
from minirun.steps import Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOTFS = Ref(name="rootfs")

_WHY = {
    "proc": "shows the processes of this PID namespace; ps and /proc/self need it",
    "sysfs": "shows the interfaces of this network namespace, and the kernel's objects",
    "devpts": "terminals of its own: a new instance, numbered from 0",
    "mqueue": "the POSIX message queues of this IPC namespace",
    "tmpfs": "a file system in memory, gone with the container",
}
_WHY_THERE = {
    "/dev": "in memory, and empty: of the host's devices none is seen here",
    "/dev/shm": "shm_open(3) keeps POSIX shared memory here, as much as --shm-size allows",
}


def populate(spec: Spec, hierarchies: Sequence[cgroup.Hierarchy] | None = None) -> Iterator[Step]:
    """Mounts everything that ``spec.mounts`` lists.

    ``hierarchies`` says which cgroup trees a mount of type cgroup shows; by
    default those of the host that minirun puts a container into. Raises
    InvalidInput for a mount that no kernel could make.
    """
    late: list[Step] = []
    for number, each in enumerate(bind.mounts_of(spec)):
        _check(each)
        options = parse(each)
        if options.bind:
            yield from bind.bind(number, each, options)
        elif each.type in ("cgroup", "cgroup2"):
            yield from cgroup.mount(spec, each, options, hierarchies)
        elif each.type == "tmpfs" and options.readonly and _has_children(spec, number):
            yield from filesystem(each, options, options.flags & ~MountFlag.RDONLY)
            late.append(_make_readonly(each, options))
        else:
            yield from filesystem(each, options, options.flags)
    yield from late


def filesystem(each: Mount, options: Options, flags: MountFlag) -> Iterator[Step]:
    """Mounts a file system of its own: one mount(2), and one more for a propagation."""
    if options.all_set or options.all_clr:
        raise InvalidInput(
            f"the mount at {each.destination} cannot have recursive options (rro, rnosuid ...)",
            "nothing is below a file system that was just made",
            "leave out the r",
        )
    place = (_ROOTFS, each.source or each.type, each.destination, each.type)
    calls = [Call(mountpoint.mount_in, *place, flags, options.data or None)]
    if kind := options.propagation:
        plain = kind if kind in PROPAGATION else kind[1:]
        flag = PROPAGATION[plain] | (MountFlag.REC if kind != plain else MountFlag(0))
        calls.append(Call(mountpoint.change_in, _ROOTFS, each.destination, flag))
    yield Step(
        f"mount {each.destination}",
        *calls,
        why=_WHY_THERE.get(each.destination) or _WHY.get(each.type, f"a {each.type} file system of its own"),
        chapter="03",
    )


def _make_readonly(each: Mount, options: Options) -> Step:
    flags = options.flags | MountFlag.REMOUNT | MountFlag.BIND | MountFlag.RDONLY
    return Step(
        f"make {each.destination} read-only",
        Call(mountpoint.change_in, _ROOTFS, each.destination, flags),
        why="only now: places to mount on had to be made in it first",
        chapter="03",
    )


def _has_children(spec: Spec, number: int) -> bool:
    above = spec.mounts[number].destination.rstrip("/") + "/"
    return any(each.destination.startswith(above) for each in spec.mounts[number + 1 :])


def _check(each: Mount) -> None:
    if not each.destination.startswith("/"):
        raise InvalidInput(
            f"the mount point {each.destination!r} is not an absolute path",
            "there is no working directory yet that it could be relative to",
            "begin it with /",
        )
    if not each.destination.strip("/"):
        raise InvalidInput(
            "a mount cannot have / as its destination",
            "it would hide the container's root file system",
            "mount it at a directory",
        )
    if not each.type and not parse(each).bind:
        raise InvalidInput(
            f"the mount at {each.destination} has no type",
            "neither a file system's name nor the option bind or rbind is there",
            'set "type", or add "bind" to its options',
        )
