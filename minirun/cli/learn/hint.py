"""``minirun learn hint``: looks at the learner's program first, then helps a step further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.argument("name", required=False)
@click.option(
    "-c", "--chapter", "number", type=click.IntRange(0, 99), metavar="N", help="Of another chapter."
)
@click.pass_obj
def command(settings: Settings, name: str | None, number: int | None) -> int:
    """Look at your program for the exercise NAME, and help a step further.

    First comes what the kernel says of it, then the next of the exercise's
    hints: one more each time you ask.
    """
    from minirun.cli.learn import shown
    from minirun.cli.learn.check import judge
    from minirun.cli.learn.chosen import called, chapter_of, exercise_of
    from minirun.learn import learner
    from minirun.learn.needs import missing
    from minirun.values import replace

    progress = learner.load()
    chapter = chapter_of(progress, number)
    exercise = exercise_of(progress, chapter, name)
    if not missing(("root", *chapter.needs, *exercise.needs)):
        found = judge(settings, chapter, exercise, None)
        shown.verdict(exercise.name, found)
        if found.passed:
            return 0
    hints = exercise.words.hints
    if not hints:
        return 0
    progress = learner.load()
    key = called(chapter, exercise)
    given = min(progress.hints.get(key, 0) + 1, len(hints))
    learner.save(replace(progress, hints={**progress.hints, key: given}))
    print()
    shown.markdown(f"hint {given} of {len(hints)}: {hints[given - 1]}")
    if given == len(hints):
        print(f"\nThat was the last one; minirun learn solution {exercise.name} --anyway shows a solution.")
    return 0
