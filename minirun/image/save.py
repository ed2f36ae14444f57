"""`save`: images become one archive that other tools read.

Layer ``image``. It is an OCI layout (image-layout.md) with docker's
manifest.json beside it, as docker writes it since version 25, so skopeo,
podman, containerd and docker each find what they look for. The blobs are those
of the store: nothing is packed anew, and digests stay.
"""

from __future__ import annotations

import contextlib
import io
import os
import tarfile

from minirun.errors import MinirunError, NotFound
from minirun.image import layout, store
from minirun.image.changes import disk_error
from minirun.image.reference import parse
from minirun.values import TYPE_CHECKING, decode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO

    from minirun.image.config import Image


def save(root: str, references: Sequence[str], out: str | BinaryIO) -> None:
    """Writes the images ``references`` to ``out``, a path or an open file.

    An image given by id is saved with all its names. A file appears under its
    path when it is complete. Raises NotFound for an unknown image.
    """
    wanted = [store.resolve(root, reference) for reference in references]
    if not isinstance(out, str):
        _write(root, wanted, out)
        return
    temporary = f"{out}.tmp-{os.getpid()}"
    try:
        with open(temporary, "xb") as file:
            _write(root, wanted, file)
        os.rename(temporary, out)
    except OSError as error:
        raise disk_error(error, f"cannot save to {out}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _write(root: str, images: list[Image], out: BinaryIO) -> None:
    manifests: list[dict[str, Any]] = []
    docker: dict[str, dict[str, Any]] = {}
    blobs: dict[str, str] = {}
    for image in images:
        path = store.blob_path(root, image.manifest)
        manifest = decode(_read(path, image), layout.Manifest, f"manifest {image.manifest}")
        layers = [layer.digest for layer in manifest.layers or ()]
        for digest in (image.manifest, manifest.config.digest, *layers):
            blobs[digest] = _checked(store.blob_path(root, digest), image)
        manifests += _descriptors(image, os.stat(path).st_size)
        entry = docker.setdefault(
            image.id,
            {"Config": _name(image.id), "RepoTags": [], "Layers": [_name(digest) for digest in layers]},
        )
        entry["RepoTags"] += [name for name in image.names if "@" not in name]
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "oci-layout", layout.as_json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", layout.as_json(_index(manifests)))
        _add(tar, "manifest.json", layout.as_json(list(docker.values())))
        for digest, path in blobs.items():
            with open(path, "rb") as file:
                entry_of = _entry(_name(digest), os.fstat(file.fileno()).st_size)
                tar.addfile(entry_of, file)


def _descriptors(image: Image, size: int) -> list[dict[str, Any]]:
    """One descriptor for each name, as an index has it."""
    plain = {
        "mediaType": layout.OCI_MANIFEST,
        "digest": image.manifest,
        "size": size,
        "platform": {"architecture": image.config.architecture, "os": image.config.os or "linux"},
    }
    named = [
        {**plain, "annotations": {layout.FULL_NAME: parse(name).full, layout.REF_NAME: name}}
        for name in image.names
        if "@" not in name
    ]
    return named or [plain]


def _index(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": layout.OCI_INDEX, "manifests": manifests}


def _name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _checked(path: str, image: Image) -> str:
    if not os.path.exists(path):
        raise NotFound(f"image {image.id[:19]} is not complete", f"{path} is missing", "load the image again")
    return path


def _read(path: str, image: Image) -> bytes:
    try:
        with open(_checked(path, image), "rb") as file:
            return file.read()
    except OSError as error:
        raise MinirunError(f"cannot read {path}", error.strerror or "", "run it as root") from error


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_entry(name, len(content)), io.BytesIO(content))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)  # no time, no owner: the same image gives the same archive
    entry.size = size
    return entry
