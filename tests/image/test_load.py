"""`load` and `import`: what comes in from the archives of others, and what does not."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from minirun.errors import InvalidInput, MinirunError, NotFound, Unsupported
from minirun.image import store
from minirun.image.archive import load
from minirun.image.config import machine
from minirun.image.import_ import import_
from minirun.image.lookup import user
from minirun.image.merged import read_file
from tests.image.archives import Layout, configuration, digest, docker, dumped, entry, snapshot, tar
from tests.needs import needs

pytestmark = needs("root")

BASE = tar(entry("etc", "dir"), entry("etc/passwd", content=b"ann:x:5:6::/home/ann:\n"), entry("old"))
TOP = tar(entry(".wh.old"), entry("etc", "dir"), entry("etc/top", content=b"top"))

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda raw: zstandard.ZstdCompressor().compress(raw),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


def good() -> Layout:
    return Layout().add("app:1", BASE, TOP)


def check_app(root: str, name: str = "app:1") -> None:
    """The image is there, with both layers and what they say."""
    image = store.resolve(root, name)
    assert [os.path.basename(layer) for layer in image.layers] == [digest(BASE)[7:], digest(TOP)[7:]]
    assert read_file(image.layers, "etc/top") == b"top"
    assert read_file(image.layers, "old") is None
    assert user(image.layers, "ann").uid == 5
    assert image.config.cmd == ("/bin/sh",)
    for layer in image.layers:
        assert os.lstat(layer).st_mode & 0o777 == 0o755


def everything(root: str) -> set[str]:
    """All files and layers of the store."""
    found = {f"layers/{name}" for name in os.listdir(f"{root}/layers")}
    for place, _, files in os.walk(f"{root}/images"):
        found |= {os.path.relpath(os.path.join(place, name), root) for name in files}
    return found - {"images/lock", "images/intake.lock"}


def write(place: Path, raw: bytes) -> str:
    (place / "archive").write_bytes(raw)
    return str(place / "archive")


# The good ones


def test_an_oci_archive(root: str, place: Path) -> None:
    """By path: and the id is the digest of the configuration, the manifest's is known too."""
    layout = good()
    assert load(root, write(place, layout.pack())) == ["app:1"]
    check_app(root)
    image = store.resolve(root, "app:1")
    assert image.id == digest(dumped(configuration(BASE, TOP)))
    assert image.manifest == layout.index["manifests"][0]["digest"]


def test_an_oci_directory(root: str, place: Path) -> None:
    """As `skopeo copy oci:` and umoci make it."""
    assert load(root, str(good().write(place / "layout"))) == ["app:1"]
    check_app(root)


def test_a_docker_archive(root: str, place: Path) -> None:
    """As `docker save` made it for years."""
    assert load(root, write(place, docker("docker.io/library/app:1", BASE, TOP))) == ["app:1"]
    check_app(root)
    assert store.resolve(root, "app:1").id == digest(dumped(configuration(BASE, TOP)))


