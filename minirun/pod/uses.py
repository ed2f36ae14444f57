"""What pods need of the store: images, their layers, volumes.

Layer: pod. A container that waits, or is about to be restarted, has no record that
tells of its image, and its pod has: so who removes an image or a volume asks here,
too. Read ``image/remove.py`` and ``container/volume_store.py`` for the askers.
"""

from __future__ import annotations

import os

from minirun.container.files import read
from minirun.errors import MinirunError
from minirun.image import store as images
from minirun.image.reference import local_name
from minirun.pod.state import Pods
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.state import Store
    from minirun.pod.manifest.types import PodSpec
    from minirun.pod.state import PodHome
    from minirun.spec import Mount


def image_names(store: Store, ended: bool = True) -> dict[str, str]:
    """The names of images that pods make containers or volumes of, or the ids, each with a pod's name.

    Without those that have ``ended``, if that is said: nothing is made of theirs any more.
    """
    used: dict[str, str] = {}
    for home in Pods(store=store):
        try:
            if ended or not home.progress().seen.phase:
                record = home.record()
                used |= {_key(store.root, each): record.name for each in references(record.pod.spec)}
        except MinirunError:
            continue  # removed meanwhile, or damaged
    return used


def references(spec: PodSpec) -> Iterator[str]:
    """What the manifest calls the images that it wants."""
    for container in (*spec.initContainers, *spec.containers):
        yield container.image
    for volume in spec.volumes:
        if volume.image and volume.image.reference:
            yield volume.image.reference


def _key(root: str, reference: str) -> str:
    """The name by which the image is found; its id if that is how, or where nothing is found."""
    try:
        name = local_name(reference)
        return name if images.read_name(root, name) else images.resolve(root, reference).id
    except MinirunError:
        return reference


def layers(store: Store) -> dict[str, str]:
    """The directories of layers that volumes of pods are mounted of, each with ``pod/NAME``.

    Also of one that is being made, or removed; with its uid where there is no record of it any more.
    """
    used: dict[str, str] = {}
    pods = Pods(store=store)
    for home in map(pods.home, pods.uids()):
        if mounted := list(_mounted(home)):
            used |= dict.fromkeys(mounted, f"pod/{_name(home)}")
    return used


def _name(home: PodHome) -> str:
    try:
        return home.record().name
    except MinirunError:
        return home.uid


def _mounted(home: PodHome) -> Iterator[str]:
    """As volumes/directories.py has noted it, beside each mount."""
    place = f"{home.runtime}/volumes"
    for name in os.listdir(place) if os.path.isdir(place) else ():
        if name.endswith(".layers"):
            yield from os.fsdecode(read(f"{place}/{name}") or b"").splitlines()


def layers_of(mount: Mount) -> list[str]:
    """Those of an image that is put together inside a container (volumes/mounting.py)."""
    lower = next((word[9:] for word in mount.options if word.startswith("lowerdir=")), "")
    parts = lower.replace("\\\\", "\0").replace("\\:", "\1").split(":") if mount.type == "overlay" else []
    return [part.replace("\0", "\\").replace("\1", ":") for part in parts]


def volumes(store: Store) -> dict[str, list[str]]:
    """Path of a volume -> the pods that claim it (persistentVolumeClaim)."""
    used: dict[str, list[str]] = {}
    for home in Pods(store=store):
        try:
            record = home.record()
        except MinirunError:
            continue  # removed meanwhile, or damaged
        for volume in record.pod.spec.volumes:
            if volume.persistentVolumeClaim:
                path = f"{store.root}/volumes/{volume.persistentVolumeClaim.claimName}/_data"
                used.setdefault(path, []).append(record.name)
    return used
