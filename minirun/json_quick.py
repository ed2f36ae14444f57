"""JSON, written and read by the C half of Python's json module alone.

Free to every layer. ``import json`` compiles regular expressions and costs a
start 3 ms, for its pure-Python half; the other half, ``_json``, does the work
in either case. Where an interpreter has no ``_json``, json itself is taken.
Only for what minirun says to itself (records, packets): what comes from outside
is decoded by msgspec (values.py).
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class _Plain:
    """What the scanner asks of a json.JSONDecoder: nothing out of the ordinary."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}


def loads(text: str | bytes) -> Any:
    """The value that ``text`` says. Raises ValueError."""
    words = (text.decode() if isinstance(text, bytes) else text).strip()
    try:
        import _json
    except ImportError:
        import json

        return json.loads(words)
    try:
        value, end = _json.make_scanner(_Plain)(words, 0)  # type: ignore[arg-type]  # duck-typed
    except StopIteration as error:
        raise ValueError(f"not JSON at character {error.value}") from None
    if end != len(words):
        raise ValueError(f"more than one JSON value, from character {end}")
    return value


def dumps(value: Any) -> str:
    """``value`` (dicts, lists, strings, numbers, None) as one line of JSON."""
    try:
        import _json
    except ImportError:
        import json

        return json.dumps(value)
    encode = _json.make_encoder(
        None, _refuse, _json.encode_basestring_ascii, None, ": ", ", ", False, False, False
    )
    return "".join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} has no form in JSON")
