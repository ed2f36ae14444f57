"""The conventions of CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import minirun

PACKAGE = Path(minirun.__path__[0])
REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = sorted([*PACKAGE.rglob("*.py"), *(REPOSITORY / "rootfs-builder").glob("*.py")])

#: A file of these names is a drawer, not a noun.
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "tools"}

#: An exception without a reason behind it.
BARE = re.compile(r"#\s*(noqa(: *[A-Z0-9, ]+)?|type: ignore(\[[a-z, -]+\])?)\s*$")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def each_module() -> pytest.MarkDecorator:
    """Runs a test once for every module of ours."""
    return pytest.mark.parametrize("path", MODULES, ids=lambda path: "/".join(path.parts[-2:]))


@each_module()
def test_a_module_opens_with_its_model(path: Path) -> None:
    """What it is, which layer, what to read next: at least something is said."""
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


@each_module()
def test_what_is_public_is_explained(path: Path) -> None:
    """Public functions, methods and classes have a docstring."""
    silent = [name for name, node in public(ast.parse(path.read_text())) if not ast.get_docstring(node)]
    assert silent == []


@each_module()
def test_a_file_is_a_noun(path: Path) -> None:
    """No drawer that everything is thrown into."""
    assert path.stem not in DRAWERS


@each_module()
def test_sizes(path: Path) -> None:
    """Past 300 lines a file, past 60 a function: a warning that it wants a wall."""
    text = path.read_text()
    if (lines := text.count("\n")) > 300:
        warnings.warn(f"{path.name} has {lines} lines (aim at 120, at most 300)", stacklevel=1)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (length := length_of(node)) > 60:
            warnings.warn(f"{path.name}: {node.name} is {length} lines (aim at 15, at most 60)", stacklevel=1)


@pytest.mark.parametrize("top", ("minirun", "rootfs-builder", "tests", "tutorials"))
def test_every_exception_to_a_rule_has_its_reason(top: str) -> None:
    """What switches a checker off for a line says why behind it; so does a sleep, which waits for nothing."""
    found = []
    for path in sorted((REPOSITORY / top).rglob("*.py")):
        text = path.read_text()
        lines = text.splitlines()
        bare = [number for number, line in enumerate(lines, 1) if BARE.search(line)]
        bare += [number for number in sleeps(text) if "#" not in lines[number - 1]]
        found += [f"{path.relative_to(REPOSITORY)}:{number}: {lines[number - 1].strip()}" for number in bare]
    assert found == []


def sleeps(text: str) -> list[int]:
    """The lines with a call of time.sleep."""
    if "time.sleep" not in text:
        return []
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if ast.unparse(call.func) == "time.sleep"]


def test_the_tests_ignore_no_type() -> None:
    """mypy does not read them: there is nothing to ignore."""
    ignore = re.compile(r"#\s*type: ignore")
    assert [path.name for path in REPOSITORY.glob("tests/**/*.py") if ignore.search(path.read_text())] == []


def test_every_ignore_of_the_linter_has_its_reason() -> None:
    """Each rule that pyproject.toml switches off says why, on its line."""
    block = (REPOSITORY / "pyproject.toml").read_text().split("\nignore = [\n")[1].split("\n]")[0]
    assert [line for line in block.splitlines() if not re.search(r'", +# \w+', line)] == []


def public(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """The definitions that others may use, by their dotted name."""
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not is_variant(node):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} <= {"Value"}:
                # What a method of another base is for, that base says.
                yield from public(node, f"{prefix}{node.name}.")


def is_variant(node: Definition) -> bool:
    """Whether its docstring is elsewhere: an overload, an override, a property's setter."""
    decorators = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    return bool(decorators & {"overload", "override", "setter"})


def length_of(node: ast.FunctionDef) -> int:
    """The lines of a function without those of its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
