"""What a container leaves in the kernel, so that a test can see that nothing is left.

Looked at before and after each test that runs containers: mounts, cgroups and
processes of minirun's. They go away asynchronously (the kernel takes a
namespace apart after the last process in it is reaped), hence the bounded wait.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 5.0  # seconds


def traces(ours: str) -> set[str]:
    """Everything of minirun's that the kernel knows of; ``ours`` is the tests' own directory."""
    return mounts(ours) | cgroups() | processes(ours)


def mounts(ours: str) -> set[str]:
    """Mount points below the tests' directory or of minirun's name, in our namespace."""
    places = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return {f"mount {place}" for place in places if "minirun" in place or place.startswith(ours)}


def cgroups() -> set[str]:
    """Directories below ``minirun`` in each hierarchy."""
    found = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place = line.split()[4]
        if " - cgroup" in line:
            found |= {f"cgroup {path}" for path, *_ in os.walk(f"{place}/minirun")}
            found.discard(f"cgroup {place}/minirun")  # the parent of all stays
    return found


def processes(ours: str) -> set[str]:
    """Processes that call themselves minirun, or were given the tests' directory."""
    found = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            name = Path("/proc", pid, "comm").read_text().strip()
            words = Path("/proc", pid, "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(pid) == os.getpid():
            continue
        if name.startswith("minirun:") or words[0].startswith("minirun:") or ours in " ".join(words):
            found.add(f"process {pid} {' '.join(words).strip() or name}")
    return found


def wait_for(nothing: Callable[[], set[str]]) -> set[str]:
    """What ``nothing`` still finds when it has found something for PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while (left := nothing()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
