"""A tree of lines, as tree(1) draws directories. Layer ``network``; pure.

A line is made of cells. Among siblings with as many of them the cells stand below
one another, so that interfaces, addresses and owners are columns.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Node:
    """One line, and what hangs below it."""

    def __init__(self, *cells: str, below: Sequence[Node] = ()) -> None:
        self.cells = cells
        self.below = list(below)


def lines(root: Node) -> Iterator[str]:
    """The lines of a tree."""
    yield clean("  ".join(filter(None, root.cells)))
    yield from _below(root, "")


def _below(node: Node, indent: str) -> Iterator[str]:
    # Columns are for lines of one kind: a bridge says other things than a cable.
    kinds = {len(child.cells) for child in node.below}
    widths = {kind: _widths([one.cells for one in node.below if len(one.cells) == kind]) for kind in kinds}
    for child in node.below:
        last = child is node.below[-1]
        columns = zip(map(clean, child.cells), widths[len(child.cells)], strict=True)
        cells = [cell + " " * (width - _width(cell)) for cell, width in columns]
        yield f"{indent}{'└─' if last else '├─'} {'  '.join(filter(None, cells))}".rstrip()
        yield from _below(child, f"{indent}{'   ' if last else '│  '}")


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """The widest cell of each column; the last cell of a line makes no room."""
    return [
        max((_width(clean(row[column])) for row in rows if any(row[column + 1 :])), default=0)
        for column in range(len(rows[0]))
    ]


def _width(text: str) -> int:
    """Columns on a terminal: wide letters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


def clean(text: str) -> str:
    """Names are others': one with an escape sequence must not reach the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
