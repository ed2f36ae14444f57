"""A layer's tar becomes a directory: faithfully, and never outside of it."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from minirun.image.merged import read_file
from minirun.image.streams import Malformed
from tests.image.archives import Entry, entry, snapshot, tar
from tests.needs import needs

pytestmark = needs("root")

Unpacked = Callable[..., Path]

SECRET = "outside/secret"


@pytest.fixture
def outside(place: Path) -> Path:
    """What an archive would like to reach; the test fails if it has changed."""
    directory = place / "outside"
    directory.mkdir()
    (place / SECRET).write_text("secret")
    return directory


# Each makes entries from the path of ``outside``: with a part of the error, or
# with the paths that are inside the layer afterwards.
HOSTILE: dict[str, tuple[Callable[[str], list[Entry]], str | set[str]]] = {
    "dot dot": (lambda out: [entry("../outside/new")], "leads out"),
    "dot dot later": (lambda out: [entry("a/../../outside/new")], "leads out"),
    "dot dot inside": (lambda out: [entry("a/../b")], {"b"}),
    "only dot dot": (lambda out: [entry("..", "dir")], "leads out"),
    "absolute": (lambda out: [entry(f"{out}/new")], {"new"}),
    "link out, write through": (
        lambda out: [entry("l", "symlink", linkname=out), entry("l/new")],
        "No such file",
    ),
    "link up, write through": (
        lambda out: [entry("l", "symlink", linkname="../outside"), entry("l/new")],
        "No such file",
    ),
    "link to the root, write through": (
        lambda out: [entry("l", "symlink", linkname="/../.."), entry("l/new")],
        {"l", "new"},
    ),
    "link to a file, overwrite": (
        lambda out: [entry("l", "symlink", linkname=f"{out}/secret"), entry("l", content=b"evil")],
        {"l"},
    ),
    "link to a directory, replace": (
        lambda out: [entry("l", "symlink", linkname=out), entry("l", "dir", mode=0o700), entry("l/new")],
        {"l", "l/new"},
    ),
    "chain of links": (
        lambda out: [
            entry("a", "dir"),
            entry("a/b", "symlink", linkname=".."),
            entry("a/b/c", "symlink", linkname="../.."),
            entry("c/outside/new"),
        ],
        {"a", "a/b", "c", "outside", "outside/new"},
    ),
    "link swapped under a directory": (
        lambda out: [
            entry("d", "dir"),
            entry("d/x"),
            entry("d", "symlink", linkname="/e"),
            entry("e", "dir"),
            entry("d/new"),
        ],
        {"d", "e", "e/new"},
    ),
    "link on the way to itself": (
        lambda out: [
            entry("d", "dir"),
            entry("d/l", "symlink", linkname="."),
            entry("d/l/l", "dir"),
            entry("d/l/new"),
        ],
        {"d", "d/l", "d/l/new"},
    ),
    "loop of links": (
        lambda out: [
            entry("a", "symlink", linkname="b"),
            entry("b", "symlink", linkname="a"),
            entry("a/new"),
        ],
        "symbolic links",
    ),
    "magic link": (
        lambda out: [entry("l", "symlink", linkname="/proc/self/cwd"), entry("l/new")],
        "No such file",
    ),
    "hard link out": (
        lambda out: [entry("l", "link", linkname=f"{out}/secret")],
        "not there yet",
    ),
    "hard link up": (lambda out: [entry("l", "link", linkname="../outside/secret")], "leads out"),
    "hard link through a link": (
        lambda out: [entry("s", "symlink", linkname=out), entry("l", "link", linkname="s/secret")],
        "not there yet",
    ),
    "hard link to a link, write": (
        lambda out: [
            entry("s", "symlink", linkname=f"{out}/secret"),
            entry("l", "link", linkname="s"),
            entry("l", content=b"evil"),
        ],
        {"s", "l"},
    ),
    "hard link to a directory": (
        lambda out: [entry("d", "dir"), entry("l", "link", linkname="d")],
        "directory",
    ),
    "hard link to itself": (lambda out: [entry("l", "link", linkname="l")], "itself"),
    "hard link to the root": (lambda out: [entry("l", "link", linkname="/")], "root"),
    "hard link to what comes later": (
        lambda out: [entry("l", "link", linkname="f"), entry("f")],
        "not there yet",
    ),
    "whiteout of ..": (lambda out: [entry("d", "dir"), entry("d/.wh...")], "whiteout of nothing"),
    "whiteout of .": (lambda out: [entry(".wh..")], "whiteout of nothing"),
    "whiteout of nothing": (lambda out: [entry(".wh.")], "whiteout of nothing"),
    "something below a whiteout": (lambda out: [entry(".wh.a/b")], "whiteout of nothing"),
    "whiteout through a link": (
        lambda out: [entry("s", "symlink", linkname=out), entry("s/.wh.secret")],
        "No such file",
    ),
    "opaque through a link": (
        lambda out: [entry("s", "symlink", linkname=out), entry("s/.wh..wh..opq")],
        "No such file",
    ),
    "a whiteout by its device": (lambda out: [entry("w", "char")], "0:0"),
    "a file as a directory": (lambda out: [entry("f"), entry("f/new")], "Not a directory"),
    "the root as a file": (lambda out: [entry("./")], "root of a layer"),
    "the root as a link": (lambda out: [entry("/", "symlink", linkname=out)], "root"),
    "no name": (lambda out: [entry("")], "root of a layer"),
    "a zero byte": (lambda out: [entry("x", pax_headers={"path": "a\0b"})], "zero byte"),
    "a long part": (lambda out: [entry("x" * 256)], "File name too long"),
    "a long path": (lambda out: [entry("/".join(["d" * 100] * 50))], "File name too long"),
    "an unknown type": (lambda out: [entry("x", "Z")], "type b'Z'"),
    "another volume": (lambda out: [entry("x", "M")], "type b'M'"),
    "uid -1": (lambda out: [entry("x", pax_headers={"uid": "4294967295"})], "out of range"),
    "uid below": (lambda out: [entry("x", pax_headers={"uid": "-1"})], "out of range"),
    "gid above": (lambda out: [entry("x", "dir", pax_headers={"gid": str(1 << 40)})], "out of range"),
    "no time": (lambda out: [entry("x", pax_headers={"mtime": "nan"})], "impossible value"),
    "a time too far": (lambda out: [entry("x", pax_headers={"mtime": "9" * 30})], "impossible value"),
    "an empty link": (lambda out: [entry("x", "symlink", linkname="")], "No such file"),
    "a bad capability": (
        lambda out: [entry("x", pax_headers={"SCHILY.xattr.security.capability": "zz"})],
        "Invalid argument",
    ),
    "attributes of a link": (
        lambda out: [
            entry("x", "symlink", linkname="y", pax_headers={"SCHILY.xattr.user.a": "1"}),
        ],
        "user attributes",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str, unpacked: Unpacked, place: Path, outside: Path) -> None:
    """Refused with a reason, or done inside the layer; outside nothing has changed."""
    make, expected = HOSTILE[name]
    raw = tar(*make(str(outside)))
    before = snapshot(outside)
    if isinstance(expected, str):
        with pytest.raises(Malformed, match=expected):
            unpacked(raw)
    else:
        found = {os.fsdecode(path) for path in snapshot(unpacked(raw))}
        # "absolute" has the whole path inside.
        assert {path.removeprefix(str(outside)[1:] + "/") for path in found} >= expected
        assert len(found) >= len(expected) + 1
    assert snapshot(outside) == before
    left = {path.name.rstrip("0123456789") for path in place.iterdir()}
    assert left <= {"outside", "layer", "trash", ".tar"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (one, two)
        for one in ("file", "dir", "symlink", "fifo", "char")
        for two in ("file", "dir", "symlink", "fifo")
    ],
)
def test_the_later_wins(first: str, second: str, unpacked: Unpacked) -> None:
    """Two entries of one name; what a replaced directory had in it goes with it."""
    kinds = {"file": stat.S_ISREG, "dir": stat.S_ISDIR, "symlink": stat.S_ISLNK, "fifo": stat.S_ISFIFO}
    below = [entry("a/x/y/z")] if first == "dir" else []
    fields = {"linkname": "t", "devmajor": 1, "devminor": 3}
    layer = unpacked(tar(entry("a/x", first, **fields), *below, entry("a/x", second, mode=0o640, **fields)))
    there = os.lstat(layer / "a/x")
    assert kinds[second](there.st_mode)
    assert os.path.exists(layer / "a/x/y/z") == (first == second == "dir")
    assert second == "symlink" or stat.S_IMODE(there.st_mode) == 0o640


def test_contents_of_a_replaced_file_do_not_reach_its_other_names(unpacked: Unpacked) -> None:
    """A hard link keeps the old file: the later entry is a new one, as with tar(1)."""
    layer = unpacked(
        tar(entry("a", content=b"old"), entry("b", "link", linkname="a"), entry("a", content=b"newer"))
    )
    assert (layer / "a").read_bytes() == b"newer"
    assert (layer / "b").read_bytes() == b"old"


def test_a_hard_link_twice(unpacked: Unpacked) -> None:
    """The second time both are one file already; nothing is lost."""
    again = entry("b", "link", linkname="a")
    layer = unpacked(tar(entry("a", content=b"1"), again, again, entry("c", "link", linkname="/b")))
    assert os.lstat(layer / "a").st_nlink == 3


def test_missing_parents(unpacked: Unpacked) -> None:
    """They are root's, 0755, whatever the umask and a parent with a group's bit say; and without time."""
    old = os.umask(0o077)
    try:
        layer = unpacked(tar(entry("g", "dir", mode=0o2775, gid=7), entry("g/a/b/c", uid=5, gid=6)))
    finally:
        os.umask(old)
    for path in ("g/a", "g/a/b", "."):
        there = os.lstat(layer / path)
        assert (stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid) == (0o755, 0, 0)
        assert there.st_mtime_ns == 0
    assert (os.lstat(layer / "g/a/b/c").st_gid, os.lstat(layer / "g").st_gid) == (6, 7)


def test_the_root_of_the_layer(unpacked: Unpacked) -> None:
    """``./`` is the container's /, so its owner and mode count."""
    layer = unpacked(tar(entry("./", "dir", mode=0o1751, uid=3, gid=4), entry("./x")))
    there = os.lstat(layer)
    assert (stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid) == (0o1751, 3, 4)
    assert there.st_mtime == 1_700_000_000


