"""Bind mounts: a file or directory of the host's, at a second place.

Part of ``isolation/mounts``. ``mount --bind`` and then ``-o remount,bind,ro``
are the known two calls, and between them the container could write. Here a
mount is picked up as a detached copy that nobody sees (open_tree), made
read-only, with all mounts below it if asked (mount_setattr, Linux 5.12), and
then put down (move_mount): no moment in between, no second walk of the path.

Those from the host's tree are picked up before the tree is cut off from the
host, for only then can they be slaves (or peers) of the host's mount. Named
volumes come later, so that in a user namespace they are seen through the
store's id map. Read ``options.py`` beside it.
"""

from __future__ import annotations

import os

from minirun.isolation.mounts.options import PROPAGATION, Options, parse
from minirun.linux import copy_up, mount, mountpoint, namespace, path
from minirun.linux.mount import MountFlag
from minirun.linux.namespace import CloneFlag
from minirun.spec import Mount, Spec
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOTFS = Ref(name="rootfs")
_OURSELVES = ("self", "thread-self")
#: The way back from ``visit``.
OWN = Ref(name="own mount namespace")


def host_steps(spec: Spec) -> Iterator[Step]:
    """Makes the directories that ``-v`` names and that are not there yet."""
    for each in spec.mounts:
        options = parse(each)
        if options.make_source and options.volume:
            yield _make(os.path.dirname(each.source), each.destination)
        if options.make_source:
            yield _make(each.source, each.destination)


def _make(place: str, destination: str) -> Step:
    made = f"made {place}"
    return Step(
        f"make {place}, if it is missing",
        Call(path.make_missing, place, 0o755),
        why=f"it will be seen at {destination}",
        side=HOST,
        result=made,
        undo=[Call(path.remove_empty, place, Ref(name=made))],
        chapter="03",
    )


def pick_up_early(spec: Spec) -> Iterator[Step]:
    """Holds the host's side of every bind mount, but for named volumes."""
    for number, each in enumerate(mounts_of(spec)):
        options = parse(each)
        if options.bind and not options.volume:
            yield from _pick_up(number, each, options)


def bind(number: int, each: Mount, options: Options) -> Iterator[Step]:
    """Puts the bind mount ``spec.mounts[number]`` at its place."""
    if options.volume:
        yield from _pick_up(number, each, options)
    tree = _tree(number)
    calls = list(_attributes(tree, options))
    if options.copy_up:
        yield Step(
            f"fill {each.destination} from the image, if it is empty",
            Call(copy_up.copy_up, _ROOTFS, each.destination, tree),
            why="a new volume begins with what the image has at its place",
            chapter="06",
        )
    yield Step(
        f"mount {each.destination}",
        *calls,
        Call(mountpoint.attach_in, tree, _ROOTFS, each.destination),
        why=f"{each.source} of the host, at a second place"
        + (", which cannot be written" if options.readonly else ""),
        chapter="03",
    )


def _pick_up(number: int, each: Mount, options: Options) -> Iterator[Step]:
    process, place = seen_by(each.source)
    if process:
        yield from visit(process)
    yield Step(
        f"pick up {each.source}",
        Call(mount.open_tree, place, options.recursive),
        why="a copy of the mount that nobody sees yet, to be put at " + each.destination,
        result=_tree(number).name,
        chapter="03",
    )
    if process:
        yield Step(
            "return to its own mount namespace",
            Call(namespace.join_process, OWN, CloneFlag.NEWNS),
            why="the copy belongs to no namespace, and comes along",
            chapter="04",
        )


def seen_by(source: str) -> tuple[str, str]:
    """``/proc/7/root/dev/shm`` is what process 7 has at /dev/shm: ("/proc/7", "/dev/shm")."""
    parts = source.split("/", 4)
    # Not only a number: a plan that is only shown has a word for a process that is to come.
    if len(parts) == 5 and parts[1] == "proc" and parts[2] not in _OURSELVES and parts[3] == "root":
        return f"/proc/{parts[2]}", f"/{parts[4]}"
    return "", source


def visit(process: str) -> Iterator[Step]:
    """Goes into another mount namespace: only there the kernel copies what is mounted in it."""
    yield Step(
        "remember its own mount namespace",
        Call(namespace.open_namespace, "/proc/self/ns/mnt"),
        why="the way back: in the other one /proc is another, too",
        result=OWN.name,
        chapter="04",
    )
    yield Step(
        "visit another mount namespace",
        Call(namespace.join, f"{process}/ns/mnt", CloneFlag.NEWNS),
        why="a mount is copied by who stands in the namespace that has it",
        chapter="04",
    )


def _attributes(tree: Ref, options: Options) -> Iterator[Call]:
    """The flags, as few mount_setattr(2) as it takes.

    The copy still receives the host's mount events. Unless that was asked
    for, it is made private, with all that came with it.
    """
    kind = options.propagation
    plain = kind if kind in PROPAGATION else kind[1:]
    everywhere = {"slave": MountFlag.SLAVE, "shared": MountFlag(0)}.get(plain, MountFlag.PRIVATE)
    only_here = MountFlag(0)
    if plain in ("shared", "unbindable"):
        if kind == plain:
            only_here = PROPAGATION[plain]
        else:
            everywhere = PROPAGATION[plain]
    if options.all_set or options.all_clr or everywhere:
        yield _set(tree, True, options.all_set, options.all_clr, everywhere)
    if options.attr_set or options.attr_clr or only_here:
        # After the recursive ones: what was said about this very mount counts more.
        yield _set(tree, False, options.attr_set, options.attr_clr, only_here)


def _set(tree: Ref, recursive: bool, put: int, cleared: int, kind: MountFlag) -> Call:
    return Call(mount.mount_setattr, tree, recursive, mount.MountAttr(put), mount.MountAttr(cleared), kind)


def _tree(number: int) -> Ref:
    return Ref(name=f"mount {number}")


def mounts_of(spec: Spec) -> tuple[Mount, ...]:
    """``spec.mounts``, a sysfs that the kernel would refuse replaced by a bind of the host's.

    A sysfs shows a network namespace, and only who has CAP_SYS_ADMIN over the
    user namespace that owns that one may mount it: with a user namespace of
    its own and the host's network, a container has not. See user_namespaces(7).
    """
    kinds = {each.type for each in spec.linux.namespaces}
    if "user" not in kinds or "network" in kinds:
        return spec.mounts
    return tuple(_host_sysfs(each) if each.type == "sysfs" else each for each in spec.mounts)


def _host_sysfs(each: Mount) -> Mount:
    recursive = {"ro": "rro", "nosuid": "rnosuid", "nodev": "rnodev", "noexec": "rnoexec"}
    words = [recursive.get(word, word) for word in each.options]
    return Mount(
        destination=each.destination, type="bind", source="/sys", options=("rbind", "rslave", *words)
    )
