"""``minirun learn solution``: one that passes, for those who have passed or want to see it anyway."""

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
@click.option("--anyway", is_flag=True, help="Although the exercise has not passed yet.")
@click.pass_obj
def command(settings: Settings, name: str | None, number: int | None, anyway: bool) -> int:
    """Show a solution of the exercise NAME, once yours has passed."""
    from minirun.cli.learn import shown
    from minirun.cli.learn.chosen import called, chapter_of, exercise_of
    from minirun.errors import Conflict
    from minirun.learn import learner

    progress = learner.load()
    chapter = chapter_of(progress, number)
    exercise = exercise_of(progress, chapter, name)
    if called(chapter, exercise) not in progress.passed and not anyway:
        raise Conflict(
            f"the exercise {exercise.name} has not passed yet",
            "a solution is worth most after one's own",
            f"`minirun learn hint {exercise.name}`; --anyway shows it now",
        )
    shown.code(exercise.solution.read_text(), "python" if exercise.suffix == "py" else exercise.suffix)
    return 0
