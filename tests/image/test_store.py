"""Names, ids, saving and removing; several at once; and a death at any moment."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from minirun.errors import Conflict, InvalidInput, NotFound
from minirun.image import store
from minirun.image.archive import load
from minirun.image.remove import gc, rmi
from minirun.image.save import save
from minirun.image.temporary import TemporaryDirectory, sweep
from tests.image.archives import Layout, digest, entry, snapshot, tar
from tests.leaks import wait_for
from tests.needs import needs

pytestmark = needs("root")

REPOSITORY = Path(__file__).parents[2]
ONE = tar(entry("one", content=b"1"))
TWO = tar(entry("two", content=b"2" * 3000))
THREE = tar(entry("three/x", "dir"), entry("three/.wh.y"), entry("three/l", "symlink", linkname="x"))


def put(root: str, place: Path, name: str, *layers: bytes) -> str:
    """Loads an image; its id."""
    path = place / "archive"
    path.write_bytes(Layout().add(name, *layers).pack())
    (found,) = load(root, str(path))
    return store.resolve(root, found).id


def files(root: str) -> list[str]:
    """Blobs, records, names and layers."""
    places = ("images/blobs/sha256", "images/records", "images/names", "layers")
    return sorted(f"{place}/{name}" for place in places for name in os.listdir(f"{root}/{place}"))


# resolve


def test_resolve(root: str, place: Path) -> None:
    """By name in each of its forms, by id and its beginning, by digest."""
    id = put(root, place, "me/app:1", ONE)
    image = store.resolve(root, "me/app:1")
    digits = id.removeprefix("sha256:")
    for reference in ("docker.io/me/app:1", id, digits, digits[:4], digits[:12], f"sha256:{digits[:7]}"):
        assert store.resolve(root, reference) == image
    for reference in (f"me/app@{image.manifest}", f"me/app:1@{image.manifest}", f"me/app@{id}"):
        assert store.resolve(root, reference).id == id
    assert image.names == ("me/app:1",)
    assert image.layers == (f"{root}/layers/{digest(ONE)[7:]}",)


@pytest.mark.parametrize(
    "reference", ["none", "me/app", "me/app:2", "abc", "0" * 12, "0" * 64, "sha256:" + "0" * 64, "x" * 250]
)
def test_not_here(reference: str, root: str, place: Path) -> None:
    """What, why, and how to get one; also where there is no store at all."""
    for _ in range(2):
        with pytest.raises(NotFound) as caught:
            store.resolve(root, reference)
        assert f"image '{reference}' is not here" in caught.value.what
        assert "minirun load" in caught.value.remedy
        put(root, place, "me/app:1", ONE)


@pytest.mark.parametrize(
    "reference", ["", "Bad", "a b", "../../etc/passwd", "a\0b", "a:b:c", "..", "/", "%2e%2e"]
)
def test_no_name_at_all(reference: str, root: str, place: Path) -> None:
    """Neither found nor looked for outside."""
    put(root, place, "me/app:1", ONE)
    with pytest.raises(InvalidInput):
        store.resolve(root, reference)


def test_a_name_that_looks_like_an_id(root: str, place: Path) -> None:
    """The name comes first."""
    put(root, place, "other:1", TWO)
    id = put(root, place, "app:1", ONE)
    prefix = store.resolve(root, "other:1").id.removeprefix("sha256:")[:6]
    store.tag(root, "app:1", prefix)
    assert store.resolve(root, prefix).id == id


def test_an_ambiguous_id(root: str, place: Path) -> None:
    """Two ids that begin alike: made here, for nobody finds two in a life."""
    id = put(root, place, "app:1", ONE).removeprefix("sha256:")
    twin = id[:8] + "f" * 56
    os.link(f"{root}/images/records/{id}", f"{root}/images/records/{twin}")
    with pytest.raises(Conflict, match="more than one"):
        store.resolve(root, id[:8])


def test_resolve_is_cheap() -> None:
    """One open and a few reads; no json, re, hashlib or tarfile."""
    program = (
        "import sys; before = set(sys.modules); from minirun.image import store, config, lookup;"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"json", "re", "hashlib", "tarfile", "msgspec", "typing", "enum", "ctypes", "click"}


# tag, images, save


def test_tag(root: str, place: Path) -> None:
    """One image, two names; the name of another is taken over, which then has none."""
    one, two = put(root, place, "one:1", ONE), put(root, place, "two:1", TWO)
    assert store.tag(root, "one:1", "docker.io/library/alias") == "alias:latest"
    assert store.resolve(root, "alias").id == one
    store.tag(root, one, "two:1")
    assert {image.id: image.names for image in store.images(root)} == {
        one: ("alias:latest", "one:1", "two:1"),
        two: (),
    }
    assert store.resolve(root, two[7:15]).id == two


@pytest.mark.parametrize(
    "name", ["Bad", f"x@{digest(b'')}", "a:b:c", "/".join(["a" * 50] * 5) + ":" + "t" * 60]
)
def test_tag_refuses(name: str, root: str, place: Path) -> None:
    """Names that cannot be given."""
    put(root, place, "one:1", ONE)
    before = files(root)
    with pytest.raises(InvalidInput):
        store.tag(root, "one:1", name)
    assert files(root) == before


def test_save_and_load(root: str, place: Path) -> None:
    """What is saved comes back with the same ids and digests; the same image, the same bytes."""
    put(root, place, "one:1", ONE)
    put(root, place, "me/two:2", ONE, TWO)
    store.tag(root, "one:1", "host.x:5000/one:3")
    for name in ("a", "b"):
        save(root, ["one:1", "host.x:5000/one:3", "me/two:2"], str(place / name))
    assert (place / "a").read_bytes() == (place / "b").read_bytes()
    other = str(place / "other")
    assert load(other, str(place / "a")) == ["one:1", "host.x:5000/one:3", "me/two:2"]
    ours, theirs = store.images(root), store.images(other)
    assert [(i.id, i.manifest, i.names, i.config) for i in ours] == [
        (i.id, i.manifest, i.names, i.config) for i in theirs
    ]
    assert sorted(os.listdir(place)) == ["a", "archive", "b", "other", "root"]


def test_save_what_is_not_there(root: str, place: Path) -> None:
    """Nothing is written."""
    put(root, place, "one:1", ONE)
    with pytest.raises(NotFound):
        save(root, ["one:1", "none"], str(place / "out"))
    assert not (place / "out").exists()


@needs("root", "skopeo")
def test_skopeo_reads_what_we_save(root: str, place: Path) -> None:
    """As an OCI archive and as docker's; and what it makes of it is the same image."""
    put(root, place, "app:1", ONE, TWO)
    save(root, ["app:1"], str(place / "saved"))
    for number, form in enumerate((f"oci-archive:{place}/saved:app:1", f"docker-archive:{place}/saved")):
        out = place / f"out{number}"
        subprocess.run(["skopeo", "copy", "-q", form, f"docker-archive:{out}:app:1"], check=True)
        other = str(place / f"other{number}")
        load(other, str(out))
        assert store.resolve(other, "app:1").id == store.resolve(root, "app:1").id


