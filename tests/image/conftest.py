"""A store for each test, and a place that an archive must not be able to touch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.image.streams import FileRange
from minirun.image.temporary import remove_tree
from minirun.image.unpack import unpack

_numbers = itertools.count()


@pytest.fixture
def place(test_dir: Path) -> Iterator[Path]:
    """A directory of this test's own, on a file system that layers may be on."""
    directory = test_dir / f"image{next(_numbers)}"
    directory.mkdir()
    yield directory
    remove_tree(str(directory))


@pytest.fixture
def root(place: Path) -> str:
    """ROOT of an empty store."""
    return str(place / "root")


class Unpacker:
    """Unpacks tars below ``place``; ``layers`` are the directories so far, the lowest first."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.layers: list[str] = []

    def __call__(self, raw: bytes, end_mark: bool = False) -> Path:
        number = next(_numbers)
        layer, trash = self.place / f"layer{number}", self.place / f"trash{number}"
        archive = self.place / f"{number}.tar"
        archive.write_bytes(raw)
        layer.mkdir()
        trash.mkdir()
        fds = [os.open(path, os.O_RDONLY) for path in (archive, layer, trash)]
        try:
            unpack(FileRange(fds[0], 0, len(raw)), fds[1], fds[2], end_mark)
        finally:
            for fd in fds:
                os.close(fd)
            remove_tree(str(trash))
            archive.unlink()
        self.layers.append(str(layer))
        return layer


@pytest.fixture
def unpacked(place: Path) -> Callable[..., Path]:
    """``unpacked(tar)``: the directory that the tar becomes."""
    return Unpacker(place)
