"""`load`: images out of an archive that some other tool wrote.

Layer ``image``. Two forms are in use, as a directory or as a tar:

    OCI layout      index.json -> manifest -> configuration and layers, all by
                    digest in blobs/ (image-layout.md): skopeo, podman, buildkit
    docker archive  manifest.json -> a configuration and layers by file name,
                    only the layers' diff-ids to verify: docker save, podman save

docker writes both into one archive since version 25; then the first counts, as
it says more, and the second may add names. Read ``sources.py`` next.
"""

from __future__ import annotations

import os

from minirun.errors import InvalidInput
from minirun.image import layout
from minirun.image.intake import Intake
from minirun.image.layout import Descriptor, DockerEntry, Index, Manifest
from minirun.image.records import Record
from minirun.image.reference import parse
from minirun.image.sources import opened
from minirun.image.streams import Malformed
from minirun.values import TYPE_CHECKING, decode

if TYPE_CHECKING:
    from typing import BinaryIO

    from minirun.image.records import LayerRecord
    from minirun.image.sources import Source

#: A record, and the names that it shall have.
Named = tuple[Record, tuple[str, ...]]


def load(root: str, source: str | BinaryIO) -> list[str]:
    """Adds the images in ``source``, a path or an open file, to the store at ``root``.

    Returns the names they got, or the id (``sha256:...``) of one that has no
    name. Of an image for several platforms this machine's is taken. All images
    are added, or none: raises InvalidInput for an archive that is damaged or
    not what it claims, Unsupported where none is for this machine.
    """
    what = source if isinstance(source, str) else "the archive"
    with Intake(root, f"load {what}") as intake, opened(source, root) as archive:
        index, docker = archive.read("index.json"), archive.read("manifest.json")
        if index is not None:
            images = _layout(archive, intake, index)
            images = _with_docker_names(images, docker) if docker else images
        elif docker is not None:
            images = [_docker_image(archive, intake, entry) for entry in _docker_entries(docker)]
        else:
            raise InvalidInput(
                f"{what} holds no image",
                "there is neither an index.json (OCI) nor a manifest.json (docker) in it",
                f"for the tar of a root file system: minirun import {what} NAME",
            )
        if not images:
            raise InvalidInput(f"{what} holds no image", "its index is empty", "save the image again")
        intake.commit(images)
    return [name for record, names in images for name in names or (f"sha256:{record.id}",)]


# The OCI layout


def _layout(archive: Source, intake: Intake, raw: bytes) -> list[Named]:
    index = decode(raw, Index, "index.json")
    groups: dict[str, list[Descriptor]] = {}
    for number, manifest in enumerate(index.manifests or ()):
        # One name, or no name and a platform: the same image for several machines.
        group = _name(manifest) or ("" if manifest.platform else str(number))
        groups.setdefault(group, []).append(manifest)
    images: dict[str, Named] = {}
    for members in groups.values():
        name = _name(members[0])
        record = _image(archive, intake, _chosen(archive, tuple(members), name or "the archive"))
        names = images[record.id][1] if record.id in images else ()
        images[record.id] = (record, (*names, name) if name else names)
    return list(images.values())


def _name(manifest: Descriptor) -> str:
    """The name of an image in its local form; empty if it has none, or only a tag."""
    annotations = manifest.annotations or {}
    name = annotations.get(layout.FULL_NAME, "")
    if not name:
        name = annotations.get(layout.REF_NAME, "")
        name = name if ":" in name or "/" in name else ""
    return parse(name).local if name else ""


def _chosen(archive: Source, manifests: tuple[Descriptor, ...], what: str) -> Descriptor:
    # An index may list platforms that were not saved with it.
    present = tuple(one for one in manifests if archive.has_blob(one))
    return layout.choose(present or manifests, what)


