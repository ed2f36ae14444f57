"""``minirun learn predict``: an answer first, then what really happens, then why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.learn.chapter import Chapter, Prediction


@click.command()
@click.argument("chapter", type=click.IntRange(0, 99), required=False, metavar="[N]")
@click.option(
    "-a", "--answer", type=click.IntRange(1, 9), metavar="NUMBER", help="The choice; else you are asked."
)
@click.pass_obj
def command(settings: Settings, chapter: int | None, answer: int | None) -> int:
    """Answer the question of the chapter (or of chapter N), then see what happens.

    Its session is run in a folder of its own, and taken away again. Where this
    machine lacks something, the recorded one is shown.
    """
    from minirun.cli.learn import shown
    from minirun.cli.learn.chosen import chapter_of
    from minirun.errors import UsageError
    from minirun.learn import learner

    found = chapter_of(learner.load(), chapter)
    prediction = found.prediction
    if not prediction:
        raise UsageError(f"chapter {found.number} asks no question", "", "")
    if answer is None:
        answer = _ask(prediction)
    many = len(prediction.choices)
    if answer > many:
        raise UsageError(f"there is no choice {answer}", f"the question has {many}", f"--answer 1 to {many}")
    if prediction.session:
        _show_session(settings, found, prediction.session)
    right = answer - 1 == prediction.answer
    print("You were right." if right else f"It is {prediction.answer + 1}, not {answer}.")
    shown.markdown(prediction.because)
    return 0


def _ask(prediction: Prediction) -> int:
    from minirun.cli.learn import shown
    from minirun.errors import UsageError

    choices = "".join(f"\n{number}. {choice}" for number, choice in enumerate(prediction.choices, 1))
    shown.markdown(f"{prediction.question}\n{choices}")
    if not sys.stdin.isatty():
        raise UsageError(
            "the question needs an answer", "there is no terminal to ask on", "say it: --answer NUMBER"
        )
    print()
    return int(click.prompt("Your answer", type=click.IntRange(1, len(prediction.choices)), err=True))


def _show_session(settings: Settings, chapter: Chapter, name: str) -> None:
    """Runs the chapter's sessions up to this one, and shows it."""
    from minirun.learn import sessions
    from minirun.learn.needs import missing

    session = sessions.read(chapter.session(name))
    lacking = missing(("root", *chapter.needs, *session.needs))
    print()
    if lacking:
        print(f"(recorded elsewhere: this machine lacks {', '.join(lacking)})")
        print(sessions.for_reader(session))
        return
    from minirun.learn.classroom import Classroom
    from minirun.learn.stores import StoreAt

    with Classroom(chapter, StoreAt(root=settings.root), settings.root) as room:
        for one in chapter.sessions:
            before = sessions.read(chapter.session(one))
            if one == name or not missing(before.needs):
                happened = room.play(before)
            if one == name:
                print(sessions.written(happened))
                return