def test_a_docker_archive_whose_layers_are_links(root: str, place: Path) -> None:
    """Where two images share a layer, old versions wrote a link."""
    raw = dumped(configuration(BASE, TOP))
    manifest = [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar"]}]
    archive = tar(
        entry("x.tar", content=BASE),
        entry("a/layer.tar", "symlink", linkname="../x.tar"),
        entry("y.tar", content=TOP),
        entry("b/layer.tar", "link", linkname="./y.tar"),
        entry("c.json", content=raw),
        entry("manifest.json", content=dumped(manifest)),
    )
    load(root, write(place, archive))
    check_app(root)


def test_an_archive_of_both_forms(root: str, place: Path) -> None:
    """docker 25: the layout counts, and manifest.json gives more names."""
    layout = good()
    config = f"blobs/sha256/{digest(dumped(configuration(BASE, TOP)))[7:]}"
    layout.files["manifest.json"] = dumped(
        [{"Config": config, "RepoTags": ["app:1", "other:2"], "Layers": []}]
    )
    assert load(root, write(place, layout.pack())) == ["app:1", "other:2"]
    check_app(root, "other:2")


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("pack", [lambda: good().pack(), lambda: docker("app:1", BASE, TOP)])
def test_compressed_archives(kind: str, pack: Callable[[], bytes], root: str, place: Path) -> None:
    """The whole archive in any compression."""
    load(root, write(place, PACKERS[kind](pack())))
    check_app(root)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_layers(kind: str, root: str, place: Path) -> None:
    """The blob is kept as it came; the directory is the same as of the plain one."""
    packed = [PACKERS[kind](layer) for layer in (BASE, TOP)]
    load(root, write(place, Layout().add("app:1", BASE, TOP, packed=packed, suffix=f"+{kind}").pack()))
    check_app(root)
    for layer in packed:
        assert Path(store.blob_path(root, digest(layer))).read_bytes() == layer
    before = everything(root)
    load(root, write(place, docker("plain:1", BASE, TOP)))
    check_app(root, "plain:1")
    new = everything(root) - before
    assert not any(path.startswith("layers") for path in new)


@pytest.mark.parametrize("source", ["pipe", "file", "memory"])
def test_open_files(source: str, root: str, place: Path) -> None:
    """A pipe is read once; a file is read in place."""
    path = write(place, good().pack())
    if source == "pipe":
        with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
            assert cat.stdout
            load(root, cat.stdout)
    elif source == "file":
        with open(path, "rb") as file:
            load(root, file)
    else:
        load(root, io.BytesIO(Path(path).read_bytes()))
    check_app(root)


def test_several_images_and_no_name(root: str, place: Path) -> None:
    """Each by its name; one without is known by its id."""
    layout = Layout().add("a:1", BASE).add("b", BASE, TOP).add("c:2", TOP).add("", TOP, BASE)
    names = load(root, write(place, layout.pack()))
    assert names[0] == "a:1"
    assert names[2] == "c:2"
    assert all(name.startswith("sha256:") for name in (names[1], names[3]))  # "b" is a mere tag
    assert store.resolve(root, names[3]).names == ()
    assert len(store.images(root)) == 4


def test_names_of_containerd(root: str, place: Path) -> None:
    """Its annotation is the full name; OCI's own is then a tag."""
    layout = Layout()
    annotations = {
        "io.containerd.image.name": "docker.io/library/app:1",
        "org.opencontainers.image.ref.name": "1",
    }
    layout.index["manifests"].append(layout.manifest([BASE, TOP], annotations=annotations))
    assert load(root, write(place, layout.pack())) == ["app:1"]
    check_app(root)


def other_machine() -> str:
    return "s390x" if machine() != "s390x" else "ppc64le"


@pytest.mark.parametrize("nested", [False, True])
def test_one_image_for_several_machines(nested: bool, root: str, place: Path) -> None:
    """This machine's is taken, and nothing of the others."""
    layout = Layout()
    other = tar(entry("other"))
    named = {"annotations": {"org.opencontainers.image.ref.name": "app:1"}}
    both = [
        layout.manifest([other], platform={"os": "linux", "architecture": other_machine()}, **named),
        layout.manifest([BASE, TOP], platform={"os": "linux", "architecture": machine()}, **named),
        layout.manifest([TOP], platform={"os": "unknown", "architecture": "unknown"}, **named),
    ]
    if nested:
        inner = dumped({"schemaVersion": 2, "manifests": both})
        both = [layout.blob(inner, "application/vnd.oci.image.index.v1+json", **named)]
    layout.index["manifests"] = both
    assert load(root, write(place, layout.pack())) == ["app:1"]
    check_app(root)
    assert len(os.listdir(f"{root}/layers")) == 2
    assert len(os.listdir(f"{root}/images/blobs/sha256")) == 4


def test_an_index_of_which_only_a_part_was_saved(root: str, place: Path) -> None:
    """docker saves the index whole and the blobs of one platform."""
    layout = Layout()
    own = layout.manifest([BASE, TOP], platform={"os": "linux", "architecture": machine()})
    absent = {**own, "digest": digest(b"elsewhere")}
    inner = dumped({"schemaVersion": 2, "manifests": [absent, own]})
    layout.index["manifests"] = [
        layout.blob(
            inner,
            "application/vnd.oci.image.index.v1+json",
            annotations={"org.opencontainers.image.ref.name": "app:1"},
        )
    ]
    load(root, write(place, layout.pack()))
    check_app(root)


def test_nothing_for_this_machine(root: str, place: Path) -> None:
    """The error says what there is; nothing is left."""
    layout = Layout()
    for architecture in (other_machine(), "pdp11"):
        layout.index["manifests"].append(
            layout.manifest(
                [tar(entry(architecture))], platform={"os": "linux", "architecture": architecture}
            )
        )
    with pytest.raises(Unsupported, match="pdp11"):
        load(root, write(place, layout.pack()))
    assert everything(root) == set()


def test_an_image_of_another_machine_alone(root: str, place: Path) -> None:
    """It can be loaded; `run` says that it does not fit."""
    config = configuration(BASE, architecture="pdp11")
    load(root, write(place, Layout().add("app:1", BASE, config=config).pack()))
    assert store.resolve(root, "app:1").architecture == "pdp11"


def test_the_same_layer_twice_in_one_image(root: str, place: Path) -> None:
    """An empty layer often comes more than once."""
    load(root, write(place, Layout().add("app:1", BASE, TOP, TOP).pack()))
    assert len(store.resolve(root, "app:1").layers) == 3
    assert len(os.listdir(f"{root}/layers")) == 2


def test_a_layer_that_hides_everything(root: str, place: Path) -> None:
    """An opaque mark at the root: overlayfs would not see it, so the layers below are not mounted."""
    opaque = tar(entry(".wh..wh..opq"), entry("only"))
    load(root, write(place, Layout().add("app:1", BASE, opaque).pack()))
    image = store.resolve(root, "app:1")
    assert [os.path.basename(layer) for layer in image.layers] == [digest(opaque)[7:]]


def test_loading_again_changes_nothing(root: str, place: Path) -> None:
    """The layers are known and not unpacked a second time."""
    path = write(place, good().pack())
    load(root, path)
    inode, before = os.stat(store.resolve(root, "app:1").layers[0]).st_ino, everything(root)
    load(root, path)
    assert os.stat(store.resolve(root, "app:1").layers[0]).st_ino == inode
    assert everything(root) == before


# The bad ones


def without(name: str) -> bytes:
    layout = good()
    del layout.files[name]
    return layout.pack()


def blob_name(raw: bytes) -> str:
    return f"blobs/sha256/{digest(raw)[7:]}"


def with_blob(old: bytes, new: bytes) -> bytes:
    layout = good()
    layout.files[blob_name(old)] = new
    return layout.pack()


def with_descriptor(where: str, **fields: Any) -> bytes:
    """A manifest whose config or first layer is described otherwise."""
    layout = Layout()
    descriptor = layout.manifest([BASE, TOP])
    document = json.loads(layout.files[f"blobs/sha256/{descriptor['digest'][7:]}"])
    (document["config"] if where == "config" else document["layers"][0]).update(fields)
    layout.index["manifests"] = [layout.blob(dumped(document), descriptor["mediaType"])]
    return layout.pack()


def with_index(**fields: Any) -> bytes:
    layout = good()
    layout.index["manifests"][0].update(fields)
    return layout.pack()


def packed_layer(raw: bytes, suffix: str) -> bytes:
    return Layout().add("app:1", BASE, packed=[raw], suffix=suffix).pack()


CONFIG = dumped(configuration(BASE, TOP))
EVIL = tar(entry("../../evil"))

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "truncated"),
    "no tar": (lambda: b"hello world " * 100, "no tar header"),
    "gzip of nothing": (lambda: gzip.compress(b""), "truncated"),
    "cut": (lambda: good().pack()[:3000], "truncated"),
    "cut gzip": (lambda: gzip.compress(good().pack())[:-200], "gzip"),
    "another tar": (lambda: tar(entry("etc/passwd")), "neither an index.json"),
    "no blob": (lambda: without(blob_name(BASE)), "is not there"),
    "no configuration": (lambda: without(blob_name(CONFIG)), "is not there"),
    "a layer's content": (
        lambda: with_blob(BASE, tar(entry("x" * 60, content=b"z" * 60), entry("y"))),
        "should",
    ),
    "a byte of a layer": (lambda: with_blob(TOP, TOP[:1030] + b"!" + TOP[1031:]), "digest should be"),
    "a byte of a configuration": (
        lambda: with_blob(CONFIG, CONFIG.replace(b"sh", b"ls")),
        "digest should be",
    ),
    "size of a layer": (lambda: with_descriptor("layer", size=7), "should have 7"),
    "size of a configuration": (lambda: with_descriptor("config", size=7), "should have 7"),
    "negative size": (lambda: with_descriptor("layer", size=-1), "should have -1"),
    "size as a text": (lambda: with_descriptor("layer", size="7"), "$.layers[0].size"),
    "digest sha512": (lambda: with_descriptor("layer", digest="sha512:" + "0" * 128), "not sha256"),
    "digest as a path": (
        lambda: with_descriptor("layer", digest="sha256:../../../../etc/passwd"),
        "not sha256",
    ),
    "layer of windows": (
        lambda: with_descriptor("layer", mediaType="application/x-msi"),
        "no file system layer",
    ),
    "an artifact": (
        lambda: with_descriptor("config", mediaType="application/vnd.helm+json"),
        "no image conf",
    ),
    "no manifest": (lambda: with_index(mediaType="text/plain"), "is no image"),
    "manifest v1": (
        lambda: with_index(mediaType="application/vnd.docker.distribution.manifest.v1+json"),
        "is no image",
    ),
    "a bad name": (
        lambda: with_index(annotations={"org.opencontainers.image.ref.name": "../../x:1"}),
        "no image name",
    ),
    "an empty index": (lambda: Layout().pack(), "index is empty"),
    "an index of itself": (lambda: nested_for_ever(), "is no image"),
    "wrong diff-id": (
        lambda: Layout().add("a:1", BASE, config=configuration(TOP)).pack(),
        "diff-id should be",
    ),
    "layers missing": (
        lambda: Layout().add("a:1", BASE, config=configuration(BASE, TOP)).pack(),
        "names 2 layers, the manifest 1",
    ),
    "a hostile layer": (lambda: Layout().add("a:1", BASE, EVIL).pack(), "leads out of the layer"),
    "gzip layer cut": (lambda: packed_layer(gzip.compress(BASE)[:-9], "+gzip"), "gzip"),
    "zstd layer cut": (lambda: packed_layer(PACKERS["zstd"](BASE)[:-9], "+zstd"), ""),
    "xz layer": (lambda: packed_layer(lzma.compress(BASE), ""), "xz"),
    "garbage behind gzip": (lambda: packed_layer(gzip.compress(BASE) + b"garbage", "+gzip"), "gzip"),
    "index no JSON": (lambda: tar(entry("index.json", content=b"{")), "truncated"),
    "index not UTF-8": (lambda: tar(entry("index.json", content=b'{"manifests": "\xff"}')), ""),
    "index a list": (lambda: tar(entry("index.json", content=b"[]")), "object"),
    "index a directory": (lambda: tar(entry("index.json", "dir")), "neither"),
    "index too large": (lambda: tar(entry("index.json", content=b" " * (9 << 20))), "no document"),
    "index a loop of links": (lambda: tar(entry("index.json", "symlink", linkname="index.json")), "neither"),
    "docker: no layer": (
        lambda: docker("a:1", BASE, **{"manifest.json": docker_manifest("x")}),
        "is not there",
    ),
    "docker: no configuration": (
        lambda: docker("a:1", BASE, **{"manifest.json": b'[{"Config": "nothing"}]'}),
        "is not there",
    ),
    "docker: a configuration of another name": (
        lambda: tar(
            entry("manifest.json", content=dumped([{"Config": "0" * 64 + ".json", "Layers": []}])),
            entry("0" * 64 + ".json", content=dumped(configuration())),
        ),
        "digest of the configuration",
    ),
    "docker: diff-id": (lambda: docker("a:1", BASE, **{"0/layer.tar": TOP}), "diff-id should be"),
    "docker: a bad name": (lambda: docker("A B", BASE), "no image name"),
    "docker: no list": (lambda: tar(entry("manifest.json", content=b"{}")), "array"),
}


