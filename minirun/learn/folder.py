"""A learner's working folder for a chapter: made, kept, and taken away again.

Layer ``learn``. What is in it was copied once and is the learner's since: it
is not overwritten unless asked for. A folder of ours is known by the file
``.minirun-learn``, without which nothing is ever removed. Read
``classroom.py`` for the same folder as tests and writers have it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from minirun.errors import Conflict, NotFound
from minirun.learn.learner import hand_over
from minirun.learn.materials import copied, make_rootfs
from minirun.learn.needs import require_root

if TYPE_CHECKING:
    from minirun.learn.chapter import Chapter, Exercise

MARK = ".minirun-learn"


def place_of(chapter: Chapter, directory: str) -> Path:
    """Where the chapter's folder is, or would be."""
    return Path(directory).absolute() / chapter.slug


def make(chapter: Chapter, root: str, directory: str, force: bool = False) -> list[str]:
    """Makes the folder, or completes it; the names of the learner's files that were left as they are.

    ``root`` is where images are. Raises NotFound without the image busybox, and
    Conflict for a directory that is not ours.
    """
    require_root("the chapters' root file system is root's, and so are their programs")
    place = place_of(chapter, directory)
    if place.exists() and not (place / MARK).exists() and any(place.iterdir()):
        raise Conflict(
            f"{place} is there already",
            "it was not made by minirun learn",
            "choose another place with --directory",
        )
    for one in (place.parent, place):
        if not one.exists():
            one.mkdir(parents=True)
            hand_over(one)
    (place / MARK).write_text(f"{chapter.number}\n")
    hand_over(place / MARK)
    kept = [name for name, file in copied(chapter).items() if not _copy(file, place / name, force)]
    if not (place / "rootfs").is_dir():
        draft = place / f".rootfs.{os.getpid()}"
        try:
            make_rootfs(root, draft)
            draft.rename(place / "rootfs")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return kept


def _copy(file: Path, to: Path, force: bool) -> bool:
    """Whether ``to`` is now as ``file`` is; a changed one is kept unless ``force``."""
    if to.exists() and not force:
        return to.read_bytes() == file.read_bytes()
    shutil.copy(file, to)
    hand_over(to)
    return True


def program(exercise: Exercise, place: Path) -> Path:
    """The learner's solution of an exercise. Raises NotFound."""
    file = place / exercise.file
    if not file.is_file():
        raise NotFound(
            f"there is no {file}",
            "the solution of an exercise is looked for under its name, in the chapter's folder",
            "`minirun learn start` puts the unsolved one there; --impl FILE checks another file",
        )
    return file


def ours(directory: str) -> list[Path]:
    """The folders in ``directory`` that minirun learn made."""
    place = Path(directory)
    if not place.is_dir():
        return []
    return sorted(one for one in place.iterdir() if (one / MARK).is_file())
