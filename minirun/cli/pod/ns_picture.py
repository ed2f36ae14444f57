"""The namespaces of a pod as an SVG picture.

Layer ``cli``; pure. A column for each container, a row for each kind of namespace:
a box that spans several columns is one namespace that they are all in.
https://www.w3.org/TR/SVG11/
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minirun.cli.pod.ns import Member, Row

_LEFT, _TOP, _COLUMN, _ROW, _GAP = 96, 92, 170, 46, 8
_SHARED, _OWN, _HOST = "#d7ecd9", "#eef4fb", "#ececec"
_FONT = 'font-family="sans-serif"'
_NOTES = ((_SHARED, "one namespace for all of them"), (_OWN, "of its own"), (_HOST, "the host's"))


def picture(pod: str, members: Sequence[Member], rows: Sequence[Row]) -> str:
    """The picture as a text."""
    width = _LEFT + _COLUMN * len(members) + 16
    height = _TOP + _ROW * len(rows) + 44
    width = max(width, 560)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        f"<title>namespaces of pod {escape(pod)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(16, 28, f"pod {pod}", size=17, bold=True),
        *_head(members),
    ]
    for at, row in enumerate(rows):
        parts += _row(row, _TOP + at * _ROW)
    parts += _legend(_TOP + len(rows) * _ROW + 24)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _head(members: Sequence[Member]) -> Iterator[str]:
    for at, member in enumerate(members):
        middle = _LEFT + at * _COLUMN + _COLUMN // 2
        name = f"{member.name} (pause)" if at == 0 and member.name == "POD" else member.name
        yield _text(middle, 62, _short(name), anchor="middle", bold=True)
        yield _text(middle, 79, f"pid {member.pid}", anchor="middle", size=11)


def _row(row: Row, y: int) -> Iterator[str]:
    yield _text(16, y + _ROW // 2 + 4, row.kind.upper(), bold=True)
    for first, last, inode in _runs(row.inodes):
        x, width = _LEFT + first * _COLUMN + _GAP // 2, (last - first + 1) * _COLUMN - _GAP
        fill = _HOST if inode == row.host else _SHARED if row.inodes.count(inode) > 1 else _OWN
        yield (
            f'<rect x="{x}" y="{y + _GAP // 2}" width="{width}" height="{_ROW - _GAP}" rx="6" '
            f'fill="{fill}" stroke="#888888"/>'
        )
        label = f"{inode} (host)" if inode == row.host else str(inode)
        yield _text(x + width // 2, y + _ROW // 2 + 4, label, anchor="middle", size=12)


def _runs(inodes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Neighbours with the same inode: first, last, inode."""
    first = 0
    for at, inode in enumerate(inodes):
        if at + 1 == len(inodes) or inodes[at + 1] != inode:
            if inode:
                yield first, at, inode
            first = at + 1


def _legend(y: int) -> Iterator[str]:
    for at, (fill, words) in enumerate(_NOTES):
        x = 16 + at * 210
        yield (f'<rect x="{x}" y="{y - 11}" width="14" height="14" rx="3" fill="{fill}" stroke="#888888"/>')
        yield _text(x + 20, y, words, size=11)


def _short(name: str) -> str:
    return name if len(name) <= 20 else name[:19] + "…"


def _text(x: int, y: int, words: str, anchor: str = "start", size: int = 13, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" {_FONT} font-size="{size}" text-anchor="{anchor}"{weight}>'
        f"{escape(words)}</text>"
    )
