"""The sentences that the machinery itself says, kept in words.en.toml like a chapter's.

Layer ``learn``. Read ``checking.py`` next, which says most of them.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from minirun.learn.chapter import Message
from minirun.learn.places import LANGUAGE


def own(key: str) -> str:
    """A sentence of the machinery's own. Raises KeyError."""
    return str(_table()["own"][key])


def general(key: str) -> Message | None:
    """What every checker can say, whatever the exercise; None for a key that is not among it."""
    found = _table()["messages"].get(key)
    return Message(says=found["says"], hint=found.get("hint", "")) if found else None


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / f"words.{LANGUAGE}.toml").read_text())
