"""The measurements as bars: for a terminal, or as an SVG written by hand.

Layer ``compare``. Pure. The scale is linear, since that is what a bar is for:
where one rung takes a thousand times as much as another, the other's bar is a
hair, and its number stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.compare import report
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.compare.measure import Comparison

#: Blocks an eighth to seven eighths of a character wide.
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Bar(Value):
    """A rung's number; None was not measured. ``shown`` stands beside the bar."""

    rung: str
    number: float | None
    shown: str


class Panel(Value):
    """One quantity of all rungs."""

    title: str
    bars: tuple[Bar, ...]

    @property
    def most(self) -> float:
        """The number of the longest bar."""
        return max((bar.number or 0.0 for bar in self.bars), default=0.0) or 1.0


def panels(comparison: Comparison) -> tuple[Panel, ...]:
    """Start, memory, system calls."""
    starts, sizes, calls = [], [], []
    for one in comparison.rungs:
        start, size = report.start(one), report.memory(one, comparison)
        total = None if one.missing else one.syscalls.total
        starts.append(_bar(one.rung, start, report.milliseconds(start)))
        sizes.append(_bar(one.rung, size, report.kibibytes(size)))
        calls.append(_bar(one.rung, total, str(total)))
    return (
        Panel(title="start to first output", bars=tuple(starts)),
        Panel(title="memory beside the program's own", bars=tuple(sizes)),
        Panel(title="system calls that the host's kernel saw", bars=tuple(calls)),
    )


def _bar(rung: str, number: float | None, shown: str) -> Bar:
    return Bar(rung=rung, number=number, shown="not measured" if number is None else shown)


def text(comparison: Comparison, width: int = 80) -> Iterator[str]:
    """The lines of a chart that is ``width`` characters wide."""
    names = max(len(one.rung) for one in comparison.rungs)
    for panel in panels(comparison):
        room = max(width - names - 3 - max(len(bar.shown) for bar in panel.bars), 8)
        yield panel.title
        for bar in panel.bars:
            drawn = blocks((bar.number or 0.0) / panel.most * room)
            yield f"  {bar.rung:<{names}} {f'{drawn} ' if drawn else ''}{bar.shown}"
        yield ""


def blocks(length: float) -> str:
    """A bar of so many characters, to an eighth; of what is more than nothing one sees something."""
    eighths = max(round(length * 8), 1 if length else 0)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


#: Of the SVG, in its units: the whole width, where bars begin, how long they get, a line's height.
_WIDTH, _LEFT, _LONGEST, _LINE = 760, 110, 480, 26

_STYLE = """
    text { font: 14px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600 }
    .number { fill: #59636e }
    .bar { fill: #3b6fb6 }
    .paper { fill: #ffffff }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }  .number { fill: #9198a1 }  .bar { fill: #6ea8fe }  .paper { fill: #0d1117 }
    }
"""


def svg(comparison: Comparison) -> str:
    """A whole SVG document, light and dark."""
    from html import escape

    title = f"{comparison.wish.image} {' '.join(comparison.wish.command)}"
    drawn: list[str] = []
    y = 30
    for panel in panels(comparison):
        drawn.append(f'<text class="title" x="16" y="{y}">{escape(panel.title)}</text>')
        for bar in panel.bars:
            y += _LINE
            drawn += _drawn(bar, panel.most, y)
        y += 44
    heading = f"<title>{escape(title)}</title>\n  <desc>{escape(' '.join(report.answer(comparison)))}</desc>"
    body = "\n  ".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y - 20}" role="img">\n'
        f"  {heading}\n  <style>{_STYLE}  </style>\n"
        f'  <rect class="paper" width="100%" height="100%"/>\n  {body}\n</svg>\n'
    )


def _drawn(bar: Bar, most: float, y: int) -> list[str]:
    from html import escape

    length = max((bar.number or 0.0) / most * _LONGEST, 1.0 if bar.number else 0.0)
    return [
        f'<text x="16" y="{y}">{escape(bar.rung)}</text>',
        f'<rect class="bar" x="{_LEFT}" y="{y - 13}" width="{length:.1f}" height="16" rx="1"/>',
        f'<text class="number" x="{_LEFT + length + 8:.1f}" y="{y}">{escape(bar.shown)}</text>',
    ]
