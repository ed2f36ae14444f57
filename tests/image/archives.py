"""Archives for the tests: tars from a few words, images in both forms, and what a tree looks like."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minirun.image.config import machine

Entry = tuple[tarfile.TarInfo, bytes]

_TYPES = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "link": tarfile.LNKTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}


def entry(name: str, kind: str = "file", content: bytes = b"", **fields: Any) -> Entry:
    """One entry; ``fields`` are those of a TarInfo (mode, uid, linkname, pax_headers ...)."""
    info = tarfile.TarInfo(name)
    info.type = _TYPES.get(kind, kind.encode())
    info.mode = 0o755 if kind == "dir" else 0o644
    info.size = len(content)
    info.mtime = 1_700_000_000
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tar(*entries: Entry, format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar with these entries, as they are: nothing is made safe."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=format, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def digest(raw: bytes) -> str:
    """``sha256:...`` of ``raw``."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def dumped(document: Any) -> bytes:
    """``document`` as JSON."""
    return json.dumps(document).encode()


def configuration(*layers: bytes, **fields: Any) -> dict[str, Any]:
    """An image configuration for these (uncompressed) layers."""
    return {
        "architecture": machine(),
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        **fields,
    }


class Layout:
    """An OCI layout as a dict of files; take it, spoil it, pack it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": dumped({"imageLayoutVersion": "1.0.0"})}
        self.index: dict[str, Any] = {"schemaVersion": 2, "manifests": []}

    def blob(self, raw: bytes, media_type: str, **fields: Any) -> dict[str, Any]:
        """Adds a blob; its descriptor."""
        self.files[f"blobs/sha256/{digest(raw)[7:]}"] = raw
        return {"mediaType": media_type, "digest": digest(raw), "size": len(raw), **fields}

    def manifest(
        self,
        layers: Sequence[bytes],
        packed: Sequence[bytes] = (),
        suffix: str = "",
        config: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Adds an image's blobs; the descriptor of its manifest."""
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(
                dumped(config or configuration(*layers)), "application/vnd.oci.image.config.v1+json"
            ),
            "layers": [
                self.blob(layer, f"application/vnd.oci.image.layer.v1.tar{suffix}")
                for layer in packed or layers
            ],
        }
        return self.blob(dumped(document), document["mediaType"], **fields)

    def add(self, name: str, *layers: bytes, **more: Any) -> Layout:
        """Adds an image called ``name`` to the index; ``more`` as manifest()."""
        annotations = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
        self.index["manifests"].append(self.manifest(layers, **more, **annotations))
        return self

    def all_files(self) -> dict[str, bytes]:
        """The files, the index last, as a writer in one go would have it."""
        return {**self.files, "index.json": dumped(self.index)}

    def pack(self) -> bytes:
        """The layout as a tar."""
        return tar(*(entry(name, content=raw) for name, raw in self.all_files().items()))

    def write(self, directory: Path) -> Path:
        """The layout as a directory."""
        for name, raw in self.all_files().items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        return directory


def docker(name: str, *layers: bytes, **spoilt: bytes) -> bytes:
    """An archive as `docker save` wrote it before version 25; ``spoilt`` files replace the good."""
    raw = dumped(configuration(*layers))
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    files = {
        f"{digest(raw)[7:]}.json": raw,
        **dict(zip(paths, layers, strict=True)),
        "manifest.json": dumped([{"Config": f"{digest(raw)[7:]}.json", "RepoTags": [name], "Layers": paths}]),
    }
    return tar(*(entry(path, content=content) for path, content in {**files, **spoilt}.items()))


def snapshot(directory: str | Path, times: bool = True) -> dict[bytes, tuple[object, ...]]:
    """Everything below ``directory`` with all that a layer keeps, by path."""
    found: dict[bytes, tuple[object, ...]] = {}
    inodes: dict[int, bytes] = {}
    base = os.fsencode(directory)
    for place, directories, files in os.walk(base):
        for path in [place, *(os.path.join(place, name) for name in files + directories)]:
            there = os.lstat(path)
            name = os.path.relpath(path, base)
            if name in found:
                continue
            kind = stat.S_IFMT(there.st_mode)
            content: object = there.st_rdev if kind in (stat.S_IFCHR, stat.S_IFBLK) else None
            if kind == stat.S_IFREG:
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            elif kind == stat.S_IFLNK:
                content = os.readlink(path)
            first = inodes.setdefault(there.st_ino, name) if kind != stat.S_IFDIR else name
            attributes = {
                key: os.getxattr(path, key, follow_symlinks=False)
                for key in os.listxattr(path, follow_symlinks=False)
            }
            found[name] = (
                oct(there.st_mode),
                there.st_uid,
                there.st_gid,
                there.st_mtime_ns if times else None,
                content,
                first,
                tuple(sorted(attributes.items())),
            )
    return found
