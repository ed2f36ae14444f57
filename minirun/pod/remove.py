"""remove, stop, start: the end of a pod, and a new beginning.

Layer: pod. An end takes its time: preStop hooks, the stop signal, the grace
period, sidecars last. That is the supervisor's work (decide.py); here it is asked
for and waited for. Read ``create.py`` first.
"""

from __future__ import annotations

import time

from minirun.errors import Conflict, NotFound
from minirun.pod import create, sandbox, supervise
from minirun.pod.locks import PodLock
from minirun.pod.observe import look
from minirun.pod.observed import GONE, PHASE_FAILED, PRESENT, SUCCEEDED, Deletion
from minirun.pod.phase import phase
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.pod.decide import Decision
    from minirun.pod.manifest.types import PodSpec
    from minirun.pod.observed import Observed
    from minirun.pod.state import PodHome


def stop(home: PodHome, grace: float | None = None, force: bool = False) -> None:
    """Ends all that runs in the pod, in order, and gives its address back; its files stay.

    ``grace`` is in seconds, None for the pod's own; ``force`` kills at once.
    """
    ask(home, grace, force)
    supervise.tend(home, ended)


def ask(home: PodHome, grace: float | None = None, force: bool = False) -> None:
    """Asks for that end, and does not wait; whoever looks after the pod has to be told."""
    from minirun.pod import termination  # so that a removal that kills does not pay for it

    if grace is None:
        grace = termination.grace(home.record().pod.spec)
    wish = Deletion(at=time.time(), grace=grace, force=force)
    home.wish(lambda before: replace(before, deletion=wish))


def start(home: PodHome) -> None:
    """Begins a pod anew that has ended or was stopped. Raises Conflict while it lives."""
    seen = home.progress().seen
    if not seen.phase:
        name = home.record().name
        raise Conflict(f"pod {name} cannot be started", "it has not ended", f"minirun pod stop {name} first")
    for id in create.containers(home):
        sandbox.end(home.store.container(id))
    home.wish(lambda before: replace(before, begin=True, deletion=None))
    supervise.tend(home, create.begun)


def remove(home: PodHome, force: bool = False, grace: float | None = None) -> None:
    """Ends the pod and removes everything of it. Raises Conflict while it lives, unless ``force``.

    With ``force`` what runs is killed at once, unless ``grace`` (seconds) says otherwise.
    """
    record = home.record()
    spec = record.pod.spec
    lock = PodLock(home, "supervisor.lock")
    if force and grace is None and lock.acquire(wait=False):
        # Nobody is at work on it, and nothing is asked of its programs.
        try:
            create.discard(home)
        finally:
            lock.release()
        create.share(home.store, spec)
        return
    while True:
        if not ended(spec, home.progress().seen, None):
            if not force:
                raise Conflict(
                    f"cannot remove pod {record.name}",
                    "it has not ended",
                    f"minirun pod stop {record.name} first, or use --force",
                )
            try:
                stop(home, 0 if grace is None else grace, force=grace is None)
            except NotFound:
                return  # another one was faster
        if not lock.acquire(wait=True):
            return
        try:
            if ended(spec, home.progress().seen, None):  # and was not begun anew while we waited
                create.discard(home)
                break
        finally:
            lock.release()
    create.share(home.store, spec)


def has_ended(home: PodHome) -> bool:
    """Whether the pod has ended. One whose programs all have, a moment ago, is brought to its end first.

    Raises NotFound when it goes.
    """
    spec, seen = home.record().pod.spec, look(home, home.progress().seen)
    if ended(spec, seen, None):
        return True
    running = any(one.state in PRESENT for one in seen.containers.values())
    return not running and phase(spec, seen) in (SUCCEEDED, PHASE_FAILED) and supervise.tend(home, ended)


def ended(spec: PodSpec, seen: Observed, decision: Decision | None) -> bool:
    """Nothing of it runs, and its phase is one of those that do not change."""
    running = any(one.state in PRESENT for one in seen.containers.values())
    return bool(seen.phase) and not running and (seen.sandbox is None or seen.sandbox.state == GONE)
