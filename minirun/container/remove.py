"""remove: rm, with --force for a container that runs.

Layer ``container``; ``delete.py`` does the deed.
"""

from __future__ import annotations

from minirun.container import delete, kill, start
from minirun.container.locks import Lock
from minirun.container.state import Home
from minirun.errors import Conflict
from minirun.values import replace


def remove(home: Home, force: bool = False, volumes: bool = False) -> None:
    """Removes an ended container, a created one too; with ``force`` also one that runs.

    ``volumes`` takes its anonymous volumes along. Raises Conflict when it
    runs, NotFound when it is gone.
    """
    with Lock(home):
        record = home.record()
        status = home.status()
        if status in ("running", "paused") and not force:
            raise Conflict(
                f"cannot remove container {record.name}",
                f"it is {status}",
                f"minirun stop {record.name} first, or use --force",
            )
        if status != "stopped":
            kill.end(home)
        start.wait_for_monitor(home)
        if not home.exists():
            return  # --rm was faster
        if not volumes and not record.remove:
            record = replace(record, anonymousVolumes=())
        delete.forget(home, record)
