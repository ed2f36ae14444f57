"""What the site's hook decides, without mkdocs: links, pages of source, scripts."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from minirun.errors import InvalidInput, NotFound
from minirun.learn.site import links, scripts, sources

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = "tutorials/03-pivot-root/README.md"
TEXT = """See [the next](../04-namespaces/README.md#why), [`errors`](../../minirun/errors.py), `NotFound`,
[the manual](https://man7.org/) and [above](#why).

```console
$ echo "[no link](../../minirun/values.py)"
```

And [its solution](exercises/pivot/solution.py).
"""


def test_links_are_found_from_the_top_of_the_repository() -> None:
    """Not those to the world, within the page, or in code; a quote's has its symbol."""
    assert [(one.path, one.symbol) for one in links.links(TEXT, PAGE)] == [
        ("tutorials/04-namespaces/README.md", ""),
        ("minirun/errors.py", "NotFound"),
        ("tutorials/03-pivot-root/exercises/pivot/solution.py", ""),
    ]


def test_links_are_led_elsewhere_and_code_is_left_alone() -> None:
    """Only the target changes; where there is none, nothing does."""
    led = links.follow(TEXT, PAGE, lambda link: "../source/e.py.md#L-0-1" if link.symbol else "")
    assert led == TEXT.replace("../../minirun/errors.py", "../source/e.py.md#L-0-1")


def test_a_quote_is_found_at_its_line() -> None:
    """Its own comment and decorators belong to it; a link without a symbol is to the whole file."""
    quote = links.Link(path="minirun/errors.py", symbol="NotFound")
    lines = (REPOSITORY / quote.path).read_text().splitlines()
    assert lines[links.line(REPOSITORY, quote) - 1].startswith("class NotFound")
    assert links.line(REPOSITORY, links.Link(path="minirun/errors.py", symbol="")) == 0


def test_pages_of_source() -> None:
    """A file with its lines numbered, a directory with what its modules are, Markdown as it is."""
    assert '{ .python linenums="1" }' in sources.page(REPOSITORY, "minirun/errors.py")
    assert "- `chapter.py` What a chapter consists of" in sources.page(REPOSITORY, "minirun/learn")
    assert sources.page(REPOSITORY, "CONTRIBUTING.md").endswith((REPOSITORY / "CONTRIBUTING.md").read_text())
    assert sources.uri("CONTRIBUTING.md") == "source/CONTRIBUTING.md"
    assert sources.uri("minirun/errors.py") == "source/minirun/errors.py.md"


def test_source_that_has_a_fence_in_it(tmp_path: Path) -> None:
    """The fence around it is longer."""
    (tmp_path / "a.txt").write_text("~~~~\ninside\n~~~~\n")
    assert sources.page(tmp_path, "a.txt").rstrip().endswith("\n~~~~\n~~~~~")


def test_a_script_has_to_be_the_one_that_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another content under the same name and version is refused, and not kept."""
    (tmp_path / "index.js").write_text("steal();")
    with tarfile.open(tmp_path / "packed", "w:gz") as archive:
        archive.add(tmp_path / "index.js", scripts.WORKER.member)
    npm = tmp_path / "npm"
    npm.write_text(f'#!/bin/sh\ncp {tmp_path}/packed "$4"/one.tgz\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(InvalidInput, match="is not what it was"):
        scripts.fetch(scripts.WORKER, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is missing, and who brings it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NotFound, match="no npm"):
        scripts.fetch(scripts.WORKER, tmp_path)
