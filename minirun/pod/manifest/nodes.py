"""YAML as a tree whose every node knows its line.

Layer: pod; pure. libyaml reads the text and PyYAML hands out its events; the tree
is built here, not by PyYAML's composer, because a manifest comes from outside:
the depth has a limit (the composer recurses in C until the stack ends), a key
may stand only once, and a plain word means what it means to Kubernetes
(``22:22`` is text and no number in base 60, ``0644`` is octal, ``yes`` is true).
Read next: decode.py. YAML 1.1; `go-yaml` is what kubectl reads with.
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.pod.manifest import libyaml
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: Kubernetes' own objects nest about twenty deep.
DEEPEST = 100

_BOOLS = {
    word: meaning
    for words, meaning in (("y yes true on", True), ("n no false off", False))
    for plain in words.split()
    for word in (plain, plain.capitalize(), plain.upper())
}
_NULLS = ("", "~", "null", "Null", "NULL")
_CORE_TAGS = "tag:yaml.org,2002:"


class Node:
    """A scalar, a list of nodes, or a map of key to (line of the key, node)."""

    __slots__ = ("line", "repeated", "text", "value")

    def __init__(self, line: int, value: Any, text: str = "", repeated: tuple[tuple[str, int], ...] = ()):
        self.line = line
        self.value = value
        self.text = text
        """Of a scalar: as it is written, so that a quantity ``0.10`` keeps its digits."""
        self.repeated = repeated
        """Of a map: the keys that stand in it a second time."""


def documents(text: str, name: str) -> Iterator[Node]:
    """The documents of a file, empty ones left out. Raises InvalidInput with the line."""
    yaml = libyaml.load()
    try:
        events = libyaml.events(yaml, text)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                node = _Document(events, yaml, name).node(next(events), 0)
                if node.value is not None:
                    yield node
    except yaml.YAMLError as error:
        raise _malformed(name, _line(error), _reason(error)) from error
    except UnicodeError as error:
        raise _malformed(name, 0, f"it is not UTF-8: {error}") from error


class _Document:
    """Builds one tree out of the events, and knows its anchors."""

    def __init__(self, events: Iterator[Any], yaml: Any, name: str) -> None:
        self.events = events
        self.yaml = yaml
        self.name = name
        self.anchors: dict[str, Node] = {}

    def node(self, event: Any, depth: int) -> Node:
        line = event.start_mark.line + 1
        if depth > DEEPEST:
            raise _malformed(self.name, line, f"it nests more than {DEEPEST} deep")
        if isinstance(event, self.yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _malformed(self.name, line, f"*{event.anchor} stands for nothing that ended before it")
            return self.anchors[event.anchor]
        if isinstance(event, self.yaml.ScalarEvent):
            node = self.scalar(event, line)
        elif isinstance(event, self.yaml.SequenceStartEvent):
            node = self.sequence(line, depth)
        else:
            node = self.mapping(line, depth)
        if event.anchor:
            # Only now: a node that contains itself has no end.
            self.anchors[event.anchor] = node
        return node

    def scalar(self, event: Any, line: int) -> Node:
        tag = event.tag or ""
        if tag and tag != "!" and not tag.startswith(_CORE_TAGS):
            raise _malformed(self.name, line, f"the tag {tag} means nothing here")
        if tag == "" and event.implicit[0]:
            return Node(line, resolved(event.value), event.value)
        if tag in ("", "!", f"{_CORE_TAGS}str"):
            return Node(line, event.value, event.value)
        value = resolved(event.value)
        kinds: dict[str, tuple[type, ...]] = {
            "int": (int,),
            "float": (int, float),
            "bool": (bool,),
            "null": (type(None),),
        }
        if not isinstance(value, kinds.get(tag.removeprefix(_CORE_TAGS), ())):
            raise _malformed(self.name, line, f"{event.value!r} is not what its tag !!{tag[18:]} says")
        return Node(line, value, event.value)

    def sequence(self, line: int, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(self.events), self.yaml.SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        return Node(line, items)

    def mapping(self, line: int, depth: int) -> Node:
        entries: dict[str, tuple[int, Node]] = {}
        repeated: list[tuple[str, int]] = []
        merged: list[Node] = []
        while not isinstance(event := next(self.events), self.yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            value = self.node(next(self.events), depth + 1)
            if isinstance(key.value, (dict, list)):
                raise _malformed(self.name, key.line, "the key of a map has to be a word")
            if key.text == "<<" and getattr(event, "implicit", (False,))[0]:
                merged += value.value if isinstance(value.value, list) else [value]
            elif key.text in entries:
                repeated.append((key.text, key.line))
            else:
                entries[key.text] = key.line, value
        for other in merged:
            if not isinstance(other.value, dict):
                raise _malformed(self.name, other.line, "<< takes a map, or a list of maps")
            # What the map says itself wins over what it takes in.
            entries = {**other.value, **entries}
        return Node(line, entries, repeated=tuple(repeated))


def resolved(text: str) -> bool | int | float | str | None:
    """What a plain word means: nothing, true or false, a number, else itself."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text[0] in "+-.0123456789":
        return _number(text)
    return text


def _number(text: str) -> int | float | str:
    digits = text.lstrip("+-").replace("_", "").lower()
    sign = -1 if text[0] == "-" else 1
    if len(text) - len(text.lstrip("+-")) > 1 or not text.isascii() or len(text) > 400:
        return text
    for prefix, base in (("0x", 16), ("0o", 8), ("0b", 2), ("0", 8), ("", 10)):
        rest = digits.removeprefix(prefix)
        if digits.startswith(prefix) and rest and not rest.strip("0123456789abcdef"[:base]):
            return sign * int(rest, base)
    if set(text) <= set("0123456789+-.eE"):
        try:
            return float(text)
        except ValueError:
            pass
    return text


def _line(error: Any) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 0


def _reason(error: Any) -> str:
    said = getattr(error, "problem", None) or str(error).partition("\n")[0]
    context = getattr(error, "context", None)
    return f"{said} {context}" if context else str(said)


def _malformed(name: str, line: int, why: str) -> InvalidInput:
    place = f"line {line}: " if line else ""
    return InvalidInput(f"{name} is not YAML", place + why, "check the indentation and the quotes there")
