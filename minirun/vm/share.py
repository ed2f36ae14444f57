"""The host's files that a guest sees: the image's layers, and volumes.

Layer ``vm``. The hypervisor is started in a mount namespace of its own, and
what it serves through 9p is put together in there: the image's layers as one
read-only tree at ``root``, each volume at ``volumes/N``. When it dies, the
kernel takes the mounts along, as with a container: nothing to clean up, and
nothing else of the host's files lies below these two directories. See
mount_namespaces(7). Read ``hypervisor.py`` next.
"""

from __future__ import annotations

import os

from minirun.errors import NotFound
from minirun.isolation.mounts import options as words
from minirun.linux import copy_up, mount, mountpoint, namespace, path, process
from minirun.linux.mount import MountAttr, MountFlag
from minirun.linux.namespace import CloneFlag
from minirun.steps import Call, Ref, Step
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minirun.spec import Mount

_ROOT = Ref(name="root")
#: What the guest puts there is data to the hypervisor: no device, no program.
_INERT = MountAttr.NODEV | MountAttr.NOSUID | MountAttr.NOEXEC


class Volume(Value):
    """One thing that the guest mounts besides its root; ``number`` names it in ``volumes/``."""

    number: int
    kind: str
    """``bind`` or ``tmpfs``."""
    target: str
    source: str = ""
    directory: bool = True
    readonly: bool = False
    copy_up: bool = False
    flags: int = 0
    """Of a tmpfs, in mount(2)'s bits; ``data`` are its options."""
    data: str = ""


def volumes(mounts: Sequence[Mount]) -> tuple[Volume, ...]:
    """The volumes of a Spec. Makes what ``-v`` names and is not there, as docker does.

    Raises NotFound for a source that is missing and may not be made.
    """
    return tuple(_volume(number, each) for number, each in enumerate(mounts))


def _volume(number: int, each: Mount) -> Volume:
    options = words.parse(each)
    if not options.bind:
        return Volume(
            number=number, kind="tmpfs", target=each.destination, flags=int(options.flags), data=options.data
        )
    if options.make_source and not os.path.lexists(each.source):
        os.makedirs(each.source, 0o755)
    if not os.path.exists(each.source):
        raise NotFound(f"cannot share {each.source}", "there is no such file or directory", "make it first")
    return Volume(
        number=number,
        kind="bind",
        target=each.destination,
        source=each.source,
        directory=os.path.isdir(each.source),
        readonly=options.readonly,
        copy_up=options.copy_up,
    )


def steps(home: str, layers: Sequence[str], shared: Sequence[Volume], own_network: bool) -> Iterator[Step]:
    """What the hypervisor-to-be does to itself; ``layers`` has the lowest first.

    ``own_network`` is for a machine without a card: its hypervisor needs no network either.
    """
    flags = CloneFlag.NEWNS | CloneFlag.NEWIPC
    yield Step(
        "leave the host's mounts" + (" and network" if own_network else ""),
        Call(namespace.unshare, flags | CloneFlag.NEWNET if own_network else flags),
        why="what is mounted from here on is for the hypervisor alone, and goes with it",
        chapter="04",
    )
    yield Step(
        "keep mounts to itself",
        Call(mount.mount, None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None),
        why="the host's / is shared as a rule: a mount here would appear there",
        chapter="04",
    )
    yield _root(f"{home}/root", layers)
    yield Step(
        "hold on to the image's files",
        Call(path.open_directory, f"{home}/root"),
        why="a new volume is filled from there",
        result=_ROOT.name,
    )
    for volume in shared:
        if volume.kind == "bind":
            yield _share(f"{home}/volumes/{volume.number}", volume)
    yield Step(
        "die with minirun",
        Call(process.die_with_parent),
        Call(process.is_child_of, os.getpid()),  # or it died before that call
        why="a machine whose command was killed has nobody to talk to",
    )


def _root(place: str, layers: Sequence[str]) -> Step:
    if len(layers) == 1:  # overlayfs wants two
        return Step(
            "show the image's only layer",
            Call(mountpoint.bind_tree, layers[0], place, int(_INERT | MountAttr.RDONLY)),
            why="read-only: it belongs to every container of the image; the guest writes to its own memory",
            chapter="06",
        )
    return Step(
        f"merge the image's {len(layers)} layers",
        Call(mountpoint.mount_layers, place, list(reversed(layers)), "lowerdir={}"),
        why="an overlay without an upperdir cannot be written to; the guest writes to its own memory",
        chapter="06",
    )


def _share(place: str, volume: Volume) -> Step:
    calls = []
    if volume.copy_up:
        calls.append(Call(copy_up.fill, _ROOT, volume.target, volume.source))
    attributes = _INERT | MountAttr.RDONLY if volume.readonly else _INERT
    calls.append(Call(mountpoint.bind_tree, volume.source, place, int(attributes)))
    return Step(
        f"share {volume.source}",
        *calls,
        why=f"the guest sees it at {volume.target}" + (", and cannot write to it" if volume.readonly else ""),
        chapter="06",
    )


def make_places(home: str, shared: Sequence[Volume]) -> None:
    """Makes what is mounted on, below ``home``."""
    os.makedirs(f"{home}/root", 0o700, exist_ok=True)
    os.makedirs(f"{home}/volumes", 0o700, exist_ok=True)
    for volume in shared:
        place = f"{home}/volumes/{volume.number}"
        if volume.kind != "bind":
            continue
        if volume.directory:
            os.makedirs(place, exist_ok=True)
        else:
            with open(place, "w"):
                pass
