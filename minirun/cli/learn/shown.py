"""What the commands of ``minirun learn`` print: Markdown, code and differences, on a terminal or not."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from minirun.learn.checking import Verdict


def markdown(text: str, paged: bool = False) -> None:
    """Prints Markdown: set in type on a terminal (one page at a time if ``paged``), as it is into a pipe."""
    console = _console()
    if console is None:
        print(text.rstrip())
        return
    from rich.markdown import Markdown

    if not paged:
        console.print(Markdown(text))
        return
    os.environ.setdefault("LESS", "-RFX")  # colours, and no page for what fits on one
    with console.pager(styles=True):
        console.print(Markdown(text))


def code(text: str, language: str) -> None:
    """Prints a program or a difference; in colours on a terminal."""
    console = _console()
    if console is None:
        print(text.rstrip("\n"))
        return
    from rich.syntax import Syntax

    console.print(Syntax(text.rstrip("\n"), language, background_color="default"))


def verdict(name: str, found: Verdict) -> None:
    """Prints what a check has found: passed or not, why, and what to do."""
    print(f"{name}: {'passed' if found.passed else 'not yet'}")
    for line in _filled(found.says):
        print(f"  {line}")
    if found.hint:
        first, *rest = _filled(found.hint, 5)
        print(f"  try: {first}")
        for line in rest:
            print(f"       {line}")


def _filled(text: str, indent: int = 0) -> Sequence[str]:
    """The paragraphs of ``text`` in lines that fit; what is not prose is left alone."""
    import textwrap

    width = min(_columns(), 100) - 2 - indent
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        lines += [paragraph] if paragraph.startswith(" ") else textwrap.wrap(paragraph, width) or [""]
    return lines


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _console() -> Console | None:
    """A rich console; None where the output is no terminal, or rich is not there."""
    if not sys.stdout.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(width=min(_columns(), 100), highlight=False)