# Whiteouts


def is_whiteout(path: Path) -> bool:
    there = os.lstat(path)
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def is_opaque(path: Path) -> bool:
    both = {os.getxattr(path, name) for name in os.listxattr(path) if name.endswith("overlay.opaque")}
    return both == {b"y"}


def test_whiteouts(unpacked: Unpacked) -> None:
    """In overlayfs' words, and the tar's are gone."""
    layer = unpacked(tar(entry("d/.wh.gone"), entry("o/.wh..wh..opq"), entry("o/new"), entry("keep.wh.x")))
    assert is_whiteout(layer / "d/gone")
    assert is_opaque(layer / "o")
    assert not is_opaque(layer / "d")
    assert sorted(os.listdir(layer / "o")) == ["new"]
    assert (layer / "keep.wh.x").is_file()


def test_the_opaque_mark_is_written_for_both_kinds_of_mount(unpacked: Unpacked) -> None:
    """trusted. for a mount of the host, user. for one with userxattr in a user namespace."""
    layer = unpacked(tar(entry("o/.wh..wh..opq")))
    assert set(os.listxattr(layer / "o")) == {"trusted.overlay.opaque", "user.overlay.opaque"}


@pytest.mark.parametrize("turned", [False, True])
def test_a_whiteout_and_a_directory_of_one_layer(turned: bool, unpacked: Unpacked) -> None:
    """The directory stays, and hides what was below: layer.md, "Whiteouts"."""
    entries = [entry(".wh.d"), entry("d", "dir"), entry("d/x")]
    layer = unpacked(tar(*(entries[1:] + entries[:1] if turned else entries)))
    assert is_opaque(layer / "d")
    assert (layer / "d/x").is_file()


