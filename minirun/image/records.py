"""One small file per image, with what a start needs of it.

Layer ``image``. The truth is in the blobs: a manifest, a configuration, both
JSON. Reading JSON at every start would cost more than making a network
namespace (``import json`` alone is 10 ms), so whoever adds an image reads the
documents once and leaves a record, in ``marshal``, the interpreter's own form
for constants: built in, and it cannot name a class or a function. Read
``store.py`` next.
"""

from __future__ import annotations

import marshal

from minirun.errors import InvalidInput
from minirun.image.config import Image, ImageConfig
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from typing import Any

#: Changes when the fields do; a record of another version is refused.
VERSION = 1


class LayerRecord(Value):
    """A layer: its directory's name, the blob that it came from, and its sizes.

    ``opaque`` says that the layer hides everything below it. overlayfs takes
    no notice of that mark at the root of a layer, so the store leaves the
    layers below out.
    """

    diff_id: str
    """The sha256 of the tar in hexadecimal digits: the directory's name."""
    digest: str
    """The digest of the blob, which may be the tar compressed."""
    media_type: str
    packed: int
    unpacked: int
    opaque: bool = False


class Record(Value):
    """One image; ``id`` in hexadecimal digits, ``manifest`` a digest."""

    id: str
    manifest: str
    created: str = ""
    layers: tuple[LayerRecord, ...] = ()
    config: ImageConfig = ImageConfig()


def image(record: Record, root: str, names: tuple[str, ...] = ()) -> Image:
    """The record's image in the store at ``root``."""
    visible = 0
    for number, layer in enumerate(record.layers):
        if layer.opaque:
            visible = number
    return Image(
        id=f"sha256:{record.id}",
        names=names,
        layers=tuple([f"{root}/layers/{layer.diff_id}" for layer in record.layers[visible:]]),
        config=record.config,
        manifest=record.manifest,
        created=record.created,
        size=sum([layer.unpacked for layer in record.layers]),
    )


def pack(record: Record) -> bytes:
    """The bytes of a record's file."""
    fields = _fields(record)
    fields["layers"] = tuple(_fields(layer) for layer in record.layers)
    fields["config"] = _fields(record.config)
    # Form 2 of marshal is readable to every Python since 2.5.
    return marshal.dumps((VERSION, fields), 2)


def unpack(raw: bytes, path: str) -> Record:
    """The record in ``raw``, which was read from ``path``."""
    try:
        version, fields = marshal.loads(raw)
        if version != VERSION:
            raise ValueError(f"it has version {version}, this minirun reads {VERSION}")
        fields["layers"] = tuple([LayerRecord(**layer) for layer in fields["layers"]])
        fields["config"] = ImageConfig(**fields["config"])
        return Record(**fields)
    except (EOFError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"the record {path} is not readable", str(error), "load the image again"
        ) from error


def _fields(value: Value) -> dict[str, Any]:
    return {field: getattr(value, field) for field in type(value).__fields__}