def _image(archive: Source, intake: Intake, descriptor: Descriptor, depth: int = 0) -> Record:
    raw = archive.document(descriptor)
    if descriptor.mediaType in layout.INDEXES and depth < 4:
        index = decode(raw, Index, f"index {descriptor.digest}")
        chosen = _chosen(archive, index.manifests or (), descriptor.digest)
        return _image(archive, intake, chosen, depth + 1)
    if descriptor.mediaType not in layout.MANIFESTS:
        raise Malformed(f"media type {descriptor.mediaType!r} of {descriptor.digest} is no image")
    manifest = decode(raw, Manifest, f"manifest {descriptor.digest}")
    if manifest.config.mediaType not in layout.CONFIGS:
        raise Malformed(f"media type {manifest.config.mediaType!r} is no image configuration")
    raw_configuration = archive.document(manifest.config)
    document = layout.read_configuration(raw_configuration, f"configuration {manifest.config.digest}")
    diff_ids, blobs = document.rootfs.diff_ids or (), manifest.layers or ()
    if len(diff_ids) != len(blobs):
        raise Malformed(f"the configuration names {len(diff_ids)} layers, the manifest {len(blobs)}")
    layers = [
        intake.layer(archive.blob(blob), diff_id, blob) for blob, diff_id in zip(blobs, diff_ids, strict=True)
    ]
    intake.document(raw)
    return record_of(intake.document(raw_configuration), document, layers, descriptor.digest)


def record_of(id: str, document: layout.Configuration, layers: list[LayerRecord], manifest: str) -> Record:
    """The record of an image; ``id`` and ``manifest`` are digests."""
    return Record(
        id=id.removeprefix("sha256:"),
        manifest=manifest,
        created=document.created or "",
        layers=tuple(layers),
        config=layout.image_config(document),
    )


# docker's archive


def _docker_entries(raw: bytes) -> tuple[DockerEntry, ...]:
    return decode(raw, tuple[DockerEntry, ...], "manifest.json")


def _docker_image(archive: Source, intake: Intake, entry: DockerEntry) -> Named:
    raw = archive.read(entry.Config)
    if raw is None:
        raise Malformed(f"{entry.Config!r} is mentioned and is not there")
    document = layout.read_configuration(raw, entry.Config)
    diff_ids, paths = document.rootfs.diff_ids or (), entry.Layers or ()
    if len(diff_ids) != len(paths):
        raise Malformed(f"{entry.Config} names {len(diff_ids)} layers, manifest.json {len(paths)}")
    layers = []
    for path, diff_id in zip(paths, diff_ids, strict=True):
        file = archive.open(path)
        if file is None:
            raise Malformed(f"the layer {path!r} is mentioned and is not there")
        layers.append(intake.layer(file, diff_id))
    id = intake.document(raw)
    claimed = _id_of_path(entry.Config)
    if claimed and claimed != id.removeprefix("sha256:"):
        raise Malformed(f"the digest of the configuration {entry.Config} is {id}")
    manifest = intake.document(manifest_of(id, len(raw), layers))
    names = tuple(parse(tag).local for tag in entry.RepoTags or () if not tag.startswith("<none>"))
    return record_of(id, document, layers, manifest), names


def manifest_of(id: str, size: int, layers: list[LayerRecord]) -> bytes:
    """An OCI manifest for the configuration ``id`` of ``size`` bytes."""
    return layout.as_json(
        {
            "schemaVersion": 2,
            "mediaType": layout.OCI_MANIFEST,
            "config": {"mediaType": layout.OCI_CONFIG, "digest": id, "size": size},
            "layers": [
                {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.packed}
                for layer in layers
            ],
        }
    )


def _with_docker_names(images: list[Named], raw: bytes) -> list[Named]:
    tags: dict[str, list[str]] = {}
    for entry in _docker_entries(raw):
        names = [parse(tag).local for tag in entry.RepoTags or () if not tag.startswith("<none>")]
        tags.setdefault(_id_of_path(entry.Config), []).extend(names)
    return [(record, tuple(dict.fromkeys((*names, *tags.get(record.id, ()))))) for record, names in images]


def _id_of_path(path: str) -> str:
    """The digits in ``blobs/sha256/HEX`` or ``HEX.json``; empty in another name."""
    digits = os.path.basename(path).removesuffix(".json")
    return digits if len(digits) == 64 else ""
