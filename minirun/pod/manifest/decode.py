"""From a tree of YAML to values: every field known, every type right.

Layer: pod; pure. The annotations of types.py are the schema. Whatever is wrong is
collected in a ``Reading`` and replaced by something empty, so that the rules
(validate.py) can still look at the rest. Read next: read.py.
"""

from __future__ import annotations

import sys

from minirun.pod import quantity
from minirun.pod.manifest.problems import InvalidManifest, Note, Problem
from minirun.pod.manifest.support import WRITTEN_BY_THE_SERVER
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from typing import Any, TypeVar

    from minirun.pod.manifest.nodes import Node

    V = TypeVar("V", bound=Value)
    #: What a field takes: a word for it, and the shape or class inside.
    Shape = tuple[str, Any]

#: Aliases can unfold a few lines into gigabytes; no honest manifest comes near this.
_MOST_NODES = 200_000

_EXPECTED = {
    "text": "text",
    "quantity": "a quantity such as 500m, 2 or 64Mi",
    "whole": "a whole number",
    "flag": "true or false",
    "either": "a whole number or a name",
    "list": "a list",
    "map": "a map",
    "structure": "a map",
    "anything": "a map",
}
_SCALARS = {
    "str": "text",
    "Quantity": "quantity",
    "int": "whole",
    "bool": "flag",
    "int | str": "either",
    "object": "anything",
}
_EMPTY = {"text": "", "quantity": "0", "whole": 0, "flag": False, "either": 0, "list": (), "map": {}}
_shapes: dict[type, dict[str, Shape]] = {}


class Reading:
    """What came to light while one document was read."""

    def __init__(self, name: str, lenient: bool) -> None:
        self.name = name
        self.lenient = lenient
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.notes: list[Note] = []
        self.lines: dict[str, int] = {}
        self.visited = 0
        self.names: set[tuple[str, str, str]] = set()
        self.owners: list[tuple[str, str, str]] = []

    def problem(self, path: str, what: str, line: int = 0) -> None:
        """Something is wrong at ``path``; its line is looked up if it is not given."""
        self.problems.append(Problem(line=line or self.line(path), path=path, what=what))

    def line(self, path: str) -> int:
        """The line of ``path``, or of what it would stand in."""
        while path not in self.lines and path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)

    def known(self, path: str) -> bool:
        """Whether it has been said already that this field, or what it stands in, is wrong."""
        return any(
            path == one.path or path.startswith((one.path + ".", one.path + "[")) for one in self.problems
        )


def decode(node: Node, kind: type[V], path: str, reading: Reading) -> V:
    """``node`` as a ``kind``; what is wrong goes to ``reading``. Raises InvalidManifest
    for a document that its aliases make endless."""
    reading.lines.setdefault(path, node.line)
    fields: dict[str, Any] = {}
    shapes = shapes_of(kind)
    entries = _entries(node, path, reading)
    for key, (line, inner) in entries.items():
        below = f"{path}.{key}" if path else key
        reading.lines[below] = line
        if key not in shapes:
            _unknown(key, kind, below, reading)
        elif inner.value is None:
            pass  # ``key:`` with nothing behind it is a key that was left out
        elif f"{kind.__name__}.{key}" in WRITTEN_BY_THE_SERVER:
            why = WRITTEN_BY_THE_SERVER[f"{kind.__name__}.{key}"]
            reading.notes.append(Note(line=line, field=below, why=why))
        else:
            fields[key] = _decoded(inner, shapes[key], below, reading)
    for field, shape in shapes.items():
        if field not in fields and field not in kind.__defaults__:
            reading.problem(f"{path}.{field}" if path else field, "is required", node.line)
            fields[field] = _nothing(shape)
    return kind(**fields)


def _entries(node: Node, path: str, reading: Reading) -> dict[str, tuple[int, Node]]:
    reading.visited += 1
    if reading.visited > _MOST_NODES:
        reading.problem(path, "the document is too large, or its aliases unfold without end", node.line)
        raise InvalidManifest(reading.name, reading.problems)
    if not isinstance(node.value, dict):
        reading.problem(path, f"expected a map, got {_shown(node)}", node.line)
        return {}
    for key, line in node.repeated:
        reading.problem(f"{path}.{key}" if path else key, "stands here a second time", line)
    return node.value


def _decoded(node: Node, shape: Shape, path: str, reading: Reading) -> Any:
    word, inner = shape
    if word == "structure":
        return decode(node, inner, path, reading)
    if word == "list":
        return _list(node, inner, path, reading)
    if word in ("map", "anything"):
        return _map(node, inner, path, reading)
    return _scalar(node, word, path, reading)


def _list(node: Node, inner: Shape, path: str, reading: Reading) -> tuple[Any, ...]:
    if not isinstance(node.value, list):
        reading.problem(path, f"expected a list, got {_shown(node)}", node.line)
        return ()
    items = []
    for index, item in enumerate(node.value):
        reading.lines[f"{path}[{index}]"] = item.line
        items.append(_decoded(item, inner, f"{path}[{index}]", reading))
    return tuple(items)


