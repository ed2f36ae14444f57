"""Where a classroom has its images from, and a store of its own that borrows them.

Layer ``learn``. Images are read-only and shared; what sessions make (containers,
pods, networks) is in a store that goes with the classroom. Read ``classroom.py``
next.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from minirun.learn.places import PACKAGE
from minirun.values import Value

#: The parts of a store that a classroom's own store shares with it.
_BORROWED = ("images", "layers", "kernels", "templates", "seccomp")
#: How many entries a layer may have to be linked file by file.
_SMALL = 1000


class StoreAt(Value):
    """Where images are: minirun's --root."""

    root: str


def writers_store() -> StoreAt:
    """In a checkout: build/learn, with the images that rootfs-builder made; else the user's own.

    Its images are loaded once. MINIRUN_ROOT overrides it.
    """
    given = os.environ.get("MINIRUN_ROOT")
    archives = sorted((PACKAGE.parent / "rootfs-builder" / "output").glob("*.tar"))
    if given or not archives:
        return StoreAt(root=given or "/var/lib/minirun")
    store = StoreAt(root=str(PACKAGE.parent / "build" / "learn" / "root"))
    for archive in archives:
        load(store, archive)
    lend_kernels(store, PACKAGE.parent / "build" / "bed" / "kernels")
    return store


def lend_kernels(store: StoreAt, kernels: Path) -> None:
    """Puts links to the kernels of another store into this one, for the chapters' virtual machines."""
    place = Path(store.root) / "kernels"
    place.mkdir(exist_ok=True)
    for release in kernels.glob("[0-9]*"):
        if not (place / release.name).exists():
            (place / release.name).symlink_to(release)


def load(store: StoreAt, archive: Path) -> None:
    """Takes in the image of ``archive``, unless this very file was taken in before."""
    mark = Path(store.root) / f".{archive.stem}"
    if mark.exists() and mark.stat().st_mtime >= archive.stat().st_mtime:
        return
    words = [sys.executable, "-m", "minirun", "--root", store.root, "load", "-i", str(archive)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
    mark.touch()


def borrow(store: StoreAt, root: Path) -> None:
    """Makes a store at ``root`` that has the images and kernels of ``store``, and nothing else."""
    root.mkdir(0o711)
    for name in _BORROWED:
        if (lent := Path(store.root, name)).exists():
            if name == "layers":
                _borrow_layers(lent, root / name)
            else:
                (root / name).symlink_to(lent)


def _borrow_layers(lent: Path, place: Path) -> None:
    """Symbolic links to large layers, small ones file by file as hard links.

    A user namespace reaches a store by an id-mapped copy of the mount that it lies
    on, below its own directory: what a symbolic link leads out to is not on that.
    """
    place.mkdir(0o700)
    for layer in lent.iterdir():
        small = sum(1 for _ in itertools.islice(layer.rglob("*"), _SMALL)) < _SMALL
        words = ["cp", "-al", str(layer), str(place)]
        if not small or subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode:
            shutil.rmtree(place / layer.name, ignore_errors=True)  # large, or of another file system
            (place / layer.name).symlink_to(layer)