def nested_for_ever() -> bytes:
    layout = good()
    index = "application/vnd.oci.image.index.v1+json"
    for _ in range(8):
        layout.index["manifests"] = [layout.blob(dumped(layout.index), index)]
    return layout.pack()


def docker_manifest(*layers: str) -> bytes:
    config = f"{digest(dumped(configuration(BASE)))[7:]}.json"
    return dumped([{"Config": config, "RepoTags": ["a:1"], "Layers": layers}])


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str, root: str, place: Path) -> None:
    """An error for people that says why; nothing is left, and what was there is untouched."""
    load(root, write(place, Layout().add("kept:1", tar(entry("kept"))).pack()))
    before = everything(root)
    make, why = BAD[name]
    with pytest.raises(InvalidInput) as caught:
        load(root, write(place, make()))
    assert why in str(caught.value)
    assert caught.value.what
    assert caught.value.why
    assert caught.value.remedy
    assert everything(root) == before
    assert {path.name for path in place.iterdir()} == {"root", "archive"}


def test_no_such_file(root: str) -> None:
    """Said so."""
    with pytest.raises(NotFound, match="/nowhere"):
        load(root, "/nowhere")


def test_an_empty_directory(root: str, place: Path) -> None:
    """No layout."""
    (place / "empty").mkdir()
    with pytest.raises(InvalidInput, match="neither"):
        load(root, str(place / "empty"))


