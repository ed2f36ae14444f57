"""pause and unpause: the cgroup freezer stops every process, none can tell.

Layer ``container``. See cgroups(7), "freezer"; cgroup v2: cgroup.freeze.
"""

from __future__ import annotations

from minirun.container.locks import Lock
from minirun.container.state import Home
from minirun.errors import Conflict
from minirun.isolation import cgroups


def status_of(home: Home) -> str:
    """created, running, paused or stopped."""
    status = home.status()
    if status == "running" and cgroups.frozen(home.record().cgroups):
        return "paused"
    return status


def pause(home: Home) -> None:
    """Freezes a running container. Raises Conflict when it does not run."""
    _turn(home, "running", "paused")


def unpause(home: Home) -> None:
    """Thaws a paused container. Raises Conflict when it is not paused."""
    _turn(home, "paused", "running")


def _turn(home: Home, before: str, after: str) -> None:
    with Lock(home):
        status = status_of(home)
        record = home.record()
        if status != before:
            raise Conflict(
                f"container {record.name} cannot become {after}",
                f"it is {status}, not {before}",
                "minirun ps -a shows the states",
            )
        if record.runtime:
            from minirun.container.oci import guest

            guest.refuse_for_guests(record, "pause")
        (cgroups.freeze if after == "paused" else cgroups.thaw)(record.cgroups)