def test_a_whiteout_and_a_directory_that_is_only_implied(unpacked: Unpacked) -> None:
    """As above, though the archive has no entry for the directory."""
    layer = unpacked(tar(entry(".wh.d"), entry("d/x")))
    assert is_opaque(layer / "d")


@pytest.mark.parametrize("turned", [False, True])
def test_a_whiteout_and_a_file_of_one_layer(turned: bool, unpacked: Unpacked) -> None:
    """The file is there: the whiteout is about the layers below."""
    entries = [entry(".wh.f"), entry("f", content=b"here")]
    layer = unpacked(tar(*(reversed(entries) if turned else entries)))
    assert (layer / "f").read_bytes() == b"here"


def test_books_of_aufs(unpacked: Unpacked) -> None:
    """What old versions of docker left in layers is no file of the image."""
    layer = unpacked(
        tar(entry(".wh..wh.aufs"), entry(".wh..wh.plnk", "dir"), entry(".wh..wh.plnk/9.9"), entry("f"))
    )
    assert os.listdir(layer) == ["f"]


# Everything that a layer keeps


def test_attributes(unpacked: Unpacked) -> None:
    """Mode with set-user-ID, owner, exact time, extended attributes: after all were written."""
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    headers = {
        "mtime": "1234567890.123456789",
        "SCHILY.xattr.user.note": "a\nb=c",
        "SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape"),
    }
    layer = unpacked(tar(entry("s", content=b"x", mode=0o6755, uid=12, gid=34, pax_headers=headers)))
    there = os.lstat(layer / "s")
    assert (stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid) == (0o6755, 12, 34)
    assert there.st_mtime_ns == 1234567890_123456789
    assert os.getxattr(layer / "s", "user.note") == b"a\nb=c"
    assert os.getxattr(layer / "s", "security.capability") == capability


