"""What a chapter puts into a working folder: its files, each exercise's task, ./rootfs.

Layer ``learn``. Read ``folder.py`` for a learner's folder, ``classroom.py`` for
the one of a test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from minirun.errors import NotFound, Unsupported
from minirun.learn.needs import require_root
from minirun.learn.places import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

    from minirun.learn.chapter import Chapter

#: What a chapter's directory has besides its programs.
_SETUP = ("chapter.toml", "README.md")
#: Prose has its language in its name.
_PROSE = re.compile(r".*\.[a-z]{2}\.(md|toml)")


def make_rootfs(root: str, place: Path) -> None:
    """Copies the image busybox to the directory ``place``. Raises NotFound where it is not loaded."""
    from minirun.image import store as images

    require_root("the image's files are root's, and so is what they become")
    archive = PACKAGE.parent / "rootfs-builder" / "output" / "busybox.tar"
    try:
        layers = images.resolve(root, "busybox").layers
    except NotFound as error:
        raise NotFound(
            "the image busybox is not loaded",
            "the chapters' programs get its files as their root file system",
            f"`minirun load -i {archive}`" if archive.exists() else "`make images` in minirun's repository",
        ) from error
    if len(layers) != 1:
        raise Unsupported(
            "this image busybox has several layers", "the chapters copy a plain one", "`make images`"
        )
    subprocess.run(["cp", "-a", f"{layers[0]}/.", str(place)], check=True)


def copied(chapter: Chapter) -> dict[str, Path]:
    """Name in the learner's folder -> file of the chapter."""
    found = {
        path.name: path
        for path in sorted(chapter.directory.iterdir())
        if path.is_file() and path.name not in _SETUP and not _PROSE.fullmatch(path.name)
    }
    return {**found, **{one.file: one.task for one in chapter.exercises}}


def make_folder(chapter: Chapter, root: str, folder: Path) -> None:
    """Puts the chapter's files and ./rootfs into ``folder``, which is made. Overwrites."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in copied(chapter).items():
        shutil.copy(file, folder / name)
    if not (folder / "rootfs").exists():
        make_rootfs(root, folder / "rootfs")
