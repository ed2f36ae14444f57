"""Containers that do nothing: what they weigh, and whether many slow down the next."""

from __future__ import annotations

import statistics
import time
from typing import Any

from tests.bench.harness import Row, spread
from tests.bench.processes import memory

MANY = 200
FEW = 20
ENDS = 10


def rows(contestants: dict[str, Any]) -> list[Row]:
    """Memory of one, then two hundred of ours beside twenty of each other's."""
    return [*weight(contestants), *many(contestants)]


def weight(contestants: dict[str, Any]) -> list[Row]:
    """PSS of all that is kept alive for one container, the median of five."""
    weights: dict[str, list[int]] = {}
    for name in ("minirun", "podman"):
        if name in contestants:
            ids = [contestants[name].start() for _ in range(5)]
            # Each alone: five at once would share the pages of one program.
            contestants[name].remove(*ids)
            weights[name] = [alone(contestants[name]) for _ in range(5)]
    ours = weights["minirun"]
    said = "at most 0.3 MiB"
    met = statistics.median(ours) <= 0.3 * 1024
    what = "kept alive for an idle container, KiB of PSS"
    if "podman" not in weights:
        return [Row(what, spread(ours, digits=0), bar=said, met=met)]
    theirs = weights["podman"]
    found = statistics.median(ours) / statistics.median(theirs)
    peer = f"podman's conmon {spread(theirs, digits=0)}"
    return [Row(what, spread(ours, digits=0), peer, found, said, met)]


def alone(peer: Any) -> int:
    """KiB of what stays beside one container."""
    id = peer.start()
    try:
        return memory(id)
    finally:
        peer.remove(id)


def many(contestants: dict[str, Any]) -> list[Row]:
    """Starts in a row, with nothing removed in between, then all removed."""
    starts, removals, kept = crowd(contestants["minirun"], MANY)
    first, last = starts[:ENDS], starts[-ENDS:]
    found = statistics.median(last) / statistics.median(first)
    said = "at most 1.2 x"
    found_rows = [
        Row(
            f"start {MANY} idle containers: the last {ENDS} / the first {ENDS}, ms",
            spread(last),
            f"the first {ENDS}: {spread(first)}",
            found,
            said,
            found <= 1.2,
        )
    ]
    for name, peer in contestants.items():
        if name == "minirun":
            continue
        their_starts, their_removals, their_kept = crowd(peer, FEW)
        for what, ours, theirs in (
            ("`run -d`", statistics.mean(starts), statistics.mean(their_starts)),
            ("`rm -f` of all", removals / MANY, their_removals / FEW),
            ("all that is kept alive, KiB of PSS", kept / MANY, their_kept / FEW),
        ):
            if not theirs:
                continue  # runc keeps nothing alive: whoever calls it has to
            unit = "" if "KiB" in what else ", ms"
            found_rows.append(
                Row(
                    f"{what}, each of {MANY} (the other: of {FEW}){unit}",
                    f"{ours:.1f}",
                    f"{name} {theirs:.1f}",
                    ours / theirs,
                )
            )
    return found_rows


def crowd(peer: Any, count: int) -> tuple[list[float], float, int]:
    """Milliseconds of each start and of removing all; KiB that were kept alive."""
    ids, starts = [], []
    for _ in range(count):
        begin = time.perf_counter()
        ids.append(peer.start())
        starts.append((time.perf_counter() - begin) * 1e3)
    kept = sum(map(memory, ids))
    begin = time.perf_counter()
    peer.remove(*ids)
    return starts, (time.perf_counter() - begin) * 1e3, kept
