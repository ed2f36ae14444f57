"""rootfs-builder: same input, same digest; and what it makes is an OCI image."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import built
from tests.needs import needs

BUILDER = Path(__file__).resolve().parents[2] / "rootfs-builder"

pytestmark = needs("root", "dpkg-query", "busybox")


def builder(module: str) -> Any:
    """A module of rootfs-builder, which is a directory and no package."""
    if str(BUILDER) not in sys.path:
        sys.path.insert(0, str(BUILDER))
    return __import__(module)


def blobs_of(archive: Path) -> dict[str, bytes]:
    """The files of an OCI archive."""
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def manifest_of(files: dict[str, bytes]) -> dict[str, Any]:
    """The manifest that the index names."""
    digest = json.loads(files["index.json"])["manifests"][0]["digest"]
    return dict(json.loads(files["blobs/" + digest.replace(":", "/")]))


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two builds at two places and two times, under another umask: one digest."""
    first = builder("build").build("busybox", tmp_path / "first")
    before = os.umask(0o077)
    try:
        second = builder("build").build("busybox", tmp_path / "second")
    finally:
        os.umask(before)
    assert first.read_bytes() == second.read_bytes()


def test_what_is_up_to_date_is_not_built_again(tmp_path: Path) -> None:
    """The second call leaves the archive alone; a changed input does not."""
    archive = builder("build").build("busybox", tmp_path)
    built = archive.stat().st_ino
    assert builder("build").build("busybox", tmp_path).stat().st_ino == built
    (tmp_path / "busybox.inputs").write_text("an older version\n")
    assert builder("build").build("busybox", tmp_path).stat().st_ino != built


def test_every_blob_is_what_its_name_says(busybox_archive: Path) -> None:
    """Names are digests, sizes are right, and the diff_ids are of the uncompressed layers."""
    files = blobs_of(busybox_archive)
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    manifest = manifest_of(files)
    for descriptor in (manifest["config"], *manifest["layers"]):
        assert len(files["blobs/" + descriptor["digest"].replace(":", "/")]) == descriptor["size"]
    config = json.loads(files["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    layers = [gzip.decompress(files["blobs/" + d["digest"].replace(":", "/")]) for d in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    assert config["config"]["Cmd"] == ["sh"]
    assert len(config["history"]) == len(layers)


@needs("skopeo")
def test_another_tool_reads_it(busybox_archive: Path) -> None:
    """skopeo agrees about the digest."""
    command = ["skopeo", "inspect", "--format", "{{.Digest}} {{.Os}}", f"oci-archive:{busybox_archive}"]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert seen == [builder("layout").digest_of(busybox_archive), "linux"]


def test_busybox_is_a_root_file_system(busybox_rootfs: Path) -> None:
    """A shell that works from inside, applets, the files of /etc, a /tmp for everyone."""
    script = "id -un; ls -d /etc/passwd; echo $(which sh)"
    done = subprocess.run(
        ["chroot", busybox_rootfs, "sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["root", "/etc/passwd", "/bin/sh"]
    assert stat.S_IMODE((busybox_rootfs / "tmp").stat().st_mode) == 0o1777
    assert not (busybox_rootfs / "etc/hosts").exists()  # the runtime's to give


def test_on_a_base_only_the_difference_is_packed(tmp_path: Path) -> None:
    """New, changed, removed and hard-linked files, and nothing else."""
    layer = builder("layer")
    base, tree = tmp_path / "base", tmp_path / "tree"
    for rootfs in (base, tree):
        (rootfs / "etc").mkdir(parents=True)
        (rootfs / "etc/same").write_text("same")
        (rootfs / "etc/changed").write_text(rootfs.name)
        (rootfs / "bin").mkdir()
        (rootfs / "bin/one").write_text("one")
    (base / "gone/deep").mkdir(parents=True)
    (base / "etc/gone").write_text("")
    (tree / "bin/two").hardlink_to(tree / "bin/one")
    (tree / "bin/new").symlink_to("one")

    layer.pack(base, tmp_path / "base.tar", date=1000)
    layer.pack(tree, tmp_path / "top.tar", date=1000, below=[tmp_path / "base.tar"])

    with tarfile.open(tmp_path / "top.tar") as tar:
        members = {member.name: member for member in tar}
    assert list(members) == [
        ".wh.gone", "bin", "bin/new", "bin/one", "bin/two", "etc", "etc/.wh.gone", "etc/changed",
    ]  # fmt: skip
    assert members["bin/two"].linkname == "bin/one"
    assert {member.mtime for member in members.values()} == {1000}
    assert set(layer.stack([tmp_path / "base.tar", tmp_path / "top.tar"])) == set(layer.walk(tree))


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs("mmdebstrap")
def test_python_is_one_layer_on_debian(tmp_path: Path) -> None:
    """Below is Debian's very own layer; on top nothing of it but what dpkg keeps of its packages.

    The tree was bootstrapped twice for that, so any file that differs from one
    build to the next would be in the upper layer. (Built where `make images` has
    them too: it takes a minute, and they are needed there by the tutorial's tests.)
    """
    done = built("python")
    assert done.returncode == 0, done.stderr
    python = BUILDER / "output" / "python.tar"
    below, top = manifest_of(blobs_of(python))["layers"]
    assert [below] == manifest_of(blobs_of(python.with_name("debian.tar")))["layers"]
    assert top["size"] < below["size"] / 2

    lower, upper = (
        builder("layer").stack([layer]) for layer in builder("layout").layers_of(python, tmp_path)
    )
    assert "usr/bin/python3" in upper
    twice = {path for path, entry in upper.items() if path in lower and not entry.header.isdir()}
    assert twice <= {
        "etc/ld.so.cache",
        "var/lib/apt/extended_states",
        "var/lib/dpkg/status",
        "var/lib/dpkg/status-old",
    }