@pytest.mark.parametrize("text", ["-1.5", "0.000000001", "5", "1e3", "1.9999999999"])
def test_times(text: str, unpacked: Unpacked) -> None:
    """Before 1970 too; a form that pax does not have is refused."""
    archive = tar(entry("x", pax_headers={"mtime": text}))
    if "e" in text:
        with pytest.raises(Malformed):
            unpacked(archive)
        return
    expected = {"-1.5": -1_500_000_000, "0.000000001": 1, "5": 5_000_000_000, "1.9999999999": 1_999_999_999}
    assert os.lstat(unpacked(archive) / "x").st_mtime_ns == expected[text]


@pytest.mark.parametrize(
    "name",
    ["trusted.overlay.redirect", "user.overlay.opaque", "trusted.x", "security.selinux", "security.ima"],
)
def test_attributes_that_belong_to_a_host(name: str, unpacked: Unpacked) -> None:
    """They are not the image's to set: overlayfs would follow a redirect."""
    layer = unpacked(tar(entry("d", "dir", pax_headers={f"SCHILY.xattr.{name}": "/etc"})))
    assert os.listxattr(layer / "d") == []


def test_odd_names(unpacked: Unpacked) -> None:
    """Bytes that are no UTF-8, newlines, a leading dash; in names and in links."""
    odd = [b"\xff\xfe", b"a\nb", b"-rf", b"\xc3\xa4", b" ", b"..."]
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        entries = [entry(os.fsdecode(name), "symlink", linkname=os.fsdecode(name)) for name in odd]
        layer = unpacked(tar(*entries, format=format))
        assert set(os.listdir(os.fsencode(layer))) == set(odd)
        assert all(os.readlink(os.fsencode(layer / os.fsdecode(name))) == name for name in odd)


def test_deep(unpacked: Unpacked) -> None:
    """Deeper than any path may be long, by way of links; and it can be removed again."""
    entries: list[Entry] = []
    top = ""
    for number in range(4):
        deep = "/".join(["d"] * 600)
        entries += [entry(f"{top}{deep}", "dir"), entry(f"s{number}", "symlink", linkname=f"{top}{deep}")]
        top = f"s{number}/"
    layer = unpacked(tar(*entries, entry(f"{top}bottom")))
    here = os.open(layer, os.O_RDONLY)
    try:
        for part in [*["d"] * 600 * 4, "bottom"]:
            below = os.open(part, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)


