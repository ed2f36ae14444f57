"""`rmi` and the collection of what no image needs any more.

Layer ``image``. A name is taken away first; when the last is gone the record
goes, and then every blob and layer that no other record mentions. Layers that
a container has mounted stay: ``in_use`` tells which, for this layer knows no
containers. Nothing is collected while somebody adds an image, for that may
count on a layer that is here; the next collection will get it.
"""

from __future__ import annotations

import contextlib
import os

from minirun.errors import Conflict
from minirun.image import store
from minirun.image.changes import changing, try_exclusive_intake
from minirun.image.reference import local_name
from minirun.image.temporary import TemporaryDirectory, sweep
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from minirun.image.config import Image

    #: The directories of layers that are in use, each with a container's name, or ``pod/NAME``.
    InUse = Callable[[], Mapping[str, str]]
    #: The names and ids of images that pods make their containers of, each with a pod's name.
    Needed = Callable[[], Mapping[str, str]]


def rmi(
    root: str, reference: str, force: bool = False, in_use: InUse = dict, needed: Needed = dict
) -> list[str]:
    """Removes the image, or only the name if it has others; lines that say what went.

    Raises NotFound, and Conflict if a container uses it or if an id with
    several names was given; ``force`` removes all names then, and leaves the
    layers that are in use. Of one that is ``needed`` it raises Conflict in any case.
    """
    with changing(root):
        image = store.resolve(root, reference)
        id = image.id.removeprefix("sha256:")
        every = store.names_of(root, id)
        if len(every) > 1 and _is_name(root, reference):
            _refuse_needed(image.names[:1], needed())
            _unlink(store.name_path(root, image.names[0]))
            return [f"Untagged: {image.names[0]}"]
        if len(every) > 1 and not force:
            raise Conflict(
                f"image {id[:12]} has several names",
                ", ".join(every),
                "remove one by name, or all with rmi -f",
            )
        _refuse_needed((*every, image.id), needed())
        if not force:
            _refuse_used(root, image, in_use())
        for name in every:
            _unlink(store.name_path(root, name))
        _unlink(f"{root}/images/records/{id}")
    collect(root, in_use)
    return [*(f"Untagged: {name}" for name in every), f"Deleted: {image.id}"]


def _is_name(root: str, reference: str) -> bool:
    """Whether an image is found by a name here, not by (the beginning of) its id."""
    return "@" in reference or store.read_name(root, local_name(reference)) is not None


def _refuse_needed(names: Sequence[str], needed: Mapping[str, str]) -> None:
    for name in names:
        if name in needed:
            raise Conflict(
                f"image {name} is in use",
                f"pod {needed[name]} makes its containers, or a volume, of it",
                f"minirun pod rm -f {needed[name]} first",
            )


def _refuse_used(root: str, image: Image, used: Mapping[str, str]) -> None:
    id = image.id.removeprefix("sha256:")
    others = _mentioned(root, but=id)[1]
    for layer in image.layers:
        if layer in used and os.path.basename(layer) not in others:
            kind, _, name = used[layer].rpartition("/")
            raise Conflict(
                f"image {image.names[0] if image.names else id[:12]} is in use",
                f"{kind or 'container'} {name} has it mounted",
                f"minirun {f'{kind} rm -f' if kind else 'rm'} {name}, or rmi -f to forget its name only",
            )


def gc(root: str, in_use: InUse = dict) -> list[str]:
    """Removes what crashed commands left, and what no image needs; the paths."""
    if not os.path.isdir(f"{root}/images"):
        return []
    return sweep(root) + collect(root, in_use)


def collect(root: str, in_use: InUse = dict) -> list[str]:
    """Removes blobs and layers that no image mentions and no container uses; their paths."""
    with changing(root), contextlib.ExitStack() as stack:
        alone = try_exclusive_intake(root)
        if alone < 0:
            return []
        stack.callback(os.close, alone)
        digests, diff_ids = _mentioned(root)
        used = in_use()
        removed = _broken_names(root)
        for digits in _listdir(f"{root}/images/blobs/sha256"):
            if digits not in digests:
                removed.append(f"{root}/images/blobs/sha256/{digits}")
                _unlink(removed[-1])
        rubbish = None
        for diff_id in _listdir(f"{root}/layers"):
            path = store.layer_path(root, diff_id)
            if diff_id.startswith(store.TEMPORARY) or diff_id in diff_ids or path in used:
                continue
            if rubbish is None:
                rubbish = TemporaryDirectory(f"{root}/layers")
            os.rename(path, rubbish.path(diff_id))  # gone at once; its files in a while
            removed.append(path)
    if rubbish is not None:
        rubbish.remove()
    return removed


def _mentioned(root: str, but: str = "") -> tuple[set[str], set[str]]:
    """The digits of all blobs and all diff-ids that records mention."""
    blobs: set[str] = set()
    diff_ids: set[str] = set()
    for id in store.ids(root):
        record = store.read_record(root, id) if id != but else None
        if record is None:
            continue
        blobs |= {id, record.manifest[7:], *(layer.digest[7:] for layer in record.layers)}
        diff_ids |= {layer.diff_id for layer in record.layers}
    return blobs, diff_ids


def _broken_names(root: str) -> list[str]:
    """Removes names whose record is gone."""
    removed = []
    for name, id in store.names(root):
        if not os.path.exists(f"{root}/images/records/{id}"):
            removed.append(store.name_path(root, name))
            _unlink(removed[-1])
    return removed


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _listdir(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []
