"""The root file system: what is read comes from the layers, what is written goes to the upperdir."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from minirun.isolation import mounts, overlay
from minirun.isolation.mounts.defaults import default_mounts
from minirun.linux import mount, path
from minirun.linux.mount import MountFlag
from minirun.steps import HOST, INIT, Walk
from tests.kernel.rootfs import host_side, hosts_mountinfo, in_child, inside, make_spec, mountinfo, with_root
from tests.needs import needs

pytestmark = [needs("root", "overlay"), pytest.mark.bed]

PROC = default_mounts()[:1]


def layers(where: Path, *contents: dict[str, str]) -> tuple[str, ...]:
    """A directory per layer with these files, the lowest first."""
    for number, files in enumerate(contents):
        directory = where / f"layer{number}"
        directory.mkdir(parents=True)
        for name, text in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
    return tuple(str(where / f"layer{number}") for number in range(len(contents)))


def tree(top: Path) -> dict[str, str]:
    """Every file below ``top`` and what it says."""
    return {str(found.relative_to(top)): found.read_text() for found in top.rglob("*") if found.is_file()}


def test_the_top_wins_and_writes_go_to_the_upperdir(tmp_path: Path) -> None:
    """Layers are read-only and shared; a container has its own changes."""
    spec = with_root(
        make_spec(tmp_path), layers=layers(tmp_path, {"a": "low", "b": "low"}, {"b": "top"}, {"c/d": "d"})
    )

    def look() -> list[str]:
        seen = [Path(name).read_text() for name in ("/a", "/b", "/c/d")]
        Path("/a").write_text("changed")
        Path("/new").write_text("new")
        return seen

    before = [tree(Path(layer)) for layer in spec.root.layers]
    steps = [
        *overlay.host_steps(spec),
        *mounts.private_root(spec),
        *overlay.mount(spec),
        *mounts.pivot(spec),
    ]
    with host_side(steps) as walk:
        assert in_child(lambda: (Walk(steps, INIT, walk.results).run(), look())[1]) == ["low", "top", "d"]
        assert tree(Path(spec.root.upperdir)) == {"a": "changed", "new": "new"}
        assert [tree(Path(layer)) for layer in spec.root.layers] == before


def test_nothing_is_mounted_on_the_host(tmp_path: Path) -> None:
    """The overlay lives in the container's mount namespace and goes with it."""
    spec = make_spec(tmp_path, PROC)
    before = hosts_mountinfo()
    assert inside(spec, lambda: mountinfo()["/"]["type"]) == "overlay"
    assert hosts_mountinfo() == before


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\\b", "a b", "a\\:b,c", "ä"])
def test_signs_in_directories(tmp_path: Path, name: str) -> None:
    """A store may lie in a directory of any name."""
    odd = tmp_path / name
    odd.mkdir()
    spec = with_root(make_spec(odd), layers=layers(odd, {"file": "here"}, {"other": "x"}))
    assert inside(spec, lambda: [Path("/file").read_text(), os.access("/other", os.R_OK)]) == ["here", True]


def test_more_layers_than_fit_into_a_page(tmp_path: Path) -> None:
    """docker's maximum is 127: here they are, with long names, the topmost winning."""
    store = tmp_path / ("x" * 60)
    spec = with_root(
        make_spec(tmp_path), layers=layers(store, *({"top": str(n), f"f{n}": "x"} for n in range(127)))
    )
    files = {"top", *(f"f{n}" for n in range(127))}
    found = inside(spec, lambda: [Path("/top").read_text(), os.listdir("/")])
    assert found[0] == "126"
    assert files <= set(found[1])


def test_volatile(tmp_path: Path) -> None:
    """Where the changes need not last, the kernel knows."""
    words = {"volatile", "fsync=volatile"}  # newer kernels say the latter
    plain = make_spec(tmp_path, PROC)
    swift = with_root(plain, volatile=True)
    assert words & set(inside(swift, superblock))
    assert not words & set(inside(plain, superblock))


def superblock() -> list[str]:
    """overlayfs' options of the root, as the kernel tells them."""
    return mountinfo()["/"]["super"].split(",")


def test_no_references_into_the_layers(tmp_path: Path) -> None:
    """Whatever the distribution's defaults: the upperdir alone is the difference."""
    found = inside(make_spec(tmp_path, PROC), superblock)
    assert "lowerdir=" + str(tmp_path / "layer") in found
    assert not {"redirect_dir=on", "metacopy=on", "index=on"} & set(found)


def test_undo_takes_only_what_was_made(tmp_path: Path) -> None:
    """An upperdir from an earlier run survives a start that fails."""
    spec = make_spec(tmp_path)
    os.mkdir(spec.root.upperdir)
    Path(spec.root.upperdir, "kept").touch()
    walk = Walk(list(overlay.host_steps(spec)), HOST)
    walk.run()
    assert os.path.isdir(spec.root.workdir)
    walk.undo()
    assert sorted(os.listdir(tmp_path)) == ["layer", "upper"]
    assert os.listdir(spec.root.upperdir) == ["kept"]


def test_the_workdir_that_overlayfs_leaves_is_removed(tmp_path: Path) -> None:
    """Its ``work`` has mode 0."""
    spec = make_spec(tmp_path)
    assert inside(spec, lambda: "ran") == "ran"
    assert sorted(os.listdir(tmp_path)) == ["layer"]


def test_a_plain_directory_as_root(tmp_path: Path) -> None:
    """An OCI bundle's rootfs, with no layers: written in place."""
    spec = with_root(make_spec(tmp_path), path=str(tmp_path / "layer"), layers=(), upperdir="", workdir="")

    assert inside(spec, lambda: [Path("/written").write_text("x"), os.path.ismount("/")]) == [1, True]
    assert (tmp_path / "layer/written").read_text() == "x"


def test_remove_tree_does_not_cross_a_mount(tmp_path: Path) -> None:
    """What somebody mounted in a container's directory is neither entered nor emptied."""
    inner = tmp_path / "tree/inner"
    inner.mkdir(parents=True)

    def work() -> Any:
        mount.mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        mount.mount("tmpfs", str(inner), "tmpfs", MountFlag(0), None)
        (inner / "kept").touch()
        try:
            path.remove_tree(str(tmp_path / "tree"))
        except OSError as error:
            return [error.filename, os.listdir(inner)]
        return "removed"

    assert in_child(work) == [str(tmp_path / "tree"), ["kept"]]
