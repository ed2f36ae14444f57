"""One place in a manifest, by kubectl's notation: ``{.status.podIP}``, ``{.spec.containers[0].name}``.

Layer ``cli``; for `pod wait --for=jsonpath=` and `pod inspect -o jsonpath=`. JSONPath
has more (filters, wildcards, several places in a text): that is refused by name.
"""

from __future__ import annotations

import re
from typing import Any

#: A key behind a dot (a dot inside of it has a backslash before it), a place in a list, a quoted key.
_STEP = re.compile(r"""\.((?:\\.|[^.\[\]{}\\'"*?()@\s])+)|\[(\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]""")


def braced(text: str) -> tuple[list[str | int], str]:
    """What leads to the place that ``{path}`` names, and what stands behind that. Raises ValueError."""
    path, brace, rest = text.strip("'\"").partition("}")
    if not (path.startswith("{") and brace):
        raise ValueError("a path stands in braces")
    return steps(path[1:]), rest


def steps(path: str) -> list[str | int]:
    """What leads to the place that ``{path}`` names. Raises ValueError for what is not supported."""
    rest = path.strip().removeprefix("$")
    found: list[str | int] = []
    while rest:
        step = _STEP.match(rest)
        if step is None:
            raise ValueError(f"{rest!r} is none of .name, [0] and ['name'], which is all that is supported")
        key, place, *quoted = step.groups()
        if place is not None:
            found.append(int(place))
        else:
            found.append(key.replace("\\", "") if key is not None else next(filter(None, quoted), ""))
        rest = rest[step.end() :]
    if not found:
        raise ValueError("the path is empty")
    return found


def text_at(manifest: dict[str, Any], path: list[str | int]) -> str:
    """What stands there: words as they are, all else as JSON; "" where nothing does."""
    place: Any = manifest
    for step in path:
        of_dict = isinstance(place, dict) and step in place
        of_list = isinstance(place, list) and isinstance(step, int) and step < len(place)
        if not (of_dict or of_list):
            return ""
        place = place[step]
    if isinstance(place, str):
        return place
    import json

    return json.dumps(place, separators=(",", ":"), ensure_ascii=False)
