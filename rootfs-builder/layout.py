"""An OCI image as one tar file: blobs by digest, a manifest, an index.

Read image-spec's image-layout.md, manifest.md and config.md beside it:

    oci-layout            which version of the layout this is
    index.json            names the manifest
    blobs/sha256/...      the manifest, the config it names, and the layers
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from recipe import output_of

MEDIA = "application/vnd.oci.image"


class Image(NamedTuple):
    """What the config of an image says, besides its layers."""

    name: str
    date: int
    command: list[str]
    environment: dict[str, str]
    made_by: str


def write(archive: Path, image: Image, layer: Path, base: Path | None) -> None:
    """Writes the image whose top layer is the tar ``layer``, on the layers of ``base``."""
    blobs: dict[str, bytes] = {}
    config, layers = _below(base, blobs) if base else ({"rootfs": {"diff_ids": []}, "history": []}, [])

    compressed = compress(layer.read_bytes())
    layers.append(_put(blobs, f"{MEDIA}.layer.v1.tar+gzip", compressed))
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(image.date))
    config = {
        "created": created,
        "architecture": architecture(),
        "os": "linux",
        "config": {"Env": [f"{k}={v}" for k, v in image.environment.items()], "Cmd": image.command},
        "rootfs": {"type": "layers", "diff_ids": [*config["rootfs"]["diff_ids"], digest(layer.read_bytes())]},
        "history": [*config["history"], {"created": created, "created_by": image.made_by}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": _put(blobs, f"{MEDIA}.config.v1+json", _json(config)),
        "layers": layers,
    }
    named = _put(blobs, f"{MEDIA}.manifest.v1+json", _json(manifest))
    named["annotations"] = {"org.opencontainers.image.ref.name": f"{image.name}:latest"}
    index = {"schemaVersion": 2, "mediaType": f"{MEDIA}.index.v1+json", "manifests": [named]}
    _write_tar(
        archive, {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": _json(index), **blobs}
    )


def compress(layer: bytes) -> bytes:
    """gzip without the name and the time that its header would tell."""
    return gzip.compress(layer, compresslevel=6, mtime=0)


def digest(content: bytes) -> str:
    """``sha256:`` and the hexadecimal digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def architecture() -> str:
    """The machine in the words of OCI, which are Go's; on 64 bits they are Debian's too."""
    debian = output_of("dpkg", "--print-architecture").strip()
    return {"armhf": "arm", "i386": "386", "ppc64el": "ppc64le"}.get(debian, debian)


def digest_of(archive: Path) -> str:
    """The digest of the image (of its manifest) in an archive."""
    with tarfile.open(archive) as tar:
        return str(_read(tar, "index.json")["manifests"][0]["digest"])


def layers_of(archive: Path, into: Path) -> list[Path]:
    """Unpacks the layers of an image to tar files, the lowest first."""
    paths = []
    with tarfile.open(archive) as tar:
        manifest = _read(tar, _blob(_read(tar, "index.json")["manifests"][0]["digest"]))
        for number, layer in enumerate(manifest["layers"]):
            paths.append(into / f"below.{number}.tar")
            with gzip.open(_member(tar, _blob(layer["digest"]))) as content, paths[-1].open("wb") as out:
                shutil.copyfileobj(content, out)
    return paths


def _below(base: Path, blobs: dict[str, bytes]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The config and the layers of the base, whose blobs come along."""
    with tarfile.open(base) as tar:
        manifest = _read(tar, _blob(_read(tar, "index.json")["manifests"][0]["digest"]))
        for layer in manifest["layers"]:
            blobs[_blob(layer["digest"])] = _member(tar, _blob(layer["digest"])).read()
        return _read(tar, _blob(manifest["config"]["digest"])), manifest["layers"]


def _put(blobs: dict[str, bytes], media_type: str, content: bytes) -> dict[str, Any]:
    """Adds a blob; returns its descriptor (image-spec, descriptor.md)."""
    blobs[_blob(digest(content))] = content
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def _blob(of: str) -> str:
    return "blobs/" + of.replace(":", "/")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _read(tar: tarfile.TarFile, name: str) -> Any:
    return json.load(_member(tar, name))


def _member(tar: tarfile.TarFile, name: str) -> Any:
    return tar.extractfile(name)


def _write_tar(archive: Path, files: dict[str, bytes]) -> None:
    unfinished = archive.with_suffix(".unfinished")
    with tarfile.open(unfinished, "w") as tar:
        for name, content in sorted(files.items()):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    unfinished.replace(archive)
