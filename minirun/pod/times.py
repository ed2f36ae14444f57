"""Moments and lengths of time, written as Kubernetes and kubectl write them.

Layer: pod; pure. A moment is RFC 3339 in UTC to the second (``2026-01-31T12:00:00Z``);
a length of time has two units while the second one still says something
(``2m5s``), then one (``37h``). Used by status.py and columns.py.
"""

from __future__ import annotations

import time

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 31536000


def rfc3339(moment: float) -> str | None:
    """Seconds since the epoch as a manifest has them; None for 0, which is no moment."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) if moment > 0 else None


def length(seconds: float) -> str:
    """As in kubectl's AGE column: ``90s``, ``5m``, ``2m5s``, ``3d4h``."""
    left = max(int(seconds), 0)
    for below, unit, name, rest, rest_name in (
        (2 * MINUTE, 1, "s", 0, ""),
        (10 * MINUTE, MINUTE, "m", 1, "s"),
        (3 * HOUR, MINUTE, "m", 0, ""),
        (8 * HOUR, HOUR, "h", MINUTE, "m"),
        (2 * DAY, HOUR, "h", 0, ""),
        (8 * DAY, DAY, "d", HOUR, "h"),
        (2 * YEAR, DAY, "d", 0, ""),
        (8 * YEAR, YEAR, "y", DAY, "d"),
    ):
        if left < below:
            more = left % unit // rest if rest else 0
            return f"{left // unit}{name}" + (f"{more}{rest_name}" if more else "")
    return f"{left // YEAR}y"