@needs("root", "podman")
def test_podman_reads_what_we_save(root: str, place: Path) -> None:
    """And we what it saves: with a store of its own."""
    id = put(root, place, "example.com/app:1", ONE, TWO)
    save(root, ["example.com/app:1"], str(place / "saved"))
    podman = ["podman", "--root", place / "p", "--runroot", place / "r", "--tmpdir", place / "t"]
    podman += ["--storage-driver", "vfs"]
    try:
        subprocess.run([*podman, "load", "-q", "-i", place / "saved"], check=True, capture_output=True)
        for form in ("docker-archive", "oci-archive"):
            out = place / form
            subprocess.run(
                [*podman, "save", "-q", "--format", form, "-o", out, "example.com/app:1"], check=True
            )
            other = str(place / f"other-{form}")
            assert load(other, str(out)) == ["example.com/app:1"]
            assert store.resolve(other, "example.com/app:1").id == id
    finally:
        subprocess.run([*podman, "rmi", "-af"], check=False, capture_output=True)


# rmi and gc


def test_rmi(root: str, place: Path) -> None:
    """With the last name the image goes, and what no other image has."""
    put(root, place, "one:1", ONE)
    put(root, place, "two:1", ONE, TWO)
    store.tag(root, "two:1", "alias")
    assert rmi(root, "alias") == ["Untagged: alias:latest"]
    id = store.resolve(root, "two:1").id
    assert rmi(root, "two:1") == ["Untagged: two:1", f"Deleted: {id}"]
    assert os.listdir(f"{root}/layers") == [digest(ONE)[7:]]
    rmi(root, "one:1")
    assert files(root) == []
    with pytest.raises(NotFound):
        rmi(root, "one:1")


