"""The images on disk, and the way from a name to one of them.

Layer ``image``. Everything hangs below ROOT, which every function is given:

    ROOT/images/names/NAME          a symbolic link to a record; "/" is written %2F
    ROOT/images/records/ID          what a start needs of the image (records.py)
    ROOT/images/blobs/sha256/HEX    the documents and packed layers, by digest
    ROOT/images/lock                held to change names and records
    ROOT/images/intake.lock         held, shared, while something is added
    ROOT/layers/DIFF-ID/            a layer, unpacked; shared by images, read-only

Readers take no lock: a name is put in its place by rename(2), so a reader
meets the old image or the new one. ``resolve`` opens one file and imports
nothing, since every start pays for it. What makes the files is in
``intake.py``; read that next, then ``archive.py``.
"""

from __future__ import annotations

import os

from minirun.errors import Conflict, InvalidInput, NotFound
from minirun.image import records
from minirun.image.reference import is_digest, is_hex, local_name
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.image.config import Image
    from minirun.image.records import Record

#: Names that begin so are half-made (temporary.py) and belong to nobody else.
TEMPORARY = ".tmp-"


def resolve(root: str, reference: str) -> Image:
    """The image called ``reference``: a name, an id, or at least 4 digits of one.

    Raises NotFound; Conflict where several ids begin like that; InvalidInput
    where ``reference`` could not be a name.
    """
    name = local_name(reference)
    record = read_name(root, name)
    if record is not None:
        return records.image(record, root, (name,))
    return _resolve_otherwise(root, reference)


def _resolve_otherwise(root: str, reference: str) -> Image:
    """An id, the beginning of one, or a name with the digest of a manifest."""
    digits = reference.removeprefix("sha256:")
    if is_hex(digits) and 4 <= len(digits) <= 64:
        record = _by_id(root, digits)
        if record is not None:
            return records.image(record, root, tuple(names_of(root, record.id)))
    if is_hex(digits) and (digits != reference or len(digits) == 64):
        raise _not_found(reference)  # an id, so it is no use to take it apart as a name
    from minirun.image.reference import parse

    wanted = parse(reference)
    if wanted.digest:
        for name, id in names(root):
            if name.startswith((f"{wanted.name}:", f"{wanted.name}@")):
                record = read_record(root, id)
                if record and wanted.digest in (record.manifest, f"sha256:{record.id}"):
                    return records.image(record, root, (name,))
    raise _not_found(reference)


def _by_id(root: str, digits: str) -> Record | None:
    hits = [id for id in ids(root) if id.startswith(digits)]
    if len(hits) > 1:
        raise Conflict(
            f"more than one image begins with {digits}",
            ", ".join(id[:12] for id in hits),
            "give more digits, or a name",
        )
    return read_record(root, hits[0]) if hits else None


def _not_found(reference: str) -> NotFound:
    return NotFound(
        f"image '{reference}' is not here",
        "no image in the store has that name or id, and there is no registry yet to ask",
        "make images  (or: minirun load -i FILE; `minirun images` lists what is here)",
    )


def images(root: str) -> list[Image]:
    """Every image, the newest first; one that lost its names has none."""
    named: dict[str, list[str]] = {}
    for name, id in names(root):
        named.setdefault(id, []).append(name)
    found = []
    for id in ids(root):
        record = read_record(root, id)
        if record is not None:
            found.append(records.image(record, root, tuple(named.get(id, ()))))
    return sorted(found, key=lambda image: (image.created, image.id), reverse=True)


def tag(root: str, source: str, destination: str) -> str:
    """Gives the image ``source`` one more name; the name as it is kept."""
    from minirun.image.changes import changing, write_name
    from minirun.image.reference import parse

    target = parse(destination)
    if target.digest:
        raise InvalidInput(
            f"{destination!r} cannot be given to an image",
            "a digest follows from the content",
            "give a name and a tag",
        )
    with changing(root):
        image = resolve(root, source)
        write_name(root, target.local, image.id.removeprefix("sha256:"))
    return target.local


def names(root: str) -> Iterator[tuple[str, str]]:
    """Every name with the id (in digits) that it points to, in the names' order."""
    for entry in sorted(_listdir(f"{root}/images/names")):
        try:
            target = os.readlink(f"{root}/images/names/{entry}")
        except FileNotFoundError:
            continue  # removed meanwhile
        yield entry.replace("%2F", "/").replace("%25", "%"), target.rpartition("/")[2]


def names_of(root: str, id: str) -> list[str]:
    """The names of the image with ``id``, in digits."""
    return [name for name, target in names(root) if target == id]


def ids(root: str) -> list[str]:
    """The ids of all images, in digits."""
    return _listdir(f"{root}/images/records")


def read_record(root: str, id: str) -> Record | None:
    """The record of the image with ``id`` (in digits), None if there is none."""
    return _read(f"{root}/images/records/{id}")


def read_name(root: str, name: str) -> Record | None:
    """The record that ``name`` points to."""
    return _read(name_path(root, name))


def name_path(root: str, name: str) -> str:
    """Where ``name``, in its local form, is kept."""
    return f"{root}/images/names/{name.replace('%', '%25').replace('/', '%2F')}"


def blob_path(root: str, digest: str) -> str:
    """Where the blob with ``digest`` is kept; the digest is checked, it may come from outside."""
    if not is_digest(digest):
        raise InvalidInput(
            f"{digest!r} is no digest",
            "only sha256 and 64 digits are known here",
            "make the image with sha256",
        )
    return f"{root}/images/blobs/sha256/{digest[7:]}"


def layer_path(root: str, diff_id: str) -> str:
    """Where the layer with ``diff_id`` (in digits) is unpacked."""
    return f"{root}/layers/{diff_id}"


def _read(path: str) -> Record | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        import errno

        if error.errno == errno.ENAMETOOLONG:
            return None
        raise
    try:
        raw = b""
        while block := os.read(fd, 1 << 16):
            raw += block
    finally:
        os.close(fd)
    return records.unpack(raw, path)


def _listdir(path: str) -> list[str]:
    try:
        found = os.listdir(path)
    except FileNotFoundError:
        return []
    return [entry for entry in found if not entry.startswith(TEMPORARY)]
