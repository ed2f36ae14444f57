"""The site as files: nothing of it is elsewhere, and each link leads somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from minirun.learn.chapter import directories
from minirun.learn.places import LANGUAGE
from minirun.learn.site import links, sources
from tests.conftest import REPOSITORY
from tests.site.reading import Page, read

TUTORIALS = REPOSITORY / "tutorials"
CHAPTERS = [one.name for one in directories(TUTORIALS)]


def pages(site: Path) -> list[Path]:
    """Every page, those of the quoted source too."""
    return sorted(site.rglob("*.html"))


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    """Scripts, styles, fonts, pictures: all come with the site, so that it can be read offline."""
    loaded = {link for page in pages(site) for link in read(page).loads}
    loaded |= {link for css in site.rglob("*.css") for link in re.findall(r"url\(([^)]+)\)", css.read_text())}
    assert [link for link in loaded if re.match(r"['\"]?(https?:)?//", link)] == []
    assert any(link.endswith("mermaid.js") for link in loaded)


def test_each_link_leads_somewhere(site: Path) -> None:
    """To a file of the site, and to an anchor that is there."""
    dead = []
    for page in pages(site):
        for link in read(page).links:
            if re.match(r"[a-z]+:", link) or page.name == "404.html":  # its links begin at a server's /
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (anchor and anchor not in read(target).anchors):
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []


def test_chapters_are_in_story_order(site: Path) -> None:
    """From the landing page on, each page's next is the following chapter, and its prev the one before."""
    order = ["index.html", *(f"{name}/index.html" for name in CHAPTERS), "pod-fields.html"]
    met = [site / order[0]]
    while following := read(met[-1]).following:
        met.append((met[-1].parent / following).resolve())
        assert (met[-1].parent / read(met[-1]).previous).resolve() == met[-2]
    assert [str(one.relative_to(site)) for one in met] == order


@pytest.mark.parametrize("name", ["", *CHAPTERS])
def test_markdown_means_here_what_it_means_in_the_repository(site: Path, name: str) -> None:
    """The site's Markdown is of another family than CommonMark: lists and <details> could fall apart."""
    from markdown_it import MarkdownIt

    text = (TUTORIALS / name / "README.md").read_text()
    expected = Page(MarkdownIt("commonmark").enable("table").render(text))
    found = read(site / name / "index.html")
    for tag in ("h2", "h3", "ol", "ul", "li", "table", "tr", "details", "pre", "strong", "em"):
        assert found.count(tag) == expected.count(tag), f"<{tag}>"


def test_what_is_no_page_stays_out(site: Path) -> None:
    """Checks and mistakes are in the repository; the site has what is to be read."""
    beside = {file.suffix for file in site.rglob("*") if file.is_file() and "assets" not in file.parts}
    assert beside <= {".html", ".js", ".json", ".css", ".xml", ".gz", ".svg", ".png"}
    assert not list(site.rglob("text.*"))


def test_search_knows_the_chapters(site: Path) -> None:
    """And not the source beside them, which has every word a hundred times."""
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {entry["location"].partition("/")[0] for entry in index["docs"]}
    assert found >= set(CHAPTERS)
    assert "source" not in found


def test_the_theme_speaks_the_language_of_the_text(site: Path) -> None:
    """Menus, and the stems that search knows."""
    assert f'<html lang="{LANGUAGE}"' in (site / "index.html").read_text()
    index = json.loads((site / "search" / "search_index.json").read_text())
    assert index["config"]["lang"] == [LANGUAGE]


def test_a_quote_leads_to_its_line(site: Path) -> None:
    """The page of the source that is quoted, at what is quoted."""
    text = (TUTORIALS / "03-pivot-root" / "README.md").read_text()
    quote = next(one for one in links.links(text, "tutorials/03-pivot-root/README.md") if one.symbol)
    line = links.line(REPOSITORY, quote)
    assert f"def {quote.symbol}(" in (REPOSITORY / quote.path).read_text().splitlines()[line - 1]
    address = f"../{sources.uri(quote.path).removesuffix('.md')}.html#L-0-{line}"
    assert address in read(site / "03-pivot-root" / "index.html").links
