"""What is wrong with a manifest, and where: a path and a line.

Layer: pod; pure. Everything that is wrong is said at once, in the order of the
file, because a manifest is put right by hand. A ``Note`` is no mistake: a field
that has no meaning on one machine. Read next: decode.py.
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    #: What a rule found: the path of the field, and what is wrong with it.
    Finding = tuple[str, str]

#: More than these nobody reads at once.
_SHOWN = 40


class Problem(Value):
    """One mistake: ``spec.containers[0].image: is required (line 7)``."""

    line: int
    path: str
    what: str

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.what} (line {self.line})"


class Note(Value):
    """A field that is set aside, and why."""

    line: int
    field: str
    why: str

    def __str__(self) -> str:
        return f"{self.field}: {self.why} (line {self.line})"


class InvalidManifest(InvalidInput):
    """A manifest that cannot be run; ``problems`` has every reason, by line."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda one: one.line))
        count = len(self.problems)
        lines = [str(one) for one in self.problems[:_SHOWN]]
        if count > _SHOWN:
            lines.append(f"... and {count - _SHOWN} more")
        super().__init__(
            f"{name} is not a valid manifest: {count} error{'s' if count != 1 else ''}",
            "\n       ".join(lines),
            "correct the manifest and try again; `minirun pod explain` shows what one becomes",
        )