def test_rmi_by_id(root: str, place: Path) -> None:
    """An id with several names is ambiguous; --force takes them all."""
    id = put(root, place, "one:1", ONE)
    store.tag(root, "one:1", "alias")
    with pytest.raises(Conflict, match="several names"):
        rmi(root, id[7:19])
    assert len(rmi(root, id[7:19], force=True)) == 3
    assert files(root) == []


def test_rmi_of_an_image_without_a_name(root: str, place: Path) -> None:
    """By its id."""
    id = put(root, place, "one:1", ONE)
    put(root, place, "one:1", TWO)
    assert rmi(root, id) == [f"Deleted: {id}"]
    assert len(store.images(root)) == 1


def test_an_image_in_use(root: str, place: Path) -> None:
    """Refused by the container's name; by force the name goes and the layers stay as long as it."""
    put(root, place, "one:1", ONE)
    put(root, place, "two:1", ONE, TWO)
    used = dict.fromkeys(store.resolve(root, "two:1").layers, "happy")
    with pytest.raises(Conflict) as caught:
        rmi(root, "two:1", in_use=lambda: used)
    assert "happy" in caught.value.why
    assert "happy" in caught.value.remedy
    rmi(root, "one:1", in_use=lambda: used)  # its layer is in use, but "two" has it too
    rmi(root, "two:1", force=True, in_use=lambda: used)
    assert len(os.listdir(f"{root}/layers")) == 2
    assert gc(root, lambda: used) == []
    assert len(gc(root)) == 2
    assert files(root) == []


def test_an_image_that_a_pod_starts_its_containers_from(root: str, place: Path) -> None:
    """Its name is needed, and stays; so is the last of an image that is called by its id."""
    id = put(root, place, "one:1", ONE)
    store.tag(root, "one:1", "alias:1")
    for needed, name in ((store.resolve(root, "alias:1").names[0], "alias:1"), (id, id)):
        with pytest.raises(Conflict) as caught:
            rmi(root, name, force=True, needed=lambda needed=needed: {needed: "web"})
        assert "pod web" in caught.value.why and "minirun pod rm -f web" in caught.value.remedy
    rmi(root, "one:1", needed=lambda: {id: "web"})  # it has another name yet
    assert store.resolve(root, "alias:1").id == id


def test_nothing_is_collected_during_an_intake(root: str, place: Path) -> None:
    """A pipe that is still open: what is unneeded stays until the next time."""
    put(root, place, "one:1", ONE)
    loading = start_loading(root, place)
    try:
        rmi(root, "one:1")
        assert os.listdir(f"{root}/images/names") == []
        assert digest(ONE)[7:] in os.listdir(f"{root}/layers")
    finally:
        loading.kill()
        loading.communicate()
    gc(root)
    assert files(root) == []


def test_gc_of_nothing(root: str) -> None:
    """No store, no error."""
    assert gc(root) == []


def test_gc_removes_broken_names(root: str, place: Path) -> None:
    """A name whose record is gone."""
    put(root, place, "one:1", ONE)
    os.unlink(f"{root}/images/records/{store.resolve(root, 'one:1').id[7:]}")
    with pytest.raises(NotFound):
        store.resolve(root, "one:1")
    gc(root)
    assert files(root) == []


