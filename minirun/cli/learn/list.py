"""``minirun learn list``: the chapters, and how far the learner has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minirun.cli.settings import Settings
    from minirun.learn.chapter import Chapter
    from minirun.learn.learner import Progress

_COLUMNS = [
    ("", "here"),
    ("CHAPTER", "chapter"),
    ("TITLE", "title"),
    ("MINUTES", "minutes"),
    ("EXERCISES", "exercises"),
]


@click.command()
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.Chapter}}'.")
@click.pass_obj
def command(settings: Settings, form: str | None) -> int:
    """List the chapters, and how far you have come.

    EXERCISES is how many of them have passed; > is where you are.
    """
    from minirun.cli import output
    from minirun.learn import chapter as chapters
    from minirun.learn import learner

    progress = learner.load()
    output.show([_row(one, progress) for one in chapters.chapters()], _COLUMNS, form)
    return 0


def _row(chapter: Chapter, progress: Progress) -> Mapping[str, object]:
    passed = sum(f"{chapter.number}/{one.name}" in progress.passed for one in chapter.exercises)
    return {
        "here": ">" if chapter.number == progress.chapter else "",
        "chapter": chapter.number,
        "name": chapter.name,
        "title": chapter.title,
        "minutes": chapter.minutes,
        "exercises": f"{passed}/{len(chapter.exercises)}" if chapter.exercises else "-",
        "started": chapter.number in progress.started,
    }
