"""Containers that do nothing: what they weigh, and whether many slow down the next."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

from tests.bench.harness import Row, judged, ratio, spend, spread
from tests.bench.processes import memory

MANY = 200
FEW = 20
ENDS = 10
TIMES = 3


def rows(contestants: dict[str, Any]) -> list[Row]:
    """Memory of one, then two hundred of ours beside twenty of each other's."""
    return [weight(contestants), *many(contestants)]


def weight(contestants: dict[str, Any]) -> Row:
    """PSS of all that is kept alive for one container, the median of five.

    Each alone: five at once would share the pages of one program.
    """
    weights = {
        name: [float(alone(contestants[name])) for _ in range(5)]
        for name in ("minirun", "podman")
        if name in contestants
    }
    ours, theirs = weights["minirun"], weights.get("podman")
    beside = f"conmon {spread(theirs, digits=0)}: **{ratio(ours, theirs):.2f} x**" if theirs else ""
    bar = judged("0.3 MiB", statistics.median(ours) <= 0.3 * 1024)
    return Row("kept alive for an idle container, KiB of PSS", spread(ours, digits=0), beside, bar)


def alone(peer: Any) -> int:
    """KiB of what stays beside one container."""
    id = peer.start()
    try:
        return memory(id)
    finally:
        peer.remove(id)


def many(contestants: dict[str, Any]) -> list[Row]:
    """Starts in a row, with nothing removed in between, then all removed."""
    ours = [crowd(contestants["minirun"], MANY) for _ in range(TIMES)]
    crowds = {"minirun": ours[-1]}
    crowds |= {name: crowd(peer, FEW) for name, peer in contestants.items() if name != "minirun"}
    growth = statistics.median(one.growth for one in ours)
    first = [spent for one in ours for spent in one.starts[:ENDS]]
    last = [spent for one in ours for spent in one.starts[-ENDS:]]
    return [
        Row(
            f"{MANY} idle containers, {TIMES} times: the last {ENDS} starts, ms",
            spread(last),
            f"the first {ENDS}: {spread(first)}: **{growth:.2f} x**",
            judged("1.2 x", growth <= 1.2),
        ),
        each("`run -d`, ms", {name: statistics.mean(one.starts) for name, one in crowds.items()}),
        each("`rm -f` of all at once, ms", {name: one.removal for name, one in crowds.items()}),
        each("memory kept, KiB of PSS", {name: one.kept for name, one in crowds.items()}),
    ]


def each(what: str, values: dict[str, float]) -> Row:
    """What it costs per container; runc keeps nothing alive, that is its caller's business."""
    ours, *_ = values.values()
    others = (f"{name} {value:.1f}: **{ours / value:.2f} x**" for name, value in values.items() if value)
    beside = "; ".join(list(others)[1:])
    return Row(f"each of {MANY} (others: {FEW}): {what}", f"{ours:.1f}", beside)


@dataclass(frozen=True)
class Crowd:
    """Milliseconds of each start, and of nothing beside it; the rest per container."""

    starts: list[float]
    nothings: list[float]
    removal: float
    kept: float

    @property
    def growth(self) -> float:
        """The last starts over the first, each measured by a bare Python of the same moment.

        Between them lies half a minute, in which a shared machine may have become another.
        """
        measured = [start / nothing for start, nothing in zip(self.starts, self.nothings, strict=True)]
        return statistics.median(measured[-ENDS:]) / statistics.median(measured[:ENDS])


def crowd(peer: Any, count: int) -> Crowd:
    """Starts ``count`` idle containers, weighs what keeps them, removes them."""
    ids, starts, nothings = [], [], []
    for _ in range(count):
        nothings.append(spend([sys.executable, "-c", "pass"]))
        begin = time.perf_counter()
        ids.append(peer.start())
        starts.append((time.perf_counter() - begin) * 1e3)
    kept = sum(map(memory, ids))
    begin = time.perf_counter()
    peer.remove(*ids)
    return Crowd(starts, nothings, (time.perf_counter() - begin) * 1e3 / count, kept / count)
