"""Paths that an image wrote are resolved inside their root; trees are removed whole."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from minirun.linux import path
from minirun.linux.path import Resolve, open_or_make, openat2, remove_tree
from tests.needs import needs

HEADER = Path("/usr/include/linux/openat2.h")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a secret beside it, and links that lead to the secret."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("secret")
    inside = tmp_path / "root"
    inside.mkdir()
    (inside / "up").symlink_to("../secret")
    (inside / "absolute").symlink_to(tmp_path / "secret")
    (inside / "slash").symlink_to("/")
    (inside / "data").mkdir()
    return inside


def place_of(fd: int) -> str:
    """Where ``fd`` is, and closes it."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


@pytest.mark.parametrize("link", ["up/file", "absolute/file", "../secret/file", "slash/../secret/file"])
def test_no_link_leads_outside(root: Path, link: str) -> None:
    """What is outside is not found, however the link is written."""
    top = os.open(root, os.O_PATH)
    with pytest.raises(FileNotFoundError):
        openat2(top, link, os.O_RDONLY)
    os.close(top)


def test_links_are_followed_inside(root: Path) -> None:
    """An absolute link means the root's own /."""
    top = os.open(root, os.O_PATH)
    assert place_of(openat2(top, "slash/data", os.O_PATH)) == str(root / "data")
    os.close(top)


@pytest.mark.parametrize("link", ["up", "absolute", "slash"])
def test_what_is_made_is_made_inside(root: Path, link: str) -> None:
    """A missing place below a link appears in the root, also where the link leads to nothing there."""
    before = sorted(str(found) for found in (root.parent / "secret").rglob("*"))
    top = os.open(root, os.O_PATH)
    made = place_of(open_or_make(top, f"{link}/new/place", True))
    assert made.startswith(f"{root}/")
    assert place_of(openat2(top, f"{link}/new/place", os.O_PATH)) == made
    os.close(top)
    assert sorted(str(found) for found in (root.parent / "secret").rglob("*")) == before


def test_links_that_lead_nowhere_are_followed_for_a_while(root: Path) -> None:
    """The last of a chain is made; a chain without an end is no way to keep us busy."""
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("/c/d")
    (root / "loop").symlink_to("loop")
    for number in range(20):
        (root / f"long{number}").symlink_to(f"long{number + 1}")
    top = os.open(root, os.O_PATH)
    assert place_of(open_or_make(top, "/a", False)) == str(root / "c" / "d")
    for endless in ("/loop", "/long0"):
        with pytest.raises(OSError, match=r"No such file|Too many levels"):
            open_or_make(top, endless, True)
    os.close(top)


def test_mode_is_not_the_callers_umask(root: Path) -> None:
    """Directories for mounts are open to all users of the container."""
    top = os.open(root, os.O_PATH)
    umask = os.umask(0o077)
    try:
        os.close(open_or_make(top, "/a/b", True))
        os.close(open_or_make(top, "/a/file", False))
    finally:
        os.umask(umask)
        os.close(top)
    assert (root / "a/b").stat().st_mode & 0o777 == 0o755
    assert (root / "a/file").stat().st_mode & 0o777 == 0o644


def test_a_file_is_no_directory(root: Path) -> None:
    """The kind of what is there must fit."""
    (root / "file").touch()
    top = os.open(root, os.O_PATH)
    with pytest.raises(NotADirectoryError):
        open_or_make(top, "/file", True)
    with pytest.raises(IsADirectoryError):
        open_or_make(top, "/data", False)
    os.close(top)


def test_remove_tree_follows_no_link(tmp_path: Path) -> None:
    """Links go, what they point to stays."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/link").symlink_to(kept)
    (tree / "absolute").symlink_to("/etc")
    remove_tree(str(tree))
    assert not tree.exists()
    assert (kept / "file").exists()


def test_remove_tree_of_a_link_removes_the_link(tmp_path: Path) -> None:
    """The path itself is not followed either."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(str(tmp_path / "link"))
    assert sorted(os.listdir(tmp_path)) == ["kept"]


def test_remove_tree_of_nothing(tmp_path: Path) -> None:
    """What is gone already is fine."""
    remove_tree(str(tmp_path / "gone"))
    remove_tree(str(tmp_path / "gone" / "too"))


def test_remove_tree_is_not_afraid_of_depth(tmp_path: Path) -> None:
    """A container may nest deeper than our stack and our descriptors go."""
    here = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("tree", dir_fd=here)
    for name in ["tree"] + ["d"] * 2000:
        inside = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inside
        os.mkdir("d", dir_fd=here)
        os.close(os.open("f", os.O_CREAT, dir_fd=here))
    os.close(here)
    remove_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == []


def test_remove_made_keeps_what_was_there(tmp_path: Path) -> None:
    """Undo takes away what do has made, and nothing else."""
    there, new = str(tmp_path / "there"), str(tmp_path / "deep" / "new")
    os.mkdir(there)
    assert path.make_directory(there, 0o755) is False
    assert path.make_directory(new, 0o700) is True
    path.remove_made(there, False)
    path.remove_made(new, True)
    assert os.path.exists(there)
    assert not os.path.exists(new)


@pytest.mark.skipif(not HEADER.exists(), reason="this machine lacks: linux/openat2.h")
def test_flags_are_the_kernels() -> None:
    """Resolve has the numbers of the header, and all of them."""
    numbers = dict(re.findall(r"#define RESOLVE_(\w+)\s+(0x\w+)", HEADER.read_text()))
    assert {name: int(value, 16) for name, value in numbers.items()} == {
        name: int(member) for name, member in Resolve.__members__.items()
    }


@needs("root")
def test_a_mode_0_directory_is_removed_by_its_owner(tmp_path: Path) -> None:
    """overlayfs' work/work has mode 0: no obstacle, even for a user who is not root."""
    (tmp_path / "tree/work").mkdir(parents=True)
    (tmp_path / "tree/work").chmod(0)
    for place in (tmp_path, tmp_path / "tree", tmp_path / "tree/work"):
        os.chown(place, 12345, 12345)
    for above in tmp_path.parents[:2]:
        above.chmod(0o755)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setresgid(12345, 12345, 12345)
            os.setresuid(12345, 12345, 12345)
            remove_tree(str(tmp_path / "tree"))
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert os.listdir(tmp_path) == []
