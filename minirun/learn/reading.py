"""A chapter as it is read in a terminal: without answers and hints, which have commands of their own.

Layer ``learn``. The text is README.md's, so what one reads offline is what is
on the web. Read ``minirun/cli/learn/start.py`` next.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minirun.learn.assemble import assemble

if TYPE_CHECKING:
    from minirun.learn.chapter import Chapter

_DETAILS = re.compile(r"<details>.*?</details>\n*", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_SOLUTION = re.compile(r"^.*\]\(exercises/[^)]*solution\.[a-z]+\).*$\n*", re.MULTILINE)


def for_terminal(chapter: Chapter) -> str:
    """The chapter as Markdown without what a terminal cannot fold away or draw."""
    text = _assembled(chapter)
    for hidden in (_DETAILS, _COMMENT, _SOLUTION):
        text = hidden.sub("", text)
    return text


def _assembled(chapter: Chapter) -> str:
    """README.md, as it was made by `make tutorials`; put together now where it is missing."""
    file = chapter.directory / "README.md"
    return file.read_text() if file.exists() else assemble(chapter)
