"""The site in a real browser, without a window: what is drawn, and that nothing is too wide."""

from __future__ import annotations

from pathlib import Path

from minirun.learn.chapter import directories
from tests.conftest import REPOSITORY
from tests.needs import needs
from tests.site.browser import Browser
from tests.site.reading import read

CHAPTERS = [one.name for one in directories(REPOSITORY / "tutorials")]
PHONE, DESKTOP = (390, 844), (1440, 900)
#: The theme puts a <div> in the place of a diagram's text when it is drawn.
DRAWN = """new Promise((done) => {
  const end = Date.now() + 20000;
  const drawn = () => document.querySelectorAll("div.mermaid").length == COUNT;
  const look = () => (drawn() || Date.now() > end ? done() : setTimeout(look, 20));
  look();
})"""
#: What sticks out on the right, and is in no box that can be moved by itself.
TOO_WIDE = """(() => {
  const width = document.documentElement.clientWidth;
  const moved = (one) =>
    one.tagName != "ARTICLE" && (getComputedStyle(one).overflowX == "auto" || moved(one.parentElement));
  return [...document.querySelectorAll("article *")]
    .filter((one) => one.getBoundingClientRect().right > width + 1 && !moved(one.parentElement))
    .map((one) => one.outerHTML.slice(0, 100));
})()"""


def shown(browser: Browser, page: Path) -> None:
    """Opens the page, and looks for what must be wrong on none."""
    browser.open(page.as_uri())
    name = f"{page.parent.name}/{page.name}"
    diagrams = page.read_text().count('<pre class="mermaid">')
    browser.ask(DRAWN.replace("COUNT", str(diagrams)))
    assert browser.drawings() == diagrams, f"{name}: of {diagrams} diagrams so many are drawn"
    assert browser.ask(TOO_WIDE) == [], f"{name} is wider than its window"
    assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth"), name
    assert browser.said == [], name
    assert [one for one in browser.asked if not one.startswith(("file:", "data:", "blob:"))] == [], name


@needs("chromium")
def test_each_page_on_a_phone_in_the_dark(site: Path, browser: Browser) -> None:
    """Tables, sessions and diagrams are wide; the page is not."""
    browser.look(*PHONE, "dark")
    for name in ("index.html", *(f"{name}/index.html" for name in CHAPTERS), "pod-fields.html"):
        shown(browser, site / name)
    assert brightness(browser) < 0.3


@needs("chromium")
def test_at_a_desk_by_daylight(site: Path, browser: Browser) -> None:
    """The landing page, a chapter with a diagram, wide tables, source that is quoted."""
    browser.look(*DESKTOP, "light")
    quoted = next(one for one in read(site / "03-pivot-root" / "index.html").links if "source/minirun" in one)
    for name in ("index.html", "03-pivot-root/index.html", "pod-fields.html"):
        shown(browser, site / name)
    shown(browser, site / "03-pivot-root" / quoted.partition("#")[0])
    assert brightness(browser) > 0.9


@needs("chromium")
def test_search_works_from_a_file(site: Path, browser: Browser) -> None:
    """Nobody serves it: the index is a script, and the search a frame where a worker is forbidden."""
    browser.look(*DESKTOP, "light")
    browser.open((site / "index.html").as_uri())
    browser.ask("document.querySelector('.md-search__input').focus()")
    browser.call("Input.insertText", text="propagation")
    found = browser.ask(
        """new Promise((done) => {
          const end = Date.now() + 20000;
          const look = () => {
            const found = [...document.querySelectorAll(".md-search-result__link")].map((one) => one.href);
            found.length || Date.now() > end ? done(found) : setTimeout(look, 20);
          };
          look();
        })"""
    )
    assert any("03-pivot-root" in one for one in found), found


def brightness(browser: Browser) -> float:
    """Of the page's background, from 0 to 1."""
    colour = browser.ask("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3)")
    return sum(map(float, colour)) / 3 / 255
