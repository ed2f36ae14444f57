"""The table of what an attacker who has taken the program over sees, and may do, rung by rung.

Layer ``compare``. Pure. Read ``reach.py`` for the questions, ``report.py`` for the other tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.compare.report import shares_kernel

if TYPE_CHECKING:
    from minirun.compare.measure import Comparison, Measured
    from minirun.compare.reach import Reach

_UNKNOWN = "it does not say"
_SHOWN = 3


def attacker(comparison: Comparison) -> tuple[list[dict[str, object]], list[tuple[str, str]]]:
    """Rows and columns; no rows where no rung has told anything."""
    told = [one for one in comparison.rungs if one.reach and one.reach.processes >= 0]
    rows: list[dict[str, object]] = [{"sees": title} for title in _TITLES]
    for one in told:
        for row, cell in zip(rows, _cells(one, comparison), strict=True):
            row[one.rung] = cell
    columns = [("AN ATTACKER IN IT", "sees"), *((one.rung.upper(), one.rung) for one in told)]
    return (rows if told else []), columns


_TITLES = (
    "is",
    "can name processes",
    "has capabilities",
    "may make system calls",
    "has interfaces",
    "may mount",
    "reads the kernel's log",
    "finds a hole in",
)


def _cells(one: Measured, comparison: Comparison) -> list[str]:
    reach = one.reach
    assert reach
    same = shares_kernel(one.kernel, comparison.host)
    filtered = {None: _UNKNOWN, True: "that its filter lets through", False: "all of its kernel's"}
    yes = {None: _UNKNOWN, True: "yes", False: "no"}
    return [
        _who(reach, same),
        _count(reach.processes),
        _count(reach.capabilities),
        filtered[reach.filtered],
        _few(reach.interfaces),
        yes[reach.may_mount],
        yes[reach.reads_log],
        {None: _UNKNOWN, True: "the host's kernel", False: "a kernel of its own"}[same],
    ]


def _who(reach: Reach, same: bool | None) -> str:
    if reach.uid:
        return f"user {reach.uid}" if reach.uid > 0 else _UNKNOWN
    if reach.outside > 0:
        return f"root, {reach.outside} outside"
    return "root of the host" if same else "root of the guest"


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return " ".join(names[:_SHOWN]) + more or _UNKNOWN


def _count(number: int) -> str:
    return str(number) if number >= 0 else _UNKNOWN
