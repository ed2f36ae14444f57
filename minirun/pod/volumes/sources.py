"""From each kind of volume to the steps that make it.

Part of ``pod/volumes``, pure but for ``make``. A source becomes a ``Planned``,
which says where it lies, and ``Step``s, each of which finds its work done if it
was done before. Owners: a volume that is the pod's alone belongs to the pod's
root, also where a user namespace makes that another id of the host's;
``fsGroup`` is its group then. Read ``contents.py`` and ``directories.py`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported
from minirun.image import store as images
from minirun.linux import path as paths
from minirun.pod import quantity
from minirun.pod.volumes import contents, directories, host_path, ownership, payload
from minirun.pod.volumes.planned import Places, Planned, VolumePlan
from minirun.steps import HOST, Call, Step, Walk
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minirun.pod.downward import Context
    from minirun.pod.manifest.types import Volume

#: These are projections of what others keep: no container may change them.
_PROJECTED = ("configMap", "secret", "projected", "downwardAPI")
#: Of these the one on a disk: the others may tell secrets, or are only known while the pod is.
_ON_DISK = "configMap"

_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


def make(plan: VolumePlan, fault: Callable[[int, str], None] | None = None) -> None:
    """Makes what is not there yet. ``fault`` is the tests' door, as in steps.Walk.

    What it made before it failed stays for the next attempt, or for unmake.
    Raises StepFailed, or what a step found wrong.
    """
    Walk(plan.steps, HOST, fault=fault).run()


def refresh(plan: VolumePlan) -> None:
    """Writes those files anew that come from ConfigMaps, Secrets and the pod's own fields."""
    fills = [step for step in plan.steps if any(call.function is payload.write for call in step.calls)]
    Walk(fills, HOST).run()


def plan(
    context: Context, places: Places, layers_of: Callable[[str], tuple[str, ...]] | None = None
) -> VolumePlan:
    """What would be made for the volumes of ``context.pod``.

    ``layers_of`` finds the layers of an image, the lowest first; by default in
    the store. Raises Unsupported for a kind that only a cluster has, NotFound
    for a ConfigMap, Secret, key or image that is not there, InvalidInput.
    """
    wish = _Wish(context=context, places=places, layers_of=layers_of)
    volumes: dict[str, Planned] = {}
    steps: list[Step] = []
    for each in context.pod.spec.volumes:
        volumes[each.name], more = _planned(each, wish)
        steps += more
    return VolumePlan(places=places, volumes=volumes, steps=(*_homes(places, steps), *steps))


class _Wish(Value):
    """What all kinds look at."""

    context: Context
    places: Places
    layers_of: Callable[[str], tuple[str, ...]] | None = None

    @property
    def group(self) -> int | None:
        """fsGroup, as a process in the pod has it."""
        security = self.context.pod.spec.securityContext
        return security.fsGroup if security else None

    @property
    def owner(self) -> directories.Owner:
        """Who has what is the pod's alone."""
        first = self.places.first_id
        group = None if self.group is None else first + self.group
        return directories.Owner(uid=first, gid=first if group is None else group, shared=group is not None)


def _homes(places: Places, steps: list[Step]) -> Iterator[Step]:
    if not steps:
        return
    for place in (places.data, places.runtime):
        yield Step(
            f"make {place}/volumes",
            Call(paths.make_directory, f"{place}/volumes", 0o700),
            why="for root alone: other users of the host have no way to the pod's files",
            side=HOST,
        )


def _planned(volume: Volume, wish: _Wish) -> tuple[Planned, list[Step]]:
    given = [kind for kind in volume.__fields__ if kind != "name" and getattr(volume, kind) is not None]
    if len(given) > 1:
        raise InvalidInput(
            f"volume {volume.name} has {len(given)} sources: {', '.join(given)}",
            "it can have one content only",
            "make volumes of their own of the others",
        )
    # The API server's default for a volume of which nothing is said.
    kind = given[0] if given else "emptyDir"
    if kind in _PROJECTED:
        return _projection(volume, kind, wish)
    maker = _KINDS.get(kind)
    if maker is None:
        raise Unsupported(
            f"volume {volume.name}: {kind} is not supported",
            "only a cluster, or a driver in it, can provide that",
            "use persistentVolumeClaim (a volume that minirun keeps), hostPath or emptyDir",
        )
    return maker(volume, wish)


def _empty_dir(volume: Volume, wish: _Wish) -> tuple[Planned, list[Step]]:
    source = volume.emptyDir
    limit = _bytes(volume, source.sizeLimit) if source and source.sizeLimit else 0
    medium = source.medium if source else ""
    if medium not in ("", "Memory"):
        raise Unsupported(
            f"volume {volume.name}: emptyDir.medium cannot be {medium!r}",
            "minirun has the disk (no medium) and Memory",
            "leave the medium out",
        )
    place = wish.places.volume(volume.name, memory=bool(medium))
    if not medium:
        found = Planned(name=volume.name, kind="emptyDir", path=place, size_limit=limit)
        return found, [_directory(volume.name, place, wish.owner, "everybody in the pod may write there")]
    size = min([bytes_ for bytes_ in (limit, wish.places.memory) if bytes_], default=0)
    return Planned(name=volume.name, kind="emptyDir", path=place), [
        _memory(volume.name, place, wish.owner, size, "in memory, as far as sizeLimit and the pod's own go")
    ]


