"""A table of flags, and the value that comes of what was given to them.

One ``Table`` says which flags a command has. Two readers take it: ``quick.py``,
which costs nothing and leaves alone what it is not sure of, and click
(``app.py``), which knows about help and mistakes. Either hands over the words as
they stood, and ``Table.value`` makes the same typed value of them. Read
``flags.py`` next, the tables themselves.
"""

from __future__ import annotations

from minirun.cli.flag_values import Kind
from minirun.errors import UsageError
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Flag:
    """One flag: ``names`` as typed ("-m --memory"), the kind of its value, help.

    It fills the field of its long name, unless ``field`` names another.
    """

    __slots__ = ("field", "help", "kind", "name", "names")

    def __init__(self, names: str, kind: Kind, help: str, field: str = "") -> None:
        self.names = names.split(" ")
        self.name = self.names[-1]
        self.kind = kind
        self.help = help
        self.field = field or self.name[2:].replace("-", "_")

    def value(self, text: str) -> Any:
        """The value that ``text`` stands for. Raises UsageError."""
        try:
            return self.kind.read(text)
        except ValueError as error:
            raise UsageError(
                f"{self.name} {text!r} is not understood", str(error), f"use {self.kind.like}"
            ) from error


class Table:
    """The flags of one command, by the headings of its help, and what they fill.

    ``words`` names the fields for what stands after the flags: one word each,
    but ``name*`` takes all that are left, ``name+`` too and wants at least one.
    """

    def __init__(
        self, kind: type[Value], words: str, help: str, sections: Mapping[str, Sequence[Flag]]
    ) -> None:
        self.kind = kind
        self.words = words.split()
        self.help = help
        self.sections = sections
        self.flags = [flag for flags in sections.values() for flag in flags]

    def value(self, given: Mapping[str, Sequence[str]], words: Sequence[str]) -> Any:
        """The command's options, from the texts given to each flag by name.

        In the order of the table, so that --env wins over --env-file.
        Raises UsageError that names the flag.
        """
        fields: dict[str, Any] = {}
        for flag in self.flags:
            for text in given.get(flag.name, ()):
                value = flag.value(text)
                if isinstance(value, tuple):
                    value = fields.get(flag.field, ()) + value
                elif isinstance(value, dict):
                    value = {**fields.get(flag.field, {}), **value}
                fields[flag.field] = value
        for place, name in enumerate(self.words):
            many = name[-1] in "*+"
            fields[name.rstrip("*+")] = tuple(words[place:]) if many else words[place]
        return self.kind(**fields)

    def complete(self, words: Sequence[str]) -> bool:
        """Whether as many words were given as the command needs, and no more."""
        needed = sum(not name.endswith("*") for name in self.words)
        takes_more = bool(self.words) and self.words[-1][-1] in "*+"
        return len(words) == needed or (takes_more and len(words) > needed)

    def gathers(self, flag: Flag) -> bool:
        """Whether the flag may be given several times, each adding to the others."""
        return isinstance(self.kind.__defaults__[flag.field], (tuple, dict))
