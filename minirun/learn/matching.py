"""Is that what was printed? A comparison that knows which places vary.

Layer ``learn``, and pure. In an expected line ``‹text›`` is matched by
anything that is not empty, ``‹name=text›`` by the same text wherever the name
comes again in the chapter, and a line ``⋮`` stands for any number of lines.
Read ``classroom.py`` next.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Any number of lines, also none.
GAP = "⋮"
_PLACE = re.compile(r"‹(?:([a-z_][a-z0-9_]*)=)?([^‹›]*)›")


def shown(line: str) -> str:
    """The line as a reader sees it: the places hold the text that was once there."""
    return _PLACE.sub(lambda place: place[2], line)


def match(expected: Sequence[str], got: Sequence[str], names: Mapping[str, str]) -> dict[str, str] | None:
    """The names with what they stand for, if ``got`` is as ``expected``; else None."""
    if not expected:
        return None if got else dict(names)
    if expected[0].strip() == GAP:
        for skipped in range(len(got) + 1):
            if (found := match(expected[1:], got[skipped:], names)) is not None:
                return found
        return None
    if not got or (bound := match_line(expected[0], got[0], names)) is None:
        return None
    return match(expected[1:], got[1:], bound)


def match_line(expected: str, got: str, names: Mapping[str, str]) -> dict[str, str] | None:
    """The names with those that this line binds, or None."""
    found = re.fullmatch(_pattern(expected, names), got)
    return None if found is None else {**names, **found.groupdict()}


def _pattern(line: str, names: Mapping[str, str]) -> str:
    pattern = ""
    end = 0
    met: set[str] = set()
    for place in _PLACE.finditer(line):
        pattern += re.escape(line[end : place.start()])
        end = place.end()
        name = place[1]
        if name in names:
            pattern += re.escape(names[name])
        elif name in met:
            pattern += f"(?P={name})"
        else:
            pattern += f"(?P<{name}>.+?)" if name else ".+?"
            met.add(name or "")
    return pattern + re.escape(line[end:])


def difference(expected: Sequence[str], got: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Where they differ, as lines that begin with ``-`` (expected), ``+`` (came) or a blank (both)."""
    lines: list[str] = []
    for here, there in _aligned(expected, got, names):
        if here is not None and there is not None:
            lines.append(f"  {there}")
        elif here is not None:
            lines.append(f"- {here}")
        else:
            lines.append(f"+ {there}")
    return lines + _clashes(expected, got, names)


def _aligned(
    expected: Sequence[str], got: Sequence[str], names: Mapping[str, str]
) -> list[tuple[str | None, str | None]]:
    """Pairs of lines that fit, as many as can be, by dynamic programming; the rest on one side only.

    What a gap takes counts too, but less than any line that was written out.
    """
    rows, columns = len(expected), len(got)
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            best[row][column] = max(
                best[row + 1][column], best[row][column + 1], _taken(best, expected, got, names, row, column)
            )
    pairs: list[tuple[str | None, str | None]] = []
    row = column = 0
    while row < rows and column < columns:
        gap = expected[row].strip() == GAP
        if best[row][column] == _taken(best, expected, got, names, row, column):
            pairs.append((expected[row], got[column]))
            row, column = row + (not gap), column + 1
        elif best[row][column] == best[row + 1][column]:
            pairs += [] if gap else [(expected[row], None)]
            row += 1
        else:
            pairs.append((None, got[column]))
            column += 1
    pairs += [(line, None) for line in expected[row:] if line.strip() != GAP]
    return pairs + [(None, line) for line in got[column:]]


def _taken(
    best: Sequence[Sequence[int]],
    expected: Sequence[str],
    got: Sequence[str],
    names: Mapping[str, str],
    row: int,
    column: int,
) -> int:
    """How good it gets if these two lines are a pair; -1 if they are none."""
    if expected[row].strip() == GAP:
        return best[row][column + 1] + 1
    if match_line(expected[row], got[column], names) is None:
        return -1
    return best[row + 1][column + 1] + len(got) + 1


def _clashes(expected: Sequence[str], got: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Names that meet another text here than before."""
    said = []
    for line in expected:
        for place in _PLACE.finditer(line):
            if place[1] in names and any(match_line(line, there, {}) is not None for there in got):
                said.append(f"  (‹{place[1]}› was {names[place[1]]!r} before)")
    return list(dict.fromkeys(said))
