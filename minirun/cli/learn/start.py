"""``minirun learn start N``: the chapter's folder is made, and its text shown."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.learn.chapter import Chapter
    from minirun.learn.learner import Progress


@click.command()
@click.argument("chapter", type=click.IntRange(0, 99), metavar="N")
@click.option(
    "-d",
    "--directory",
    metavar="DIR",
    help="Where the chapters' folders are made (~/minirun-learn); it is kept.",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite what you have changed in the chapter's folder.")
@click.option("--no-text", is_flag=True, help="Do not show the text.")
@click.pass_obj
def command(settings: Settings, chapter: int, directory: str | None, force: bool, no_text: bool) -> int:
    """Begin chapter N: its folder is made, its text shown.

    The folder has the chapter's program, a file for each exercise, and a root
    filesystem (of the image busybox). What you have changed there is kept.
    """
    from minirun.learn import chapter as chapters

    return begin(settings, chapters.find(chapter), directory, force, no_text)


def begin(settings: Settings, chapter: Chapter, directory: str | None, force: bool, no_text: bool) -> int:
    """Makes the folder, notes that the chapter was begun, shows its text and where things are."""
    from minirun.cli.learn import shown
    from minirun.learn import folder, learner, reading
    from minirun.values import replace

    progress = learner.load()
    if directory is not None:
        progress = replace(progress, directory=os.path.abspath(directory))
    kept = folder.make(chapter, settings.root, progress.directory, force)
    started = tuple(sorted({*progress.started, chapter.number}))
    learner.save(replace(progress, chapter=chapter.number, started=started))
    if not no_text:
        shown.markdown(reading.for_terminal(chapter), paged=True)
        print()
    _tell(chapter, progress, kept)
    return 0


def _tell(chapter: Chapter, progress: Progress, kept: list[str]) -> None:
    from minirun.learn import folder
    from minirun.learn.needs import missing

    if kept:
        print(f"kept as you have changed it: {', '.join(kept)} (--force overwrites)", file=sys.stderr)
    if lacking := missing(chapter.needs):
        print(
            f"this machine lacks {', '.join(lacking)}: read, and look at what was recorded", file=sys.stderr
        )
    print(f"cd {folder.place_of(chapter, progress.directory)}")
    if chapter.prediction:
        print("minirun learn predict")
    for one in chapter.exercises:
        print(f"minirun learn check {one.name}")
