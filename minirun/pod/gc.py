"""gc: sweeps what killed creators and killed supervisors of pods left behind.

Layer: pod. Called after ``container/gc.py``, which has seen to the single
containers (one whose monitor was killed has ended by now, and that is recorded).
A pod whose supervisor.lock is free has nobody at work on it:

    no pod.json                its creation or removal was cut off: remove
    something is due           its supervisor was killed, or a monitor that would have
                               become one, or the machine was restarted: give it another
    else                       it is well without one

Then what hangs on no pod: names, containers, cgroups. The order of ``create.py``
(lock, directory, name, record, and only then anything else) and of its ``discard``
does the rest. Read ``supervise.py`` for what a supervisor is.
"""

from __future__ import annotations

import os
import time

from minirun.container import links
from minirun.container.gc import PATIENCE
from minirun.errors import MinirunError, reason
from minirun.isolation import cgroups
from minirun.linux import cgroup
from minirun.pod import create, node, sandbox, supervise
from minirun.pod.locks import PodLock
from minirun.pod.state import Pods
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.container.state import Store
    from minirun.pod.state import PodHome

#: An empty group of a pod that this store does not know may be another store's, which is about
#: to make its first container: seconds.
_OLD = 60.0


def sweep(store: Store) -> list[str]:
    """Sweeps all pods; a line for each thing that was done, or that could not be done."""
    done = []
    for uid in Pods(store=store).uids():
        try:
            done.append(_look_at(Pods(store=store).home(uid)))
        except (MinirunError, OSError) as error:  # one that cannot be swept keeps none of the others
            done.append(f"cannot sweep the pod {uid}: {_said(error)}")
    for part in (_names, _containers, _groups):
        try:
            done += part(store)
        except (MinirunError, OSError) as error:
            done.append(f"cannot sweep what is left of pods: {_said(error)}")
    return [line for line in done if line]


def _look_at(home: PodHome) -> str:
    if home.exists():
        name = home.record().name
        return f"resumed the pod {name}: nobody looked after it" if supervise.resume(home) else ""
    lock = _abandoned(home)
    if not lock:
        return ""
    try:
        if home.exists():
            return ""  # it was begun while we waited
        create.discard(home)
    finally:
        lock.release()
    return f"removed the pod {home.uid}: its creation or removal was cut off"


def _abandoned(home: PodHome) -> PodLock | None:
    """The lock of a ruin; None while somebody is at work on it, for longer than a creation takes.

    For a moment after its creator was killed, a newborn child of that still has the lock,
    and the supervisor's ear: that somebody listens tells nothing.
    """
    lock = PodLock(home, "supervisor.lock")
    deadline = time.monotonic() + PATIENCE
    while not lock.acquire(wait=False):
        if time.monotonic() > deadline or not os.path.isdir(home.runtime):
            return None
        time.sleep(0.002)  # blocking on the lock would outwait PATIENCE
    return lock


def _names(store: Store) -> list[str]:
    """Those whose pod has no directory any more."""
    directory, done = f"{store.root}/pods/names", []
    for name in links.names(directory):
        uid = links.holder(directory, name)
        if uid and not _is_there(store, uid) and links.give_back(directory, name, uid):
            done.append(f"released the name {name} of a pod")
    return done


def _containers(store: Store) -> list[str]:
    """Those whose pod is gone: whoever was making them did not know yet."""
    done = []
    for id in store.ids():
        home = store.container(id)
        try:
            record = home.record() if home.exists() else home.pending()
        except MinirunError:
            continue  # damaged, or just removed
        if record and record.pod and not _is_there(store, record.pod):
            sandbox.end(home)
            done.append(f"removed {id[:12]} ({record.name}): its pod is gone")
    return done


def _groups(store: Store) -> list[str]:
    """Empty cgroups of pods that nobody knows, and those of the classes that nobody is in."""
    done = []
    for directory in [each for parent in node.parents() for each in cgroup.children(parent)]:
        name = os.path.basename(directory)
        if not name.startswith("pod") or _is_there(store, name.removeprefix("pod")):
            continue
        if _is_old(directory) and not cgroups.processes([directory]):
            cgroups.remove([directory])
            done.append(f"removed {directory}: no pod is in it")
    cgroups.remove_parents([f"{parent}/" for parent in node.parents()])
    return done


def _is_there(store: Store, uid: str) -> bool:
    home = Pods(store=store).home(uid)
    return os.path.isdir(home.data) or os.path.isdir(home.runtime)


def _is_old(directory: str) -> bool:
    try:
        return time.time() - os.stat(directory).st_mtime > _OLD
    except FileNotFoundError:
        return False


def _said(error: MinirunError | OSError) -> str:
    return reason(error) if isinstance(error, OSError) else str(error).replace("\n", ";")
