"""A page of HTML, as far as the tests ask: what it loads, where it leads, what it consists of."""

from __future__ import annotations

from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """Reads the text of a page, the whole of it at once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.previous = ""
        self.following = ""
        self._inside = "<article" not in text
        self._counted: Counter[str] = Counter()
        self.feed(text)

    def count(self, tag: str) -> int:
        """How many of ``tag`` are in its article (in all of it, if it has none)."""
        return self._counted[tag]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """One tag of the page."""
        given = {name: value or "" for name, value in attributes}
        self._inside |= tag == "article"
        self._counted[tag] += self._inside
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") in ("prev", "next"):
            self.previous = given["href"] if given["rel"] == "prev" else self.previous
            self.following = given["href"] if given["rel"] == "next" else self.following
        elif LOADS.get(tag, "") in given:
            self.loads.append(given[LOADS[tag]])

    def handle_endtag(self, tag: str) -> None:
        """What comes after the article is the theme's."""
        self._inside &= tag != "article"


@cache
def read(file: Path) -> Page:
    """The page in ``file``."""
    return Page(file.read_text())
