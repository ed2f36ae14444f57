"""``--filter KEY=VALUE`` of the listing commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Row = dict[str, object]

#: docker's word for a state that we call stopped.
_STATES = {"exited": "stopped", "dead": "stopped"}


def keep(rows: list[Row], filters: Sequence[str]) -> list[Row]:
    """The rows for which every filter holds. Raises UsageError for one that is unknown."""
    for text in filters:
        key, _, value = text.partition("=")
        if key not in ("status", "name", "label", "id"):
            raise UsageError(
                f"--filter {text!r} is not understood",
                f"there is no filter {key!r}",
                "use status=, name=, label= or id=",
            )
        rows = [row for row in rows if _holds(row, key, value)]
    return rows


def _holds(row: Row, key: str, value: str) -> bool:
    if key == "status":
        return row["state"] == _STATES.get(value, value)
    if key == "name":
        return value in str(row["names"])
    if key == "id":
        return str(row["id"]).startswith(value)
    labels = row["labels"]
    name, equals, wanted = value.partition("=")
    if not isinstance(labels, dict) or name not in labels:
        return False
    return not equals or labels[name] == wanted