@needs("tar", "root")
@pytest.mark.parametrize("format", ["gnu", "pax", "ustar"])
def test_as_gnu_tar_has_it(format: str, place: Path, unpacked: Unpacked) -> None:
    """A tree with everything in it comes out of GNU tar's archive as it went in."""
    tree = place / "tree"
    (tree / "d/e").mkdir(parents=True)
    (tree / "d/file").write_bytes(os.urandom(100_000))
    (tree / "empty").touch()
    os.link(tree / "d/file", tree / "d/e/hard")
    os.symlink("../nowhere", tree / "d/link")
    os.link(tree / "d/link", tree / "hard link to a link", follow_symlinks=False)
    os.mkfifo(tree / "fifo", 0o604)
    os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(tree / "disk", stat.S_IFBLK | 0o600, os.makedev(259, 300))
    (tree / "suid").touch()
    os.chown(tree / "suid", 1000, 2000)
    os.chmod(tree / "suid", 0o4711)
    os.chmod(tree / "d", 0o1777)
    flags = [f"--format={format}", "--numeric-owner"]
    if format != "ustar":
        flags += ["--sparse"]
        long = tree / ("n" * 120) / ("m" * 200)
        long.mkdir(parents=True)
        (long / ("f" * 255)).write_text("long")
        os.symlink("t" * 300, tree / "long link")
        with open(tree / "sparse", "wb") as file:
            for offset in range(0, 60 << 20, 1 << 20):  # more holes than one header holds
                file.seek(offset)
                file.write(b"data")
            file.truncate(100 << 20)
    if format == "pax":
        os.setxattr(tree / "d/file", "user.a", b"\x00\xffbinary\n")
        os.setxattr(tree / "d", "user.b", b"")
        flags += ["--xattrs", "--xattrs-include=*"]
    archive = place / "t"
    subprocess.run(["tar", *flags, "-C", tree, "-cf", archive, "."], check=True)
    layer = unpacked(archive.read_bytes(), end_mark=True)
    with_times = format == "pax"  # the others keep whole seconds
    assert snapshot(layer, with_times) == snapshot(tree, with_times)
    if format != "ustar":
        assert os.lstat(layer / "sparse").st_blocks * 512 < 10 << 20


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_sparse_forms_of_pax(version: str, place: Path, unpacked: Unpacked) -> None:
    """The three that GNU tar has written."""
    with open(place / "sparse", "wb") as file:
        file.write(b"begin")
        file.seek(5 << 20)
        file.write(b"middle")
        file.truncate(9 << 20)
    done = subprocess.run(
        ["tar", "--format=pax", f"--sparse-version={version}", "-S", "-C", place, "-c", "sparse"],
        capture_output=True,
        check=True,
    )
    layer = unpacked(done.stdout)
    assert (layer / "sparse").read_bytes() == (place / "sparse").read_bytes()
    assert os.lstat(layer / "sparse").st_blocks < 1000


# Together with the kernel


LOWER = tar(
    entry("etc/passwd", content=b"low"),
    entry("etc/group", content=b"g"),
    entry("gone/a/b"),
    entry("opaque/old"),
    entry("opaque/deep/old"),
    entry("dir/x", content=b"x"),
    entry("file-to-dir"),
    entry("dir-to-file/x"),
    entry("reborn/old"),
)
UPPER = tar(
    entry("etc/passwd", content=b"up"),
    entry("etc/.wh.group"),
    entry(".wh.gone"),
    entry("opaque", "dir"),
    entry("opaque/.wh..wh..opq"),
    entry("opaque/deep/new", content=b"new"),
    entry("file-to-dir/y"),
    entry("dir-to-file", content=b"now a file"),
    entry("reborn", "dir"),
    entry("reborn/new"),
    entry(".wh.reborn"),
)
MERGED = {
    "etc/passwd": b"up",
    "opaque/deep/new": b"new",
    "dir/x": b"x",
    "file-to-dir/y": b"",
    "dir-to-file": b"now a file",
    "reborn/new": b"",
}


@needs("root", "overlay", "unshare")
@pytest.mark.parametrize("options", ["", ",userxattr"])
def test_overlayfs_reads_it_so(options: str, place: Path, unpacked: Unpacked) -> None:
    """The kernel merges the layers as the archives meant, and merged.py says the same."""
    layers = [str(unpacked(raw)) for raw in (LOWER, UPPER)]
    merged, out = place / "merged", place / "out"
    merged.mkdir()
    script = 'mount -t overlay o -o "$1" "$2" && tar -C "$2" -cf "$3" .'
    lower = f"lowerdir={layers[1]}:{layers[0]}{options}"
    subprocess.run(["unshare", "-m", "sh", "-ec", script, "sh", lower, merged, out], check=True)
    with tarfile.open(fileobj=io.BytesIO(out.read_bytes())) as archive:
        found = {
            member.name.removeprefix("./"): archive.extractfile(member).read()
            for member in archive
            if member.isfile()
        }
    assert found == MERGED
    hidden = ["etc/group", "gone/a/b", "opaque/old", "opaque/deep/old", "dir-to-file/x", "reborn/old"]
    assert {path: read_file(layers, path) for path in found} == MERGED
    assert {path: read_file(layers, path) for path in hidden} == dict.fromkeys(hidden)
