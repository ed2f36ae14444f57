"""after: what the monitor of a pod's container becomes when that has ended.

Layer: pod. The monitor is C, and executes this in its own place. What is due at
once (the next init container, a first restart) is done here; while time has to
pass, this process is the pod's supervisor. Read ``supervise.py``.
"""

from __future__ import annotations

import os
import sys

from minirun.container.after import remove_ended
from minirun.container.state import Store
from minirun.errors import NotFound
from minirun.linux import credentials
from minirun.pod.state import Pods
from minirun.pod.supervise import tend


def main() -> None:
    """Arguments: PACKAGE ROOT STATE ID LOCK-DESCRIPTOR, as container/monitor.py passes them."""
    root, state, id, lock = sys.argv[2:6]
    store = Store(root=root, state=state)
    home = store.container(id)
    try:
        record = home.record()
        uid = record.pod
        if record.remove:  # `run --rm --pod`
            os.set_inheritable(int(lock), False)
            remove_ended(home, record)
    except NotFound:  # `minirun rm -f` was faster
        uid = _pod_of(store, id)
    os.close(int(lock))  # from here on nobody looks after the container: it has ended
    credentials.set_name("minirun:[pod]")
    try:
        tend(Pods(store=store).home(uid))
    except NotFound:
        return


def _pod_of(store: Store, id: str) -> str:
    """The uid of the pod that has seen the container ``id``; "none" if none has."""
    for home in Pods(store=store):
        seen = home.progress().seen
        ids = [one.id for one in seen.containers.values()] + ([seen.sandbox.id] if seen.sandbox else [])
        if id in ids:
            return home.uid
    return "none"
