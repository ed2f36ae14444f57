"""Archives that chance has spoilt: an error for people or an image, and nothing outside, ever."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minirun.errors import MinirunError
from minirun.image import store
from minirun.image.archive import load
from minirun.image.import_ import import_
from minirun.image.remove import gc, rmi
from minirun.image.streams import Malformed
from minirun.image.temporary import remove_tree
from tests.image.archives import Layout, docker, entry, snapshot, tar
from tests.needs import needs

pytestmark = needs("root")

SETTINGS = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

LAYER = tar(
    entry("d", "dir"),
    entry("d/file", content=b"content" * 100, pax_headers={"mtime": "1.5", "SCHILY.xattr.user.a": "b"}),
    entry("s", "symlink", linkname="d"),
    entry("h", "link", linkname="d/file"),
    entry("s/through"),
    entry("n", "char", devmajor=1, devminor=3),
    entry(".wh.gone"),
    entry("d/.wh..wh..opq"),
    entry("long" * 60),
    entry(
        "sparse", content=b"0123456789", pax_headers={"GNU.sparse.map": "0,5,8,5", "GNU.sparse.size": "20"}
    ),
)
ARCHIVES = [
    Layout().add("a:1", LAYER).pack(),
    docker("a:1", LAYER),
]

#: Where, and what stands there then: single bytes, as damage and as malice have it.
damage = st.lists(
    st.tuples(
        st.integers(0, 1 << 20), st.sampled_from([*b"\0/.0179AZgxLKS5\xff\x80 \n"]) | st.integers(0, 255)
    ),
    min_size=1,
    max_size=6,
)

names = st.sampled_from(
    [
        "a",
        "a/b",
        "a/b/c",
        "b",
        "../x",
        "/a",
        "./a",
        ".wh.a",
        "a/.wh.b",
        "a/.wh..wh..opq",
        ".wh..wh.x",
        ".",
        "a/../b",
    ]
)
entries = st.lists(
    st.builds(
        lambda name, kind, link: entry(name, kind, linkname=link, devmajor=1, devminor=3),
        names,
        st.sampled_from(["file", "dir", "symlink", "link", "fifo", "char"]),
        st.sampled_from(["a", "b", "/", "..", "../..", "/a/b", "a/b/c", "../outside", "."]),
    ),
    max_size=12,
)


def spoilt(raw: bytes, places: list[tuple[int, int]]) -> bytes:
    found = bytearray(raw)
    for place, value in places:
        found[place % len(found)] = value
    return bytes(found)


@pytest.fixture
def outside(place: Path) -> dict[bytes, tuple[object, ...]]:
    """What lies beside the layers, before."""
    (place / "outside").mkdir()
    (place / "outside/file").write_text("secret")
    return snapshot(place / "outside")


@SETTINGS
@given(places=damage)
def test_a_layer(
    places: list[tuple[int, int]], unpacked: Callable[[bytes], Path], place: Path, outside: object
) -> None:
    """Unpacked or Malformed."""
    _unpack(unpacked, place, spoilt(LAYER, places))
    assert snapshot(place / "outside") == outside


@SETTINGS
@given(found=entries)
def test_any_order_of_entries(
    found: list, unpacked: Callable[[bytes], Path], place: Path, outside: object
) -> None:
    """Whatever replaces, links and goes through what: inside."""
    _unpack(unpacked, place, tar(*found))
    assert snapshot(place / "outside") == outside


def _unpack(unpacked: Callable[[bytes], Path], place: Path, raw: bytes) -> None:
    try:
        unpacked(raw)
    except Malformed as error:
        assert str(error)
    left = {path.name.rstrip("0123456789") for path in place.iterdir()}
    assert left <= {"outside", "layer", "trash", ".tar"}
    for path in place.glob("layer*"):
        remove_tree(str(path))
    for path in place.glob("*.tar"):
        path.unlink()


@SETTINGS
@given(number=st.integers(0, len(ARCHIVES) - 1), places=damage, cut=st.integers(0, 1 << 14) | st.none())
def test_an_archive(
    number: int, places: list[tuple[int, int]], cut: int | None, root: str, place: Path, outside: object
) -> None:
    """Loaded or refused; after a refusal nothing is left."""
    raw = spoilt(ARCHIVES[number], places)[: None if cut is None else cut]
    (place / "archive").write_bytes(raw)
    for add in (lambda path: load(root, path), lambda path: [import_(root, path)]):
        try:
            for name in add(str(place / "archive")):
                rmi(root, name, force=True)
        except MinirunError as error:
            assert error.what
            assert error.why
        gc(root)
        assert os.listdir(f"{root}/layers") == os.listdir(f"{root}/images/blobs/sha256") == []
    assert store.images(root) == []
    assert snapshot(place / "outside") == outside
    assert {path.name for path in place.iterdir()} == {"outside", "root", "archive"}