@needs("root", "unshare")
def test_no_space(place: Path) -> None:
    """A full disk: said so, and what was written is taken back."""
    layer = tar(entry("big", content=os.urandom(3 << 20)))
    archive = write(place, Layout().add("app:1", layer).pack())
    mount = place / "small"
    mount.mkdir()
    script = (
        'mount -t tmpfs -o size=4m t "$1"; "$2" -m minirun --root "$1/root" load -i "$3";'
        ' echo "code $?"; find "$1/root" -name ".tmp-*" -o -name "*" -size +1k'
    )
    import sys

    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", mount, sys.executable, archive],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.splitlines()[0] == "code 125"
    assert "No space left" in done.stderr
    assert "free some space" in done.stderr
    assert [line for line in done.stdout.splitlines()[1:] if "tmp-" in line or "sha256/" in line] == []


# import


@pytest.mark.parametrize("kind", ["", *PACKERS])
def test_import(kind: str, root: str, place: Path) -> None:
    """A tar of a root file system in any compression; the configuration is ours."""
    raw = PACKERS[kind](BASE) if kind else BASE
    changes = ['CMD ["/bin/sh"]', "ENV A=1", "USER ann", "WORKDIR /w", "LABEL x=y"]
    id = import_(root, write(place, raw), "me/app", changes, message="a note")
    image = store.resolve(root, "me/app")
    assert image.id == id
    assert os.path.basename(image.layers[0]) == digest(BASE)[7:]
    assert (image.config.cmd, image.config.env, image.config.user) == (("/bin/sh",), ("A=1",), "ann")
    assert (image.config.workdir, image.config.labels) == ("/w", {"x": "y"})
    assert (image.config.architecture, image.config.os) == (machine(), "linux")
    config = json.loads(Path(store.blob_path(root, id)).read_bytes())
    assert config["history"][0]["comment"] == "a note"