def _map(node: Node, inner: Shape | None, path: str, reading: Reading) -> dict[str, Any]:
    found = {}
    for key, (line, item) in _entries(node, path, reading).items():
        reading.lines[f"{path}[{key}]"] = line
        if inner is None:
            found[key] = _plain(item, f"{path}[{key}]", reading)
        else:
            found[key] = _decoded(item, inner, f"{path}[{key}]", reading) if item.value is not None else ""
    return found


def _plain(node: Node, path: str, reading: Reading) -> Any:
    """A part that nobody here looks into, as it stands."""
    if isinstance(node.value, dict):
        return _map(node, None, path, reading)
    reading.visited += 1
    if isinstance(node.value, list):
        return [_plain(item, path, reading) for item in node.value]
    return node.value


def _scalar(node: Node, word: str, path: str, reading: Reading) -> Any:
    reading.visited += 1
    value = node.value
    if isinstance(value, float) and value.is_integer() and word in ("whole", "either"):
        value = int(value)  # 80.0 is 80 to JSON
    number = isinstance(value, int) and not isinstance(value, bool)
    if word == "whole" and number and not -(2**63) <= value < 2**63:
        reading.problem(path, f"{node.text} is more than 64 bits hold", node.line)
        return 0
    if word == "quantity" and (number or isinstance(value, (float, str))):
        return _quantity(node, path, reading)
    fits = {
        "text": isinstance(value, str),
        "whole": number,
        "flag": isinstance(value, bool),
        "either": number or isinstance(value, str),
    }
    if fits.get(word):
        return value
    advice = ""
    if word == "text" and not isinstance(value, (dict, list)) and value is not None:
        advice = f': write "{node.text}", with the quotes'
    reading.problem(path, f"expected {_EXPECTED[word]}, got {_shown(node)}{advice}", node.line)
    return _EMPTY[word]


def _quantity(node: Node, path: str, reading: Reading) -> str:
    try:
        quantity.parse(node.text)
    except ValueError:
        reading.problem(path, f"expected {_EXPECTED['quantity']}, got {_shown(node)}", node.line)
        return "0"
    return node.text


def _nothing(shape: Shape) -> Any:
    word, inner = shape
    if word != "structure":
        return _EMPTY.get(word, {})
    return inner(**{f: _nothing(s) for f, s in shapes_of(inner).items() if f not in inner.__defaults__})


def _shown(node: Node) -> str:
    """What stood there, short enough for a line."""
    if isinstance(node.value, dict):
        return "a map"
    if isinstance(node.value, list):
        return "a list"
    if node.value is None:
        return "nothing"
    text = node.text if len(node.text) <= 40 else node.text[:37] + "..."
    return repr(text) if isinstance(node.value, str) else text


def _unknown(key: str, kind: type[Value], path: str, reading: Reading) -> None:
    what = f"no such field in a {kind.__name__}{_suggestion(key, kind)}"
    if reading.lenient:
        reading.warnings.append(str(Problem(line=reading.lines[path], path=path, what=f"{what}; left out")))
    else:
        reading.problem(path, what)


def _suggestion(key: str, kind: type[Value]) -> str:
    import difflib

    by_lower = {field.lower(): field for field in kind.__fields__}
    near = difflib.get_close_matches(key.lower(), by_lower, n=1, cutoff=0.6)
    if near and (near[0] == key.lower() or key not in _all_fields()):
        return f": did you mean {by_lower[near[0]]}?"
    owners = _all_fields().get(key)
    if owners:
        return f": it belongs to a {' or a '.join(owners[:3])}"
    return f": did you mean {by_lower[near[0]]}?" if near else ""


def _all_fields() -> dict[str, list[str]]:
    """Which structures have a field of that name."""
    from minirun.pod.manifest import types

    found: dict[str, list[str]] = {}
    for kind in vars(types).values():
        # A status is written, never read.
        if isinstance(kind, type) and issubclass(kind, Value) and not kind.__module__.endswith("_status"):
            for field in kind.__fields__:
                found.setdefault(field, []).append(kind.__name__)
    return found


def shapes_of(kind: type[Value]) -> dict[str, Shape]:
    """What each field of ``kind`` takes, read off its annotations once."""
    if kind not in _shapes:
        names = vars(sys.modules[kind.__module__])
        annotations = kind.__dict__["__annotations__"]
        _shapes[kind] = {field: _shape(annotations[field], names) for field in kind.__fields__}
    return _shapes[kind]


def _shape(annotation: str, names: dict[str, Any]) -> Shape:
    text = annotation.removesuffix(" | None")
    if text in _SCALARS:
        return _SCALARS[text], None
    if text.startswith("tuple["):
        return "list", _shape(text[len("tuple[") : -len(", ...]")], names)
    if text.startswith("dict["):
        inner = text[len("dict[str, ") : -1]
        return ("anything", None) if inner == "object" else ("map", _shape(inner, names))
    return "structure", names[text]
