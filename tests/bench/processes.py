"""What stays alive for a container, and how much memory that is.

PSS (proc(5), smaps_rollup) shares a page among those who map it, so a hundred
monitors pay for their code once.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

PATIENCE = 20.0  # seconds


def rest(place: Path) -> None:
    """Waits until nothing works on the store below ``place``: a command's cleaning up outlives it.

    Whoever comes next would be measured together with it.
    """
    word = os.fsencode(place)
    begun = time.monotonic()
    while busy := [pid for pid in _pids() if word in _words(pid)]:
        if time.monotonic() > begun + PATIENCE:
            raise RuntimeError(f"processes {busy} still work on {place}")
        time.sleep(0.01)  # they are no children of ours


def keepers(id: str) -> list[int]:
    """The processes on the host that look after the container ``id``: those that name it."""
    ours = os.stat("/proc/self/ns/pid").st_ino
    found = []
    for pid in _pids():
        try:
            here = os.stat(f"/proc/{pid}/ns/pid").st_ino == ours
        except OSError:
            continue  # it has ended
        if here and id[:12].encode() in _words(pid):
            found.append(pid)
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _words(pid: int) -> bytes:
    """Its command line; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def pss(pid: int) -> int:
    """Its proportional set size in KiB; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def memory(id: str) -> int:
    """KiB of all that is kept alive for the container ``id``, but not the container."""
    return sum(map(pss, keepers(id)))