# A death at any moment


def start_loading(root: str, place: Path) -> subprocess.Popen[bytes]:
    """An `import` from a pipe that stays open: it has unpacked the first file and waits."""
    raw = tar(entry("first"), entry("second", content=os.urandom(4 << 20)))
    program = (
        "import sys; from minirun.image.import_ import import_;"
        "import_(sys.argv[1], open(0, 'rb', buffering=0), 'late:1')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, root],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=REPOSITORY,
    )
    assert process.stdin
    process.stdin.write(raw[: 2 << 20])
    process.stdin.flush()

    def unpacked() -> bool:
        return any(Path(root).glob("layers/.tmp-*/root/first"))

    assert not wait_for(lambda: set() if unpacked() else {"not yet"})
    return process


def test_killed_while_it_unpacks(root: str, place: Path) -> None:
    """Only a temporary directory remains; while its owner lives nobody takes it away."""
    put(root, place, "one:1", ONE)
    before = files(root)
    loading = start_loading(root, place)
    assert sweep(root) == []
    (left,) = set(files(root)) - set(before)
    assert left.startswith("layers/.tmp-")
    loading.kill()
    loading.communicate()
    assert sweep(root) == [f"{root}/{left}"]
    assert files(root) == before


_EVENTS = {
    *("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.utime"),
    *("os.chmod", "os.chown", "os.setxattr", "open", "os.listdir", "os.scandir"),
}


def dies_at(moment: int, action: Any) -> bool:
    """Runs ``action`` in a child that is killed before its so manieth step; whether it was."""
    child = os.fork()
    if child == 0:
        try:
            left = moment

            def count(event: str, _: object) -> None:
                nonlocal left
                if event in _EVENTS:
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(count)
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def check_whole(root: str) -> None:
    """Every image has all that it needs, unspoilt; and there is nothing else."""
    blobs, layers = set(), set()
    for image in store.images(root):
        record = store.read_record(root, image.id[7:])
        assert record
        blobs |= {record.id, record.manifest[7:], *(layer.digest[7:] for layer in record.layers)}
        layers |= {layer.diff_id for layer in record.layers}
    for name in os.listdir(f"{root}/images/blobs/sha256"):
        content = Path(f"{root}/images/blobs/sha256/{name}").read_bytes()
        assert hashlib.sha256(content).hexdigest() == name
    assert set(os.listdir(f"{root}/images/blobs/sha256")) == blobs
    assert set(os.listdir(f"{root}/layers")) == layers
    for name, id in store.names(root):
        assert store.resolve(root, name).id == f"sha256:{id}"
    assert not [name for name in files(root) if ".tmp-" in name]


def test_killed_at_any_step_of_load(root: str, place: Path) -> None:
    """Before each call that changes the disk: the image is there whole, or not; the other always is."""
    kept = put(root, place, "kept:1", ONE)
    layers = {layer: snapshot(layer) for layer in store.resolve(root, "kept:1").layers}
    archive = place / "new"
    archive.write_bytes(Layout().add("new:1", ONE, TWO, THREE).pack())
    reference = str(place / "reference")
    load(reference, str(archive))
    whole = [snapshot(layer) for layer in store.resolve(reference, "new:1").layers]
    moment = 0
    while dies_at(moment, lambda: load(root, str(archive))):
        try:
            found = store.resolve(root, "new:1")
        except NotFound:
            found = None
        if found:
            assert [snapshot(layer) for layer in found.layers] == whole
        gc(root)
        check_whole(root)
        assert store.resolve(root, "kept:1").id == kept
        if found:
            rmi(root, "new:1")
        for image in store.images(root):
            if not image.names:  # it died between the record and the name
                rmi(root, image.id)
        moment += 1
    assert moment > 40
    assert [snapshot(layer) for layer in store.resolve(root, "new:1").layers] == whole
    assert {layer: snapshot(layer) for layer in layers} == layers


