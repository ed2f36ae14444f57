"""Whose is a cgroup? A fence's, a chapter's program's, or somebody else's.

Layer ``learn``. A fence calls its groups ``minirun/fence-PID-START-NUMBER``,
after the process that put it up, and the chapters' programs call theirs
``minirun/learn-PID``: so both can be found when nobody is left to say. Read
``attempt.py`` next. cgroups(7).
"""

from __future__ import annotations

import contextlib
import os
import re
import time

from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.linux import process

#: The groups of containers and their kin, which come and go while we look.
_OTHERS = re.compile(
    r"[0-9a-f]{12,}|pods?|kubepods.*|(fence|learn)-.*|minirun.*|.*\.(slice|scope|service)|libpod.*|vm.*"
)
_FENCE = re.compile(r"fence-(\d+)-(\d+)-\d+")
_PROGRAM = re.compile(r"learn-(\d+)\b.*")


def new_path() -> str:
    """Where a fence of this process has its groups, below each hierarchy."""
    pid = os.getpid()
    return f"/minirun/fence-{pid}-{process.start_time(pid)}-{time.monotonic_ns()}"


def known() -> set[str]:
    """The directories of all groups there are."""
    found: set[str] = set()
    todo = list(_roots())
    while todo:
        with contextlib.suppress(OSError):  # one that has just been removed
            below = _subdirectories(todo.pop())
            found.update(below)
            todo += below
    return found


def maker(place: str) -> int:
    """The pid in the name of a chapter's program's group; 0 for any other."""
    found = _PROGRAM.fullmatch(os.path.basename(place))
    return int(found[1]) if found else 0


def is_others(place: str) -> bool:
    """Whether it is called as containers, pods, machines and services call theirs."""
    for root in _roots():
        if place.startswith(f"{root}/"):
            first = place.removeprefix(f"{root}/").removeprefix("minirun/").partition("/")[0]
            return bool(_OTHERS.fullmatch(first))
    return True


def sweep() -> None:
    """Takes down fences whose maker is gone: their processes, then their groups."""
    for place in _below_minirun():
        found = _FENCE.fullmatch(os.path.basename(place))
        if found and process.start_time(int(found[1])) != int(found[2]):
            cgroups.kill([place])
            _remove(place)


def remove_programs() -> list[str]:
    """Removes the groups of chapters' programs that have ended; a line for each."""
    done = []
    for place in _below_minirun():
        pid = maker(place)
        gone = pid and not os.path.exists(f"/proc/{pid}") and not cgroups.processes([place])
        if gone and _remove(place):
            done.append(f"removed cgroup {place}")
    return done


def _remove(place: str) -> bool:
    with contextlib.suppress(OSError):
        cgroups.remove([place])
        return True
    return False


def _below_minirun() -> list[str]:
    found = []
    for root in sorted(_roots()):
        with contextlib.suppress(FileNotFoundError):
            found += [f"{root}/minirun/{name}" for name in sorted(os.listdir(f"{root}/minirun"))]
    return found


def _subdirectories(place: str) -> list[str]:
    """A group's children. Most have none, which the number of links tells without a look at 60 files."""
    if os.lstat(place).st_nlink == 2:
        return []
    with os.scandir(place) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _roots() -> set[str]:
    found = layout()
    return {found.v2, *found.v1.values()} - {""}