def test_import_is_reproducible(root: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same input, the same time: the same id."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    path = write(place, BASE)
    assert import_(root, path, "a") == import_(root, path, "b")
    assert store.resolve(root, "a").created == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "truncated"),
        (BASE[:1536], "truncated"),
        (BASE[:700], "truncated"),
        (b"<html>" * 500, "no tar header"),
        (gzip.compress(BASE)[:-20], "gzip"),
        (PACKERS["zstd"](BASE)[:-5], ""),
        (EVIL, "leads out"),
    ],
)
def test_import_of_something_else(raw: bytes, why: str, root: str, place: Path) -> None:
    """Refused, with nothing left."""
    with pytest.raises(InvalidInput) as caught:
        import_(root, write(place, raw), "x")
    assert why in str(caught.value)
    assert everything(root) == set()


def test_import_refuses_before_it_reads(root: str, place: Path) -> None:
    """A bad name or change costs nothing."""
    for reference, changes in (("Bad Name", []), ("x", ["RUN ls"]), (f"x@{digest(b'')}", [])):
        with pytest.raises(InvalidInput):
            import_(root, write(place, BASE), reference, changes)
    assert not os.path.exists(root)


def test_import_of_a_directory(root: str, place: Path) -> None:
    """It is no tar."""
    with pytest.raises(InvalidInput, match="directory"):
        import_(root, str(place), "x")


