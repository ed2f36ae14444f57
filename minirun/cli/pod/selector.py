"""``-l``: which labels a pod has to have, in Kubernetes' notation.

Layer ``cli``; pure. Requirements with commas between them, all of which must hold:
``app=web``, ``app==web``, ``tier!=db``, ``env in (test, dev)``, ``env notin (prod)``,
``key`` (it is there), ``!key`` (it is not). Kubernetes, "Labels and Selectors".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minirun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Test = Callable[[Mapping[str, str]], bool]

_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE = rf"(?:{_WORD})?"
_KEY = re.compile(rf"(!?)\s*({_WORD})")
_EQUAL = re.compile(rf"({_WORD})\s*(==|=|!=)\s*({_VALUE})")
_SET = re.compile(rf"({_WORD})\s+(in|notin)\s*\(([^()]*)\)")


def selects(text: str) -> Test:
    """A test for labels. An empty text selects all. Raises UsageError."""
    # A comma between brackets does not end a requirement.
    parts = re.split(r",(?![^(]*\))", text) if text.strip() else []
    tests = [_requirement(part.strip(), text) for part in parts]
    return lambda labels: all(test(labels) for test in tests)


def _requirement(part: str, text: str) -> Test:
    if found := _EQUAL.fullmatch(part):
        key, sign, value = found.groups()
        if sign == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _SET.fullmatch(part):
        key, word, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if word == "notin":
            return lambda labels: labels.get(key) not in values
        return lambda labels: labels.get(key) in values
    if found := _KEY.fullmatch(part):
        absent, key = found.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise UsageError(
        f"the selector {text!r} is not understood",
        f"{part!r} is no requirement on a label",
        "write app=web, tier!=db, 'env in (test, dev)', 'env notin (prod)', key or !key",
    )
