"""remove: rm, with --force for a container that runs.

Layer ``container``; ``delete.py`` does the deed.
"""

from __future__ import annotations

from minirun.container import delete, kill, wait
from minirun.container.locks import Lock, is_looked_after
from minirun.container.pause import status_of
from minirun.container.state import Home, Record
from minirun.errors import Conflict, InvalidInput, NotFound


def remove(home: Home, force: bool = False, volumes: bool = False) -> None:
    """Removes an ended container, a created one too; with ``force`` also one that runs.

    ``volumes`` takes its anonymous volumes along. Raises Conflict when it
    runs, NotFound when it is gone.
    """
    with Lock(home):
        removed = _remove(home, force, volumes)
    while not removed:
        # Without the lock: what follows an end (--rm) has to take it. Not as a
        # client: one that stands still keeps the others from hearing of the exit.
        wait.until_recorded(home)
        try:
            with Lock(home):
                removed = _remove(home, force, volumes)
        except NotFound:
            return  # --rm was faster


def _remove(home: Home, force: bool, volumes: bool) -> bool:
    """Kills what runs, removes what has ended; False while its monitor has yet to record that."""
    try:
        record = home.record()
    except InvalidInput:
        if not force:
            raise
        return _remove_damaged(home)
    _end(home, record, force)
    if not home.has_exit() and is_looked_after(home):
        return False
    if not volumes and not record.remove:
        record = delete.keep_volumes(home, record)
    delete.end(record)  # without a monitor there may be processes left
    delete.forget(home, record)
    return True


def _remove_damaged(home: Home) -> bool:
    kill.kill_first(home)
    if not home.has_exit() and is_looked_after(home):
        return False
    delete.forget_damaged(home)
    return True


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