def _projection(volume: Volume, kind: str, wish: _Wish) -> tuple[Planned, list[Step]]:
    files = contents.files_of(volume, wish.context)
    place = wish.places.volume(volume.name, memory=kind != _ON_DISK)
    if kind == _ON_DISK:
        home = _directory(volume.name, place, wish.owner, "its files are put here")
    else:
        home = _memory(volume.name, place, wish.owner, 0, "no disk shall keep what is in it")
    fill = Step(
        f"write the files of volume {volume.name}",
        Call(payload.write, place, files, wish.owner),
        why="all at once, by a link that is renamed: nobody sees half of a change",
        side=HOST,
    )
    return Planned(name=volume.name, kind=kind, path=place, readonly=True), [home, fill]


def _host_path(volume: Volume, _wish: _Wish) -> tuple[Planned, list[Step]]:
    source = volume.hostPath
    assert source  # its kind says so
    host_path.check_words(volume.name, source.path, source.type or "")
    return Planned(name=volume.name, kind="hostPath", path=source.path), [
        Step(
            f"look at {source.path}",
            Call(host_path.look, volume.name, source.path, source.type or ""),
            why=f"volume {volume.name} is what the host has there"
            + (f", a {source.type}" if source.type else ""),
            side=HOST,
        )
    ]


def _claim(volume: Volume, wish: _Wish) -> tuple[Planned, list[Step]]:
    source = volume.persistentVolumeClaim
    assert source  # its kind says so
    name = source.claimName
    if not name or not set(name) <= _NAME or not name[0].isalnum() or len(name) > 253:
        raise InvalidInput(
            f"volume {volume.name}: claimName {name!r} is no name",
            "it becomes a volume of minirun's, and has a-z 0-9 . -, no sign first",
            "rename the claim",
        )
    place = f"{wish.places.root}/volumes/{name}/_data"
    steps = [
        Step(
            f"make {place}, if it is missing",
            Call(paths.make_directory, place, 0o755),
            why="a claim is a volume of `minirun volume`: it outlives the pod",
            side=HOST,
        )
    ]
    if wish.group is not None:
        security = wish.context.pod.spec.securityContext
        policy = (security.fsGroupChangePolicy if security else None) or "Always"
        if policy not in ("Always", "OnRootMismatch"):
            raise InvalidInput(
                f"spec.securityContext.fsGroupChangePolicy cannot be {policy!r}",
                "there are Always and OnRootMismatch",
                "correct it",
            )
        steps.append(_change_group(volume.name, place, wish.group, policy))
    return Planned(
        name=volume.name, kind="persistentVolumeClaim", path=place, readonly=source.readOnly
    ), steps


def _change_group(name: str, place: str, group: int, policy: str) -> Step:
    return Step(
        f"give volume {name} to group {group}",
        Call(ownership.change_group, place, group, policy == "OnRootMismatch"),
        why="fsGroup: all that is in it, and all that will be"
        + (", unless its root is the group's already" if policy == "OnRootMismatch" else ""),
        side=HOST,
    )


def _image(volume: Volume, wish: _Wish) -> tuple[Planned, list[Step]]:
    source = volume.image
    assert source  # its kind says so
    if not source.reference:
        raise InvalidInput(f"volume {volume.name}: image.reference is missing", "", "name an image")
    layers = _layers(source.reference, wish)
    # overlayfs wants two layers at least. One alone could be bound, but then who has
    # CAP_SYS_ADMIN could make it writable, for all containers of that image.
    empty = f"{wish.places.volume(volume.name)}.below"
    home = _directory(volume.name, empty, directories.Owner(), "an empty layer, below those of the image")
    if not layers:
        return Planned(name=volume.name, kind="image", path=empty, readonly=True), [home]
    layers = (empty, *layers)
    if wish.places.first_id:
        # overlayfs has no id map of its own, but its layers may: those inside the container.
        return Planned(name=volume.name, kind="image", readonly=True, layers=layers), [home]
    place = wish.places.volume(volume.name, memory=True)
    together = Step(
        f"put together the image of volume {volume.name}",
        Call(directories.mount_layers, place, layers),
        why=f"{source.reference}: its layers as one directory, without an upperdir, so read-only",
        side=HOST,
    )
    return Planned(name=volume.name, kind="image", path=place, readonly=True), [home, together]


def _layers(reference: str, wish: _Wish) -> tuple[str, ...]:
    if wish.layers_of:
        return wish.layers_of(reference)
    return images.resolve(wish.places.root, reference).layers


_KINDS: dict[str, Callable[[Volume, _Wish], tuple[Planned, list[Step]]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "persistentVolumeClaim": _claim,
    "image": _image,
}


def _directory(name: str, place: str, owner: directories.Owner, why: str) -> Step:
    return Step(
        f"make the directory of volume {name}",
        Call(directories.make, place, owner),
        why=why,
        side=HOST,
    )


def _memory(name: str, place: str, owner: directories.Owner, size: int, why: str) -> Step:
    return Step(
        f"mount memory for volume {name}",
        Call(directories.mount_memory, place, owner, size),
        why=why,
        side=HOST,
    )


def _bytes(volume: Volume, text: str) -> int:
    try:
        return quantity.whole(text)
    except ValueError as error:
        raise InvalidInput(
            f"volume {volume.name}: emptyDir.sizeLimit is no quantity", str(error), "for example 64Mi"
        ) from error