def test_killed_at_any_step_of_rmi(root: str, place: Path) -> None:
    """The image is whole or gone."""
    put(root, place, "kept:1", ONE)
    put(root, place, "old:1", ONE, TWO, THREE)
    moment = 0
    while dies_at(moment, lambda: rmi(root, "old:1")):
        gc(root)
        check_whole(root)
        put(root, place, "old:1", ONE, TWO, THREE)
        moment += 1
    assert moment > 5
    check_whole(root)
    assert [name for name, _ in store.names(root)] == ["kept:1"]


def test_a_temporary_directory_that_is_swept_at_birth(place: Path) -> None:
    """Its maker notices, and makes another: seen from the outside, it is always locked."""
    above = str(place)
    os.makedirs(f"{place}/layers")
    mine = TemporaryDirectory(f"{above}/layers")
    assert sweep(above) == []
    mine.remove()
    assert os.listdir(f"{place}/layers") == []


# Several at once


def test_many_at_once(root: str, place: Path) -> None:
    """The same image loaded by six, others removed and loaded in between: all succeed."""
    archives = []
    for name, layers in (("shared:1", (ONE, TWO, THREE)), ("a:1", (ONE, TWO)), ("b:1", (TWO,))):
        archives.append(place / name)
        archives[-1].write_bytes(Layout().add(name, *layers).pack())
    program = """
import sys
from minirun.errors import NotFound
from minirun.image.archive import load
from minirun.image.remove import rmi
root, mine, shared = sys.argv[1:]
for _ in range(8):
    (name,) = load(root, mine)
    load(root, shared)
    if "shared" not in mine:
        try:
            rmi(root, name)
        except NotFound:
            pass  # another was faster
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, root, str(archives[number % 3]), str(archives[0])],
            cwd=REPOSITORY,
            stderr=subprocess.PIPE,
        )
        for number in range(6)
    ]
    for process in running:
        assert process.communicate()[1] == b""
        assert process.returncode == 0
    gc(root)
    check_whole(root)
    assert "shared:1" in [name for name, _ in store.names(root)]
    image = store.resolve(root, "shared:1")
    assert Path(image.layers[1], "two").read_bytes() == b"2" * 3000


# The commands


@needs("root", "overlay")
def test_the_commands(minirun: Any, place: Path) -> None:
    """images, tag, save, load, import, rmi as one types them."""
    assert minirun("tag", "busybox", "bb:1", check=True).stdout == ""
    assert "bb           1" in minirun("images", check=True).stdout.replace("\t", " ")
    minirun("save", "-o", str(place / "out"), "bb:1", check=True)
    assert minirun("rmi", "bb:1", check=True).stdout == "Untagged: bb:1\n"
    assert minirun("load", "-i", str(place / "out"), check=True).stdout == "Loaded image: bb:1\n"
    minirun("rmi", "bb:1", check=True)
    (place / "rootfs.tar").write_bytes(ONE)
    id = minirun(
        "import", "-c", 'CMD ["x"]', str(place / "rootfs.tar"), "imported", check=True
    ).stdout.strip()
    assert id == minirun("images", "-q", "--no-trunc", "imported", check=True).stdout.strip()
    assert '"cmd": [\n' in minirun("inspect", "imported", check=True).stdout
    minirun("rmi", "imported", check=True)
    failed = minirun("rmi", "imported")
    assert (failed.returncode, failed.stdout) == (125, "")
    assert "is not here" in failed.stderr
    assert minirun("load", "-i", "/nowhere").returncode == 125


@needs("root", "overlay")
def test_rmi_of_an_image_that_a_container_uses(minirun: Any) -> None:
    """Refused with the container's name."""
    minirun("run", "-d", "--name", "user", "busybox", "sleep", "1000", check=True)
    failed = minirun("rmi", "busybox")
    assert failed.returncode == 125
    assert "user" in failed.stderr
    assert minirun("images", "-q", "busybox").stdout
