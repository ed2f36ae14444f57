"""An image of 125 MB: from a tar to a container that could start."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench.harness import Row, compare, in_turns, spend

SIZE = 125 * 1000 * 1000
LEAST, MOST = 1 << 10, 2 << 20
NAME = "minirun-bench"


def rows(contestants: dict[str, Any]) -> list[Row]:
    """``load``: every digest checked, the layer unpacked."""
    place = Path(tempfile.mkdtemp(prefix="minirun-bench-", dir="/var/tmp"))
    try:
        archive = place / "image.tar"
        entries = write_image(archive)
        acts: dict[str, Any] = {
            "minirun": lambda: load(contestants["minirun"], archive),
            **({"podman": lambda: load(contestants["podman"], archive)} if "podman" in contestants else {}),
        }
        if shutil.which("skopeo") and shutil.which("umoci"):
            acts["skopeo, then umoci unpack"] = lambda: unpack(archive, place)
        times = in_turns(acts, 3, warm=1)
        return [compare(f"`load -i`, {SIZE // 10**6} MB in {entries} files", times, seconds=True)]
    finally:
        shutil.rmtree(place)


def load(peer: Any, archive: Path) -> float:
    """Milliseconds of a load into a store that does not have it yet."""
    spent = timed(lambda: spend(peer("load", "-i", str(archive))))
    spend(peer("rmi", NAME))
    return spent


def unpack(archive: Path, place: Path) -> float:
    """Milliseconds to copy the image into a layout, and to unpack that."""
    layout, bundle = place / "layout", place / "bundle"

    def both() -> None:
        spend(["skopeo", "copy", "-q", "--insecure-policy", f"oci-archive:{archive}", f"oci:{layout}:{NAME}"])
        spend(["umoci", "unpack", "--image", f"{layout}:{NAME}", str(bundle)])

    spent = timed(both)
    shutil.rmtree(layout)
    shutil.rmtree(bundle)
    return spent


def timed(act: Callable[[], object]) -> float:
    """Milliseconds of ``act``, with nobody else's data on the way to the disk."""
    os.sync()
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e3


def write_image(archive: Path) -> int:
    """An OCI archive of one layer: this host's own libraries; how many files."""
    layer = archive.with_name("layer.tar")
    count = 0
    with tarfile.open(layer, "w") as tar:
        for path in own_files():
            tar.add(path, arcname=str(path).lstrip("/"), recursive=False)
            count += 1
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    config = as_json(
        {
            "architecture": machine,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    )
    kind = "application/vnd.oci.image"
    manifest = as_json(
        {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": described(f"{kind}.config.v1+json", config),
            "layers": [
                {
                    "mediaType": f"{kind}.layer.v1.tar",
                    "digest": f"sha256:{digest}",
                    "size": layer.stat().st_size,
                }
            ],
        }
    )
    named = {"annotations": {"org.opencontainers.image.ref.name": f"{NAME}:latest"}}
    entry = described(f"{kind}.manifest.v1+json", manifest) | named
    with tarfile.open(archive, "w") as tar:
        put(tar, "oci-layout", as_json({"imageLayoutVersion": "1.0.0"}))
        put(tar, "index.json", as_json({"schemaVersion": 2, "manifests": [entry]}))
        for blob in (config, manifest):
            put(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        tar.add(layer, arcname=f"blobs/sha256/{digest}")
    layer.unlink()
    return count


def own_files() -> Iterator[Path]:
    """SIZE bytes of this host's libraries, in files of middling size: several thousand."""
    left = SIZE
    for directory, folders, names in os.walk("/usr"):
        folders.sort()
        for name in sorted(names):
            path = Path(directory, name)
            if path.is_symlink() or not path.is_file():
                continue
            size = path.stat().st_size
            if LEAST <= size <= MOST:
                left -= size
                if left < 0:
                    return
                yield path


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def described(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
