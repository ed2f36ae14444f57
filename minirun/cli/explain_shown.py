"""How a plan is shown: lines for a pipe, a table for a terminal.

Part of ``explain.py``.
"""

from __future__ import annotations

import sys

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from minirun.steps import Call, Step

    #: A sign (or none), the step's number, the step, and its calls as text.
    Line = tuple[str, int, Step, list[str]]

#: Stands for the id that ``run`` would draw, so that two plans differ in what matters.
ID = "0" * 64


def named(what: Call | str) -> str:
    """A call or a title, with ID in the place of the id."""
    return str(what).replace(ID, "ID")


def show(lines: Sequence[Line]) -> None:
    """Prints the steps as fits what stdout is."""
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False)
        console.print(table(lines, console.width))
    else:
        for text in plain_lines(lines):
            print(text)


def plain_lines(lines: Sequence[Line]) -> Iterator[str]:
    """The steps for a pipe: a line each, then its calls, then why."""
    mark = 2 if any(sign for sign, *_ in lines) else 0
    for sign, number, step, calls in lines:
        yield f"{sign:<{mark}}{number:>3}  {step.side:<4}  {named(step.title)}"
        margin = " " * (mark + 11)
        for call in calls:
            yield f"{margin}{call}"
        yield f"{margin}# {step.why}{_references(step, '  ')}"


def _references(step: Step, before: str) -> str:
    pages = list(dict.fromkeys(call.manual for call in step.calls if call.manual))
    chapter = [f"chapter {step.chapter}"] if step.chapter else []
    return f"{before}[{', '.join([*pages, *chapter])}]" if pages or chapter else ""


def table(lines: Sequence[Line], width: int) -> Any:
    """The steps for a terminal ``width`` columns wide, as a rich table.

    Where there is room a step is a row of cells; else its calls and the
    reason stand below its title.
    """
    from rich.table import Table
    from rich.text import Text

    wide = width >= 120
    shown = Table(box=None, pad_edge=False, header_style="bold", show_header=wide, expand=wide)
    shown.add_column("#", justify="right", no_wrap=True)
    shown.add_column("side", no_wrap=True)
    shown.add_column("step", overflow="fold", ratio=3 if wide else None)
    if wide:
        shown.add_column("calls", overflow="fold", ratio=6)
        shown.add_column("why", ratio=5)
    for sign, number, step, calls in lines:
        style = {"+": "green", "-": "red", "~": "yellow"}.get(sign, "")
        head = [Text(f"{sign} {number}".strip(), style=style), Text(step.side, style="dim")]
        title = Text(named(step.title), style=style or "bold")
        code = Text("\n".join(calls), style="cyan")
        why = Text(step.why + _references(step, " "), style="dim")
        if wide:
            shown.add_row(*head, title, code, why)
        else:
            shown.add_row(*head, Text("\n").join([part for part in (title, code, why) if part]))
    return shown
