"""A file of the repository as a page of the site.

Layer ``learn``. Source is shown with numbered lines, a directory as the list of
what is in it, and Markdown as what it is: a page, with links of its own. Read
``scripts.py`` next.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from minirun.learn import excerpts
from minirun.learn.words import own

if TYPE_CHECKING:
    from pathlib import Path


def uri(path: str) -> str:
    """Where the page of ``path`` stands among the site's sources: ``source/minirun/errors.py.md``."""
    return f"source/{path}" if path.endswith(".md") else f"source/{path}.md"


def page(repository: Path, path: str) -> str:
    """The Markdown of the page of ``path``, which is a file or a directory."""
    file = repository / path
    if file.suffix == ".md":
        return f"---\nsearch: {{exclude: true}}\n---\n\n{file.read_text()}"
    body = _listing(file) if file.is_dir() else _source(file)
    head = f"---\ntitle: {path}\nhide: [toc]\nsearch: {{exclude: true}}\n---\n\n# `{path}`"
    return f"{head}\n\n{own('site-source')}\n\n{body}\n"


def _source(file: Path) -> str:
    text = file.read_text()
    fence = "~" * max(3, 1 + max((len(word) for word in text.split() if set(word) == {"~"}), default=0))
    return f'{fence}{{ .{excerpts.language(file.name)} linenums="1" }}\n{text.rstrip()}\n{fence}'


def _listing(directory: Path) -> str:
    shown = [one for one in sorted(directory.iterdir()) if not one.name.startswith((".", "__py"))]
    return "\n".join(f"- `{one.name}{'/' * one.is_dir()}` {_first_sentence(one)}".rstrip() for one in shown)


def _first_sentence(file: Path) -> str:
    """The first line of a module's docstring, of a package's too; empty for all else."""
    module = file / "__init__.py" if file.is_dir() else file
    if module.suffix != ".py" or not module.is_file():
        return ""
    return (ast.get_docstring(ast.parse(module.read_text())) or "").partition("\n")[0]
