"""Pieces of source that the text shows: regions of a chapter's files, quotes from minirun.

Layer ``learn``. A region stands between ``# [NAME]`` and ``# [/NAME]``; a quote
is found by the name of what is defined, so it cannot be stale: when the
function is gone, assembling fails. Read ``assemble.py`` next.
"""

from __future__ import annotations

import ast
import os
import re
import textwrap
from typing import TYPE_CHECKING

from minirun.errors import InvalidInput, NotFound
from minirun.learn.places import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

#: Suffix of a file -> what Markdown calls its language, where that is not the suffix itself.
_LANGUAGES = {".py": "python", ".h": "c", ".sh": "bash", ".session": "console"}
_KNOWN = {"c", "yaml", "json", "toml"}
_MARKER = re.compile(r"\s*(?:#|//|/\*) \[(/?)([a-z0-9_-]+)\](?: \*/)?\s*")


def language(path: str) -> str:
    """How Markdown calls the language of a file; ``text`` if it knows none."""
    suffix = os.path.splitext(path)[1]
    return _LANGUAGES.get(suffix, suffix[1:] if suffix[1:] in _KNOWN else "text")


def code(file: Path, region: str = "") -> str:
    """The lines of ``file``, or of one of its regions, without any marker line. Raises InvalidInput."""
    if not file.is_file():
        raise InvalidInput(f"there is no file {file}", "a {{ code }} asks for it", "")
    lines = file.read_text().splitlines()
    if region:
        lines = _between(lines, region, file)
    shown = "\n".join(line for line in lines if not _MARKER.fullmatch(line))
    return textwrap.dedent(shown).strip("\n")


def _between(lines: list[str], region: str, file: Path) -> list[str]:
    marks = [
        (number, found[1])
        for number, line in enumerate(lines)
        if (found := _MARKER.fullmatch(line)) and found[2] == region
    ]
    if [slash for _, slash in marks] != ["", "/"]:
        raise InvalidInput(
            f"{file}: region {region!r}", "it does not have one beginning and one end", f"write # [{region}]"
        )
    return lines[marks[0][0] + 1 : marks[1][0]]


def quote(path: str, symbol: str) -> str:
    """The source of ``symbol`` (a function, a class, Class.method, a constant) in minirun's ``path``.

    ``path`` begins with ``minirun/``. Raises NotFound when it is not there (any more).
    """
    file = PACKAGE.parent / path
    if not path.startswith("minirun/") or ".." in path or not file.is_file():
        raise NotFound(f"there is no file {path} to quote", "it was moved, or it is misspelt", "")
    source = file.read_text()
    found = _in_c(source, symbol) if file.suffix in (".c", ".h") else _in_python(source, symbol)
    if found is None:
        raise NotFound(f"{path} defines no {symbol}", "it was renamed, moved, or it is misspelt", "")
    return textwrap.dedent(found).strip("\n")


def _in_python(source: str, symbol: str) -> str | None:
    body: list[ast.stmt] = ast.parse(source).body
    names = symbol.split(".")
    for name in names[:-1]:
        inside = [node for node in body if isinstance(node, ast.ClassDef) and node.name == name]
        if not inside:
            return None
        body = inside[0].body
    for index, node in enumerate(body):
        if names[-1] in _defined(node):
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            last = node.end_lineno or first
            following = body[index + 1] if index + 1 < len(body) else None
            if _is_docstring(following) and following is not None:  # what a field is for, said under it
                last = following.end_lineno or last
            lines = source.splitlines()
            while first > 1 and lines[first - 2].lstrip().startswith("#"):  # its comment belongs to it
                first -= 1
            return "\n".join(lines[first - 1 : last])
    return None


def _is_docstring(node: ast.stmt | None) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _in_c(source: str, symbol: str) -> str | None:
    """A function that begins in the first column and ends with a brace there; its comment comes along."""
    lines = source.splitlines()
    head = re.compile(rf"^[a-z_][^;=]*\b{re.escape(symbol)}\([^;]*$")
    for start, line in enumerate(lines):
        if head.match(line):
            ends = [at for at in range(start, len(lines)) if lines[at] == "}"]
            if not ends:
                return None
            if start and lines[start - 1].rstrip().endswith("*/"):
                while not lines[start - 1].lstrip().startswith("/*"):
                    start -= 1
                start -= 1
            return "\n".join(lines[start : ends[0] + 1])
    return None
