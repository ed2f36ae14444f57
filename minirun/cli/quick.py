"""Reads a command's flags in microseconds, without click.

It knows docker's forms (``--name value``, ``--name=value``, ``-m value``,
``-mvalue``, ``-it``, ``--``) and stops at the first word that is no flag, for
what follows an image belongs to the program. Whatever it is not sure of is
click's business: then it answers None, and click says what is wrong, or helps.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.cli.table import Flag, Table

    #: What was given to each flag, by its long name; and the words behind the flags.
    Given = tuple[dict[str, list[str]], list[str]]


def read(table: Table, argv: Sequence[str]) -> Given | None:
    """The flags and the words in ``argv``; None if click had better look."""
    known = {name: flag for flag in table.flags for name in flag.names}
    given: dict[str, list[str]] = {}
    words = list(argv)
    while words and words[0].startswith("-") and words[0] != "-":
        argument = words.pop(0)
        if argument == "--":
            break
        found = _long(known, argument, words) if argument.startswith("--") else _short(known, argument, words)
        if found is None:
            return None
        for flag, text in found:
            before = given.get(flag.name, []) if table.gathers(flag) else []
            given[flag.name] = [*before, text]
    return given, words


def _long(known: dict[str, Flag], argument: str, words: list[str]) -> list[tuple[Flag, str]] | None:
    name, equals, text = argument.partition("=")
    flag = known.get(name)
    if flag is None:
        return None
    if not equals:
        if not flag.kind.switch and not words:
            return None
        text = "true" if flag.kind.switch else words.pop(0)
    return [(flag, text)]


def _short(known: dict[str, Flag], argument: str, words: list[str]) -> list[tuple[Flag, str]] | None:
    found: list[tuple[Flag, str]] = []
    for place, letter in enumerate(argument[1:], 2):
        flag = known.get(f"-{letter}")
        if flag is None:
            return None
        if not flag.kind.switch:
            text = argument[place:] or (words.pop(0) if words else None)
            return None if text is None else [*found, (flag, text)]
        found.append((flag, "true"))
    return found
