"""after: what the monitor becomes when its container has ended.

Layer ``container``. The monitor is C and knows nothing of images, names or
volumes, so it executes this in its own place, still holding monitor.lock.
A command that is attached does the same work itself, in its warm interpreter.
"""

from __future__ import annotations

import os
import sys

from minirun.container import delete
from minirun.container.locks import Lock
from minirun.container.state import Home, Record, Store


def main() -> None:
    """Arguments: PACKAGE ROOT STATE ID LOCK-DESCRIPTOR, as monitor.py passes them."""
    root, state, id, lock = sys.argv[2:6]
    os.set_inheritable(int(lock), False)
    home = Store(root=root, state=state).container(id)
    _reap()
    if home.exists() and not home.record().remove:
        leave_networks(home)
    else:
        remove_ended(home)


def _reap() -> None:
    """What the monitor was still to reap is this process's: another runtime may wait for its helpers' end."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def leave_networks(home: Home) -> None:
    """Gives back what an ended container that stays had of its networks."""
    lock = Lock(home)
    if not lock.acquire(wait=True):
        return
    try:
        if not home.exists():
            delete.forget_pending(home)  # who was removing it was killed while we waited
        elif home.status() == "stopped":
            delete.leave_networks(home.store, home.record())
    finally:
        lock.release()


def remove_ended(home: Home, record: Record | None = None) -> None:
    """Removes a container that was run with --rm; somebody else's removal is fine.

    ``record`` spares reading it again.
    """
    lock = Lock(home)
    if not lock.acquire(wait=True):
        return
    try:
        if not home.exists():
            delete.forget_pending(home)  # who was removing it was killed
        elif home.status() == "stopped":  # and was not started again while we waited
            delete.forget(home, record or home.record())
    finally:
        lock.release()
