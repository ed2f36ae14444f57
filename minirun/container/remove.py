"""remove: rm, with --force for a container that runs.

Layer ``container``; ``delete.py`` does the deed.
"""

from __future__ import annotations

from minirun.container import delete, kill, start
from minirun.container.locks import Lock, is_looked_after
from minirun.container.pause import status_of
from minirun.container.state import Home, Record
from minirun.errors import Conflict, NotFound
from minirun.values import replace


def remove(home: Home, force: bool = False, volumes: bool = False) -> None:
    """Removes an ended container, a created one too; with ``force`` also one that runs.

    ``volumes`` takes its anonymous volumes along. Raises Conflict when it
    runs, NotFound when it is gone.
    """
    ended = False
    while True:
        try:
            with Lock(home):
                record = home.record()
                _end(home, record, force)
                if not is_looked_after(home):
                    if not volumes and not record.remove:
                        record = replace(record, anonymousVolumes=())
                    return delete.forget(home, record)
        except NotFound:
            if ended:
                return None  # --rm was faster
            raise
        ended = True
        start.wait_for_monitor(home)


def _end(home: Home, record: Record, force: bool) -> None:
    status = home.status()
    if status == "running" and not force:
        raise Conflict(
            f"cannot remove container {record.name}",
            f"it is {status_of(home)}",
            f"minirun stop {record.name} first, or use --force",
        )
    if status != "stopped":
        kill.end(home)
