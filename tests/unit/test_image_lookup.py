"""Who USER is, and what file an image shows: against directories, with nothing mounted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from minirun.errors import InvalidInput
from minirun.image.lookup import Account, group, parse_user, user
from minirun.image.merged import find, read_file

PASSWD = b"""root:x:0:0:root:/root:/bin/sh
# a comment:x:5:5::/:
broken:x:notanumber:1::/home/broken:/bin/sh
ann:x:1000:100:Ann:/home/ann:/bin/sh
homeless:x:1001:101:::
ann:x:7:7:second:/second:/bin/sh
short:x:9
+nis
1234:x:55:56:digits:/home/digits:/bin/sh
"""
GROUP = b"""root:x:0:
wheel:x:10:root,ann
users:x:100:ann
dev:x:200:bob,ann
broken:x:zz:ann
annex:x:300:annex
"""


def account(uid: int, gid: int, gids: tuple[int, ...], home: str) -> Account:
    return Account(uid=uid, gid=gid, additional_gids=gids, home=home)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", account(0, 0, (0, 10), "/root")),
        ("0", account(0, 0, (0, 10), "/root")),
        ("root", account(0, 0, (0, 10), "/root")),
        ("ann", account(1000, 100, (100, 10, 200), "/home/ann")),
        ("1000", account(1000, 100, (100, 10, 200), "/home/ann")),
        ("ann:", account(1000, 100, (100, 10, 200), "/home/ann")),
        ("ann:dev", account(1000, 200, (200,), "/home/ann")),
        ("ann:4242", account(1000, 4242, (4242,), "/home/ann")),
        (":dev", account(0, 200, (200,), "/root")),
        ("homeless", account(1001, 101, (101,), "/")),
        ("4242", account(4242, 0, (0,), "/")),
        ("4242:dev", account(4242, 200, (200,), "/")),
        ("1234", account(1234, 0, (0,), "/")),  # a number is an id, even if somebody is called so
        ("2147483647", account(2147483647, 0, (0,), "/")),
    ],
)
def test_user(spec: str, expected: Account) -> None:
    """docker's rules."""
    assert parse_user(spec, PASSWD, GROUP) == expected


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("bob", "bob"),
        ("ann:nobody", "nobody"),
        ("broken", "broken"),
        ("2147483648", "2147483648"),
        ("-1", "-1"),
    ],
)
def test_unknown_user(spec: str, name: str) -> None:
    """The error names whom the image does not know."""
    with pytest.raises(InvalidInput) as caught:
        parse_user(spec, PASSWD, GROUP)
    assert repr(name) in caught.value.what


def test_without_any_file() -> None:
    """Ids need no passwd."""
    assert parse_user("", b"", b"") == account(0, 0, (0,), "/")
    assert parse_user("5:6", b"", b"") == account(5, 6, (6,), "/")
    with pytest.raises(InvalidInput):
        parse_user("root", b"", b"")


def test_bytes_that_are_no_utf8() -> None:
    """A damaged file does not stop who is not concerned."""
    assert parse_user("ann", b"\xff\xfe:x:1:1::/:\n" + PASSWD, b"\xff\n" + GROUP).uid == 1000


class Layers:
    """Layers to fill: ``layers.lower / "etc"``; the names are those of their places."""

    def __init__(self, base: Path) -> None:
        self.paths = [base / name for name in ("lower", "middle", "upper")]
        self.lower, self.middle, self.upper = self.paths
        for path in self.paths:
            path.mkdir()

    def read(self, path: str) -> bytes | None:
        return read_file([str(layer) for layer in self.paths], path)


