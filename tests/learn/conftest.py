"""What the tests of the tutorial share: a store with the images that chapters talk about."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from minirun.learn.materials import make_rootfs
from minirun.learn.stores import StoreAt, lend_kernels, load
from tests.conftest import REPOSITORY, Minirun, built

DATA = Path(__file__).parent / "data"
#: Which words of a chapter's sessions (and manifests) say that it talks about an image.
IMAGES = {"debian": re.compile(r"\bdebian\b"), "python": re.compile(r"\bpython\b")}
KERNEL = re.compile(r"\bminirun (vm|compare)\b")


@pytest.fixture(scope="session")
def learn_store(loaded_minirun: Minirun) -> StoreAt:
    """--root with busybox. Each chapter has a store of its own that borrows from it."""
    return StoreAt(root=str(loaded_minirun.root))


@pytest.fixture
def chapters_store(learn_store: StoreAt, directory: Path, request: pytest.FixtureRequest) -> StoreAt:
    """The same with what the chapter in ``directory`` talks about, which takes time to load."""
    files = [*directory.glob("sessions/*"), *directory.glob("*.yaml")]
    text = "".join(file.read_text() for file in files)
    images = [image for image, word in IMAGES.items() if word.search(text)]
    done = built(*images) if images else None
    if done and done.returncode:
        pytest.skip(f"this machine lacks: the images {images}: {done.stderr.strip()[-300:]}")
    for image in images:
        load(learn_store, REPOSITORY / "rootfs-builder" / "output" / f"{image}.tar")
    if KERNEL.search(text):
        with contextlib.suppress(pytest.skip.Exception):  # then what needs one says so
            lend_kernels(learn_store, request.getfixturevalue("kernels"))
    return learn_store


@pytest.fixture(scope="session")
def lesson_rootfs(test_dir: Path, loaded_minirun: Minirun) -> Path:
    """./rootfs as a learner has it; an attempt copies it."""
    place = test_dir / "lesson" / "rootfs"
    place.parent.mkdir()
    make_rootfs(str(loaded_minirun.root), place)
    return place