def test_import_in_little_memory(root: str, place: Path) -> None:
    """A quarter of a gigabyte passes through a process that stays small."""
    import sys

    size = 256 << 20
    info, _ = entry("zeros")
    info.size = size
    with gzip.open(place / "big.tar.gz", "wb", compresslevel=1) as out:
        out.write(info.tobuf())
        for _ in range(size >> 20):
            out.write(bytes(1 << 20))
        out.write(bytes(1024))
    program = (
        "import sys; from minirun.image.import_ import import_; import_(*sys.argv[1:]);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, root, place / "big.tar.gz", "big"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 64 << 10  # KiB
    assert store.resolve(root, "big").size == size


# Other tools write, we read


def directory_of(image: str, root: str, place: Path) -> dict[bytes, tuple[object, ...]]:
    """What a container of the image would see: the kernel's merge of its layers."""
    layers = ":".join(reversed(store.resolve(root, image).layers))
    merged, out = place / "merged", place / "out"
    merged.mkdir()
    out.mkdir()
    script = (
        'mount -t overlay o -o "lowerdir=$1:$2" "$3" && tar -C "$3" -c --xattrs . | tar -C "$4" -xp --xattrs'
    )
    empty = place / "empty"
    empty.mkdir()
    subprocess.run(["unshare", "-m", "sh", "-ec", script, "sh", layers, empty, merged, out], check=True)
    return snapshot(out, times=False)


@needs("root", "umoci", "skopeo", "overlay", "unshare")
def test_umoci_unpacks_the_same(root: str, place: Path, busybox_archive: Path) -> None:
    """busybox with a layer on top that removes and replaces: umoci's root file system and ours."""
    layout, bundle = place / "layout", place / "bundle"
    subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{busybox_archive}", f"oci:{layout}:a"], check=True)
    umoci = ["umoci", "unpack", "--image", f"{layout}:a", str(bundle)]
    subprocess.run(umoci, check=True, capture_output=True)
    rootfs = bundle / "rootfs"
    for path in ("bin/ls", "etc/group"):
        (rootfs / path).unlink()
    subprocess.run(["rm", "-r", rootfs / "root"], check=True)
    (rootfs / "root").write_text("a file now")
    (rootfs / "new/deep").mkdir(parents=True)
    os.link(rootfs / "etc/passwd", rootfs / "new/deep/hard")
    os.mkfifo(rootfs / "new/fifo")
    repack = ["umoci", "repack", "--image", f"{layout}:example.com/b:2", str(bundle)]
    done = subprocess.run(repack, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # umoci adds the new image to the layout; the first has only a tag for a name.
    names = load(root, str(layout))
    other = place / "bundle2"
    subprocess.run([*umoci[:3], f"{layout}:example.com/b:2", str(other)], check=True, capture_output=True)
    theirs = snapshot(other / "rootfs", times=False)
    ours = directory_of("example.com/b:2", root, place)
    assert "example.com/b:2" in names
    assert ours.keys() == theirs.keys()
    assert {path for path in ours if ours[path][:5] != theirs[path][:5]} == set()


@needs("root", "skopeo")
@pytest.mark.parametrize("form", ["docker-archive:{}:app:1", "oci-archive:{}:app:1", "oci:{}:app:1"])
def test_what_skopeo_writes(form: str, root: str, place: Path) -> None:
    """Each form that skopeo knows for a file or a directory."""
    source, target = write(place, good().pack()), place / "copy"
    subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{source}:app:1", form.format(target)], check=True)
    assert load(root, str(target)) == ["app:1"]
    check_app(root)


def test_errors_are_ours(root: str, place: Path) -> None:
    """A store that cannot be made is an error for people as well."""
    (place / "root").write_text("in the way")
    with pytest.raises(MinirunError, match="cannot use the image store"):
        load(root, write(place, good().pack()))