def put(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def whiteout(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, stat.S_IFCHR, 0)  # free to everybody since Linux 5.8


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return Layers(tmp_path)


def test_the_topmost_wins(layers: Layers) -> None:
    """A file is that of the highest layer that has one."""
    put(layers.lower / "etc/passwd", b"low")
    assert layers.read("etc/passwd") == b"low"
    put(layers.upper / "etc/passwd", b"up")
    assert layers.read("/etc/passwd") == b"up"
    assert layers.read("etc/group") is None
    assert layers.read("etc") is None
    assert layers.read("etc/passwd/x") is None


def test_whiteouts_hide(layers: Layers) -> None:
    """A whiteout ends the search; what is above it is there all the same."""
    put(layers.lower / "a/b")
    put(layers.lower / "c")
    whiteout(layers.middle / "a")
    whiteout(layers.middle / "c")
    assert layers.read("a/b") is None
    assert layers.read("c") is None
    put(layers.upper / "c", b"again")
    put(layers.upper / "a/new")
    assert layers.read("c") == b"again"
    assert layers.read("a/b") is None
    assert layers.read("a/new") == b"x"


def test_opaque_directories_and_files_in_the_way(layers: Layers) -> None:
    """What is below an opaque directory, or below a file, is not to be seen."""
    put(layers.lower / "d/deep/f")
    put(layers.lower / "e/f")
    (layers.middle / "d/deep").mkdir(parents=True)
    os.setxattr(layers.middle / "d", "user.overlay.opaque", b"y")
    put(layers.middle / "e")
    (layers.upper / "e").mkdir()
    assert layers.read("d/deep/f") is None
    assert layers.read("e/f") is None


@pytest.mark.parametrize("target", ["/real/f", "real/f", "../../../real/f", "./real/../real/./f", "/l2"])
def test_links_stay_inside(layers: Layers, target: str) -> None:
    """A link leads from any layer to any other, and never out of the image."""
    put(layers.lower / "real/f", b"found")
    os.symlink(target, layers.upper / "link")
    os.symlink("real/f", layers.middle / "l2")
    assert layers.read("link") == b"found"


def test_links_as_directories(layers: Layers) -> None:
    """usr-merge: /bin is a link; the way goes on behind it, up as well."""
    put(layers.lower / "usr/bin/tool", b"t")
    put(layers.lower / "usr/etc/passwd", b"p")
    os.symlink("usr/bin", layers.upper / "bin")
    assert layers.read("bin/tool") == b"t"
    assert layers.read("bin/../etc/passwd") == b"p"


def test_loops_and_strange_files(layers: Layers) -> None:
    """They are no files: a loop of links, a FIFO, a link to nowhere."""
    os.symlink("loop", layers.lower / "loop")
    os.symlink("nowhere", layers.lower / "dangling")
    os.mkfifo(layers.lower / "fifo")
    assert [layers.read(name) for name in ("loop", "dangling", "fifo")] == [None] * 3


def test_a_host_path_is_not_met(layers: Layers) -> None:
    """An absolute link means the image's root, whatever the host has there."""
    os.symlink("/etc/passwd", layers.upper / "x")
    assert layers.read("x") is None
    assert find([str(layers.lower)], "../../../../etc") is None


def test_too_large(layers: Layers) -> None:
    """A bound, because it is read as a whole."""
    put(layers.lower / "big", b"x" * 1000)
    with pytest.raises(InvalidInput, match="too large"):
        read_file([str(layers.lower)], "big", limit=999)


def test_from_the_layers(layers: Layers) -> None:
    """``user`` and ``group`` read what the image shows."""
    put(layers.lower / "etc/passwd", b"ann:x:1:1::/old:\n")
    put(layers.upper / "etc/passwd", PASSWD)
    put(layers.lower / "etc/group", GROUP)
    paths = [str(layer) for layer in layers.paths]
    assert user(paths, "ann") == account(1000, 100, (100, 10, 200), "/home/ann")
    assert (group(paths, "dev"), group(paths, "77")) == (200, 77)
    with pytest.raises(InvalidInput):
        group(paths, "nobody")
    assert user([], "") == account(0, 0, (0,), "/")
