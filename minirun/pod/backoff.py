"""CrashLoopBackOff: when a container that ended may run again.

Layer: pod; pure. The first restart is immediate; the next ones wait 10, 20, 40
... 300 seconds from the last exit on, whether that was a failure or not. Who
has run for ten minutes counts as well again, and begins anew. The *streak* is
how many restarts have been made since it was well: of the restart count it
differs by those before. Kubernetes, "Pod Lifecycle", "Container restarts".
"""

from __future__ import annotations

#: Seconds: the second restart waits so long, no restart longer, and who runs longer than STABLE is well.
FIRST, MOST, STABLE = 10.0, 300.0, 600.0


def next_start(streak: int, started: float, finished: float, now: float) -> float:
    """The moment from which on the next run may start; ``now`` if it may at once."""
    if now < finished:
        return now  # the clock was set back: better once too early than hours too late
    return max(now, finished + delay(0 if _was_well(started, finished) else streak))


def next_streak(streak: int, started: float, finished: float) -> int:
    """The streak of that next run."""
    return 1 if _was_well(started, finished) else streak + 1


def next_try(tries: int, at: float, now: float) -> float:
    """The same for what could not be made, ``tries`` times, the last time at ``at``."""
    return now if now < at else max(now, at + delay(tries))


def delay(streak: int) -> float:
    """Seconds from an exit to the next start, after ``streak`` restarts."""
    if streak <= 0:
        return 0.0
    # The exponent is bounded before the shift: a streak may be thousands.
    return min(FIRST * (1 << min(streak - 1, 16)), MOST)


def _was_well(started: float, finished: float) -> bool:
    return finished - started > STABLE
