"""Typical wrong solutions of an exercise, and which message each of them gets: mistakes.toml.

Most are the solution with something else in one place, so that is all that is written down:

    [no_name]
    gets = "not-named"
    [[no_name.change]]
    old = '''...'''     # stands once in the solution
    new = '''...'''

One that has little in common with the solution is there as a ``whole``. Used by test_chapters.py.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from minirun.learn.chapter import Exercise
from minirun.values import Value

FILE = "mistakes.toml"


class Mistake(Value):
    """A program that fails the check."""

    name: str
    gets: str
    """The key of the message that it must get."""
    text: str


def read(exercise: Exercise) -> list[Mistake]:
    """Those of ``exercise``, in the order of the file. Raises AssertionError for one that does not apply."""
    table = tomllib.loads((exercise.directory / FILE).read_text())
    return [_mistake(exercise, name, dict(given)) for name, given in table.items()]


def names(directory: Path) -> list[str]:
    """Those in an exercise's directory, by name."""
    return list(tomllib.loads((directory / FILE).read_text()))


def _mistake(exercise: Exercise, name: str, given: dict[str, Any]) -> Mistake:
    gets, whole, changes = given.pop("gets"), given.pop("whole", ""), given.pop("change", [])
    assert not given, f"{exercise.name}: [{name}] has {', '.join(given)}"
    assert bool(whole) != bool(changes), f"{exercise.name}: [{name}] is either whole or changes"
    return Mistake(name=name, gets=gets, text=whole or _changed(exercise.solution.read_text(), changes, name))


def _changed(solution: str, changes: list[dict[str, str]], name: str) -> str:
    """The solution with each ``old`` replaced; the places are those of the solution as it stands."""
    places = []
    for change in changes:
        assert solution.count(change["old"]) == 1, (
            f"[{name}] does not stand once in the solution: {change['old']}"
        )
        places.append((solution.index(change["old"]), change["old"], change["new"]))
    text, end = "", 0
    for start, old, new in sorted(places):
        assert start >= end, f"[{name}] changes one place twice: {old}"
        text += solution[end:start] + new
        end = start + len(old)
    return text + solution[end:]
