"""``minirun learn check``: the learner's program is run, and the kernel asked about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.cli.settings import Settings
    from minirun.learn.chapter import Chapter, Exercise
    from minirun.learn.checking import Verdict
    from minirun.learn.learner import Progress


@click.command()
@click.argument("name", required=False)
@click.option(
    "-c", "--chapter", "number", type=click.IntRange(0, 99), metavar="N", help="Of another chapter."
)
@click.option("--all", "every", is_flag=True, help="All exercises of the chapter.")
@click.option("-w", "--watch", is_flag=True, help="Check again whenever the file changes, until it passes.")
@click.option(
    "--impl", metavar="FILE", help="Check this program: a runtime of your own, in whatever language."
)
@click.pass_obj
def command(
    settings: Settings, name: str | None, number: int | None, every: bool, watch: bool, impl: str | None
) -> int:
    """Run your program for the exercise NAME, and look at what the kernel says.

    Without NAME it is the first exercise that has not passed. With --impl, all
    exercises of the chapter that are about a whole runtime are tried on FILE,
    which is called as FILE run ROOTFS CMD [ARG...], unless NAME says which one.
    Ends with 1 if something does not pass.

    The program has limits and namespaces of its own, and can write to its
    working directory (a copy), /tmp and /run: the machine's other files are
    read-only to it.
    """
    from minirun.cli.learn.chosen import chapter_of, exercise_of
    from minirun.errors import UsageError
    from minirun.learn import learner

    if name and every:
        raise UsageError(
            f"{name} and --all", "that is one exercise, and all of them", "leave one of them out"
        )
    progress = learner.load()
    if impl and number is None and not progress.chapter:
        number = _last_with_runtime()
    chapter = chapter_of(progress, number)
    if name:
        exercises: Sequence[Exercise] = [exercise_of(progress, chapter, name)]
    elif impl:
        exercises = _about_a_runtime(chapter)
    else:
        exercises = chapter.exercises if every else [exercise_of(progress, chapter, None)]
    own = _existing(impl) if impl else None
    if watch:
        return _watch(settings, chapter, exercises, own)
    return _check_all(settings, chapter, exercises, own)


def _existing(impl: str) -> Path:
    from minirun.errors import NotFound

    path = Path(impl).absolute()
    if not path.is_file():
        raise NotFound(
            f"there is no program {impl}", "--impl takes a file that can be run", "look at its path"
        )
    return path


def _last_with_runtime() -> int | None:
    from minirun.learn import chapter as chapters

    found = [one.number for one in chapters.chapters() if any(each.runtime for each in one.exercises)]
    return found[-1] if found else None


def _about_a_runtime(chapter: Chapter) -> Sequence[Exercise]:
    from minirun.errors import UsageError

    found = [one for one in chapter.exercises if one.runtime]
    if not found:
        raise UsageError(
            f"chapter {chapter.number} has no exercise about a whole runtime",
            "--impl tries those that call the program as FILE run ROOTFS CMD",
            "choose another chapter with --chapter, or an exercise by its name",
        )
    return found


def _check_all(settings: Settings, chapter: Chapter, exercises: Sequence[Exercise], own: Path | None) -> int:
    from minirun.cli.learn import shown
    from minirun.learn.needs import missing

    code = 0
    for exercise in exercises:
        if lacking := missing((*chapter.needs, *exercise.needs)):
            print(f"{exercise.name}: skipped, this machine lacks {', '.join(lacking)}")
            continue
        found = judge(settings, chapter, exercise, own)
        shown.verdict(exercise.name, found)
        code = code or int(not found.passed)
    if not code and own is None:
        _tell_what_is_next(chapter)
    return code


def judge(settings: Settings, chapter: Chapter, exercise: Exercise, own: Path | None) -> Verdict:
    """The verdict on the learner's program for an exercise (or on ``own``), noted in the progress."""
    from minirun.cli.learn.chosen import called
    from minirun.learn import folder, learner
    from minirun.learn.checking import check

    progress = learner.load()
    if own is None:
        place = folder.place_of(chapter, progress.directory)
        program = folder.program(exercise, place)
        found = check(chapter, exercise, program, place / "rootfs")
        if found.passed:
            learner.save(learner.with_passed(progress, called(chapter, exercise)))
        return found
    import tempfile

    from minirun.learn.materials import make_rootfs

    with tempfile.TemporaryDirectory(prefix="minirun-learn.") as scratch:
        rootfs = Path(scratch, "rootfs")
        make_rootfs(settings.root, rootfs)
        return check(chapter, exercise, own, rootfs)


def _tell_what_is_next(chapter: Chapter) -> None:
    from minirun.cli.learn.chosen import called
    from minirun.learn import learner

    progress: Progress = learner.load()
    left = [one.name for one in chapter.exercises if called(chapter, one) not in progress.passed]
    print(f"next: minirun learn {f'check {left[0]}' if left else 'next'}")


def _watch(settings: Settings, chapter: Chapter, exercises: Sequence[Exercise], own: Path | None) -> int:
    """Checks again after each change of the files' directories; ends when all passes."""
    import select

    from minirun.learn import folder, learner
    from minirun.linux import inotify

    place = own.parent if own else folder.place_of(chapter, learner.load().directory)
    events = inotify.Event.MODIFY | inotify.Event.MOVED_TO | inotify.Event.CREATE
    files = [own] if own else [folder.program(one, place) for one in exercises]
    changes = inotify.watch(str(place), events)
    before = None
    while True:
        now = [file.stat().st_mtime_ns for file in files if file.exists()]
        if now != before:
            before = now
            if not _check_all(settings, chapter, exercises, own):
                return 0
            print("waiting for a change (Ctrl-C ends)", file=sys.stderr, flush=True)
        inotify.drain(changes)
        if now == [file.stat().st_mtime_ns for file in files if file.exists()]:
            select.select([changes], [], [])
