"""A group of processes as one thing: list, kill, freeze, thaw, remove.

Part of ``isolation/cgroups``; not a plan, for these are done to what exists.
A pid can be reused and a process can fork away from a signal; a group can do
neither, which is why a container is killed by its group. All functions take the
directories that ``cgroups.directories`` gave, and are safe to repeat. On v2
the tree has a file for each (cgroup.kill since Linux 5.14); on v1 it is done
with the freezer: nobody forks while frozen. cgroups(7).
"""

from __future__ import annotations

import os
import time

from minirun.errors import MinirunError
from minirun.linux import cgroup
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGKILL = 9
LONGEST_PAUSE = 0.02


def processes(directories: Sequence[str]) -> list[int]:
    """The pids in the groups and below, as this process's PID namespace counts."""
    found: dict[int, None] = {}
    for directory in directories:
        # "0" is a process of another PID namespace than ours.
        pids = cgroup.read(f"{directory}/cgroup.procs").split()
        found.update((int(pid), None) for pid in pids if pid != "0")
        found.update(dict.fromkeys(processes(cgroup.children(directory))))
    return list(found)


def kill(directories: Sequence[str], seconds: float = 10.0) -> None:
    """Kills everything in the groups with SIGKILL, forking or frozen or not.

    Returns when no process is left; zombies do not count. Raises MinirunError
    if some are there after ``seconds``.
    """
    by_tree = [each for each in directories if os.path.exists(f"{each}/cgroup.kill")]
    for directory in by_tree:
        _write(f"{directory}/cgroup.kill", "1")
    deadline = time.monotonic() + seconds
    pause = 0.0002
    while left := processes(directories):
        if time.monotonic() > deadline:
            raise MinirunError(
                f"{len(left)} processes do not die: {' '.join(map(str, left[:9]))}",
                "a process that waits in the kernel (state D) dies when its wait ends",
                f"see what it waits for: cat /proc/{left[0]}/stack",
            )
        if not by_tree or pause == LONGEST_PAUSE:
            _signal(directories)
        time.sleep(pause)  # v1 does not tell of its last process
        pause = min(pause * 2, LONGEST_PAUSE)


def _signal(directories: Sequence[str]) -> None:
    """SIGKILL to each by pid, with the groups held still so that none forks away."""
    held = _freezer(directories)
    if held:
        _write(*held[True])
    for pid in processes(directories):
        try:
            os.kill(pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # gone; or AppArmor guards it, and whoever is left in the end is told of
    if held:
        _write(*held[False])  # v1: a signal reaches a frozen process when it thaws


def _write(path: str, word: str) -> None:
    """A command to a group; one that is gone has nobody left to obey."""
    try:
        cgroup.write(path, word)
    except OSError as error:
        if not cgroup.is_gone(error):
            raise


def freeze(directories: Sequence[str], seconds: float = 10.0) -> None:
    """Stops all processes of the groups where they are, unseen by them.

    Returns when they stand. Raises MinirunError, with the groups thawed again,
    if some do not within ``seconds``.
    """
    switch = _freezer(directories)
    if not switch:
        raise MinirunError(
            "these processes cannot be frozen",
            "the container has neither a cgroup v2 directory nor one of v1's freezer",
            "is it running? `minirun inspect` shows its cgroups",
        )
    _turn(switch, True, seconds)


def thaw(directories: Sequence[str], seconds: float = 10.0) -> None:
    """Lets frozen processes go on. Groups without a freezer, or gone meanwhile, hold nobody."""
    switch = _freezer(directories)
    if switch:
        try:
            _turn(switch, False, seconds)
        except OSError as error:
            if not cgroup.is_gone(error):
                raise


def frozen(directories: Sequence[str]) -> bool:
    """Whether all processes of the groups stand."""
    for directory in directories:
        if "frozen 1" in cgroup.read(f"{directory}/cgroup.events"):
            return True
        if cgroup.read(f"{directory}/freezer.state") == "FROZEN":
            return True
    return False


def _turn(switch: dict[bool, tuple[str, str]], on: bool, seconds: float) -> None:
    path, word = switch[on]
    cgroup.write(path, word)
    directory = os.path.dirname(path)
    deadline = time.monotonic() + seconds
    while frozen([directory]) != on:
        left = deadline - time.monotonic()
        if on and cgroup.read(path) in ("", switch[False][1]):
            raise MinirunError(
                "the processes do not stand still",
                "somebody thawed or ended them at the same time",
                "minirun ps -a shows whether they run",
            )
        if left <= 0:
            cgroup.write(*switch[False])
            raise MinirunError(
                f"the processes did not {'freeze' if on else 'thaw'} within {seconds:g} s",
                "one of them waits in the kernel, or a group above is frozen",
                f"look at {directory}",
            )
        _wait_for_change(directory, left)
        if on and path.endswith("freezer.state"):
            cgroup.write(path, word)  # a fork may have slipped through: FREEZING until asked again


def _freezer(directories: Sequence[str]) -> dict[bool, tuple[str, str]]:
    """On and off: the file to write and the word; empty without a freezer.

    The last directory that has one is the container's own, above its leaf.
    """
    for directory in reversed(directories):
        if os.path.exists(f"{directory}/cgroup.freeze"):
            path = f"{directory}/cgroup.freeze"
            return {True: (path, "1"), False: (path, "0")}
        if os.path.exists(f"{directory}/freezer.state"):
            path = f"{directory}/freezer.state"
            return {True: (path, "FROZEN"), False: (path, "THAWED")}
    return {}


def _wait_for_change(directory: str, seconds: float) -> None:
    """Until v2's cgroup.events may have changed; v1 has nothing to wait on."""
    try:
        events = os.open(f"{directory}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        time.sleep(0.001)  # no file to wait on
        return
    try:
        import select

        if b"frozen 1" in os.read(events, 4096):
            seconds = min(seconds, 0.01)
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        poll.poll(min(seconds, 0.05) * 1000)
    finally:
        os.close(events)


def remove(directories: Sequence[str]) -> None:
    """Removes the groups and what the container made below them; gone is fine.

    Raises OSError (EBUSY) if processes are left: kill them first.
    """
    for directory in directories:
        try:
            cgroup.rmdir(directory)
        except OSError:
            below = cgroup.children(directory)
            if not below:
                raise
            remove(below)
            cgroup.rmdir(directory)


def remove_parents(directories: Sequence[str]) -> None:
    """Removes what minirun made above the groups, in each tree where nothing is left in it.

    Who is making a container at this moment may have seen it already; create.py
    then makes it once more. What stays no longer keeps memory for who has gone.
    """
    for parent in dict.fromkeys(map(os.path.dirname, directories)):
        while cgroup.is_shared(parent):
            try:
                os.rmdir(parent)
            except FileNotFoundError:
                pass  # somebody else did; those above it may be left to us
            except OSError:  # other containers are in it
                _keep_no_more(parent)
            parent = os.path.dirname(parent)


def _keep_no_more(parent: str) -> None:
    if cgroup.read(f"{parent}/memory.low") not in ("", "0"):
        try:
            cgroup.sum_memory_low(parent)
        except OSError as error:
            if not cgroup.is_gone(error):
                raise
