"""The volumes on disk: which there are, who uses them, and their removal.

Layer ``container``. A volume is the directory ROOT/volumes/NAME/_data; it is
made by the first start that names it (isolation/mounts/bind.py) and outlives
every container, until it is removed here.
"""

from __future__ import annotations

import os

from minirun.container.state import Store, every
from minirun.errors import Conflict, NotFound
from minirun.linux.path import remove_tree
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: Path of a volume -> the pods that claim it, for this layer knows none.
    Claims = Callable[[], Mapping[str, Sequence[str]]]


class StoredVolume(Value):
    """One volume; ``containers`` are the names of those that mount it, running or not.

    ``pods`` are those whose manifest claims it, whether or not a container is there.
    """

    name: str
    path: str
    containers: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()


def volumes(store: Store, claims: Claims = dict) -> list[StoredVolume]:
    """Every volume, by name."""
    used, claimed = _users(store), claims()
    directory = f"{store.root}/volumes"
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    paths = [(name, f"{directory}/{name}/_data") for name in names]
    return [
        StoredVolume(
            name=name, path=path, containers=tuple(used.get(path, ())), pods=tuple(claimed.get(path, ()))
        )
        for name, path in paths
    ]


def find(store: Store, name: str, claims: Claims = dict) -> StoredVolume:
    """The volume ``name``. Raises NotFound."""
    for volume in volumes(store, claims):
        if volume.name == name:
            return volume
    raise NotFound(f"no such volume: {name}", "none has that name", "minirun volume ls lists them all")


def remove(store: Store, name: str, claims: Claims = dict) -> None:
    """Removes a volume and what is in it. Raises NotFound; Conflict while a container or a pod has it."""
    volume = find(store, name, claims)
    if volume.pods:
        raise Conflict(
            f"cannot remove volume {name}",
            f"it is claimed by pod {', '.join(volume.pods)}",
            f"minirun pod rm -f {' '.join(volume.pods)} first",
        )
    if volume.containers:
        raise Conflict(
            f"cannot remove volume {name}",
            f"it is used by {', '.join(volume.containers)}",
            f"minirun rm {' '.join(volume.containers)} first",
        )
    remove_tree(f"{store.root}/volumes/{name}")


def _users(store: Store) -> dict[str, list[str]]:
    """Path of a volume -> the containers that mount it."""
    used: dict[str, list[str]] = {}
    for home in every(store):
        try:
            record = home.record()
        except NotFound:
            continue  # removed while we looked
        for mount in record.spec.mounts:
            used.setdefault(mount.source, []).append(record.name)
    return used
