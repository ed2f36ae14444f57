"""Links of a page to files of the repository, which a site has to bring along.

Layer ``learn``. A README.md of the tutorial is read in the repository as well,
where ``../../minirun/errors.py`` is a file. In the site each such file becomes a
page under ``source/``; a quote's link leads to the line of what is quoted there.
Read ``sources.py`` next.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from minirun.learn import excerpts
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FENCED = re.compile(r"^( *)(`{3,}|~{3,}).*?^ *\2`*~* *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?P<target>[^()\s#:]+)(?P<anchor>#[^()\s]*)?\)(?:, `(?P<symbol>[\w.]+)`)?")


class Link(Value):
    """A link to something in the repository."""

    path: str
    """From the top of the repository, ``minirun/errors.py``; a directory's ends without a slash."""
    symbol: str
    """What is quoted from it, if the link is a quote's."""


def prose(markdown: str, change: Callable[[str], str]) -> str:
    """``markdown`` with ``change`` applied to what is outside of fenced code."""
    parts, at = [], 0
    for fenced in _FENCED.finditer(markdown):
        parts += [change(markdown[at : fenced.start()]), fenced[0]]
        at = fenced.end()
    return "".join([*parts, change(markdown[at:])])


def links(markdown: str, page: str) -> Iterator[Link]:
    """The links of the page whose file is ``page``, a path from the top of the repository."""
    for found in _LINK.finditer(_FENCED.sub("", markdown)):
        yield _link(found, page)


def follow(markdown: str, page: str, lead: Callable[[Link], str]) -> str:
    """``markdown`` with each link's target replaced by what ``lead`` says, unless that is empty."""

    def led(found: re.Match[str]) -> str:
        other = lead(_link(found, page))
        return found[0].replace(found["target"], other, 1) if other else found[0]

    return prose(markdown, lambda text: _LINK.sub(led, text))


def _link(found: re.Match[str], page: str) -> Link:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), found["target"]))
    return Link(path=path, symbol=found["symbol"] or "")


def line(repository: Path, link: Link) -> int:
    """The line at which a quote's symbol begins, 0 if the link is no quote's. Raises NotFound."""
    if not link.symbol or not link.path.startswith("minirun/"):
        return 0
    quoted = [each.strip() for each in excerpts.quote(link.path, link.symbol).splitlines()]
    lines = [each.strip() for each in (repository / link.path).read_text().splitlines()]
    starts = (at for at in range(len(lines)) if lines[at : at + len(quoted)] == quoted)
    return next(starts, -1) + 1
