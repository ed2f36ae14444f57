"""An exercise's check, run on a program; the verdict in the exercise's words.

Layer ``learn``. ``check.py`` names the message by its key and gives the values;
the sentences are in words.en.toml, the exercise's or our own (what any program
can get wrong). Read ``minirun/cli/learn/check.py`` next.
"""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

from minirun.errors import InvalidInput
from minirun.learn.attempt import Attempt, Wrong
from minirun.learn.needs import require_root
from minirun.learn.words import general
from minirun.values import Value

if TYPE_CHECKING:
    from pathlib import Path

    from minirun.learn.chapter import Chapter, Exercise


class Verdict(Value):
    """What a check has found. ``key`` is empty when the program passed."""

    passed: bool
    key: str = ""
    says: str = ""
    hint: str = ""


def check(chapter: Chapter, exercise: Exercise, program: Path, rootfs: Path) -> Verdict:
    """Runs the exercise's check on ``program``. Needs root.

    Raises InvalidInput for a check.py that is malformed, or a key without a message.
    """
    require_root("an exercise's program makes namespaces and mounts, and a check looks at them")
    file = exercise.directory / "check.py"
    look = runpy.run_path(str(file)).get("check")
    if look is None:
        raise InvalidInput(f"{file} defines no check", "it is def check(attempt: Attempt) -> None", "")
    beside = [path for path in chapter.directory.iterdir() if path.is_file() and path.suffix == ".py"]
    try:
        with Attempt(program, rootfs, beside) as attempt:
            try:
                look(attempt)
            except (ProcessLookupError, FileNotFoundError) as error:
                if "/proc/" not in str(error.filename or "/proc/"):
                    raise
                raise Wrong("vanished", why=str(error), program=program.name) from error
    except Wrong as wrong:
        return _verdict(exercise, wrong)
    return Verdict(passed=True, says=exercise.words.solved)


def _verdict(exercise: Exercise, wrong: Wrong) -> Verdict:
    message = exercise.words.messages.get(wrong.key) or general(wrong.key)
    if message is None:
        raise InvalidInput(
            f"exercise {exercise.name}: no message {wrong.key!r}",
            "check.py uses a key that words.en.toml does not have",
            f"write [messages.{wrong.key}]",
        )
    try:
        says, hint = message.says.format_map(wrong.values), message.hint.format_map(wrong.values)
    except (KeyError, IndexError, ValueError) as error:
        raise InvalidInput(
            f"exercise {exercise.name}: message {wrong.key!r}",
            f"check.py gives no {error} for a placeholder in it",
            "give it to expect()",
        ) from error
    return Verdict(passed=False, key=wrong.key, says=says, hint=hint)
