"""Which chapter and which exercise a command means, when it was not said: where the learner is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.errors import NotFound, UsageError
from minirun.learn import chapter as chapters

if TYPE_CHECKING:
    from minirun.learn.chapter import Chapter, Exercise
    from minirun.learn.learner import Progress


def chapter_of(progress: Progress, number: int | None = None) -> Chapter:
    """The chapter ``number``, or the one that was started last. Raises NotFound."""
    if number is None and not progress.chapter:
        raise NotFound(
            "no chapter was started yet",
            "so there is nothing to go on with",
            "`minirun learn start 1`; `minirun learn list` shows all",
        )
    return chapters.find(progress.chapter if number is None else number)


def exercise_of(progress: Progress, chapter: Chapter, name: str | None) -> Exercise:
    """The exercise ``name``, or the first that has not passed, or the last. Raises NotFound, UsageError."""
    if name:
        return chapter.exercise(name.partition(".")[0])
    if not chapter.exercises:
        raise UsageError(
            f"chapter {chapter.number} has no exercises",
            "it is for reading and trying",
            "`minirun learn next` begins the one after it",
        )
    left = [one for one in chapter.exercises if called(chapter, one) not in progress.passed]
    return left[0] if left else chapter.exercises[-1]


def called(chapter: Chapter, exercise: Exercise) -> str:
    """How an exercise is called in the progress: ``4/hostname``."""
    return f"{chapter.number}/{exercise.name}"
