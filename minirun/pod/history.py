"""What is told of what a look has seen happen, and of what was decided then.

Layer: pod; pure. Two looks at a pod, one after the other: a program that has ended
between them, one that was started by a command; and what the pod is told when it
comes to its end. The words are the kubelet's, where it has any. Read ``events.py``
first, ``decide.py`` for why.
"""

from __future__ import annotations

from minirun.pod.backoff import next_start
from minirun.pod.ending import DEADLINE, EVICTED, ending
from minirun.pod.events import NORMAL, WARNING, Event, started
from minirun.pod.observed import EXITED, RUNNING, SUCCEEDED
from minirun.pod.restarts import LIVENESS, NEVER, POST_START, STARTUP, restarts
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.actions import Finish, StopContainer
    from minirun.pod.manifest.types import Container, PodSpec
    from minirun.pod.observed import Ended, Observed, Seen

#: Why a container is stopped, if the kubelet says more of it than that it is.
_PROBES = (LIVENESS, STARTUP)


def between(spec: PodSpec, before: Observed, after: Observed, now: float, pod: str) -> Iterator[Event]:
    """What has happened from one look to the next; ``pod`` is NAME_NAMESPACE(UID)."""
    lasting = ending(spec, after, now) is None
    for container in (*spec.initContainers, *spec.containers, *spec.ephemeralContainers):
        name = container.name
        old, new = before.of(name), after.of(name)
        if new.joined and new.state == RUNNING != old.state:
            yield started(name)
        if new.state == EXITED and new.ended and new.ended != old.ran:
            yield _ended(name, new.ended)
            if lasting and _backs_off(spec, container, new, now):
                why = f"Back-off restarting failed container {name} in pod {pod}"
                yield Event(type=WARNING, reason="BackOff", message=why, container=name)


def _ended(name: str, ended: Ended) -> Event:
    """The kubelet has no word for it."""
    well = not ended.exitCode or bool(ended.stopped)
    how = ended.reason or ("Error" if ended.exitCode else "Completed")
    message = f"Container {name} has ended: {how}, exit code {ended.exitCode}"
    return Event(type=NORMAL if well else WARNING, reason="Ended", message=message, container=name)


def _backs_off(spec: PodSpec, container: Container, run: Seen, now: float) -> bool:
    """Whether it is started again, and not at once."""
    ended = run.ended
    if ended is None or run.joined or not restarts(spec, container, ended):
        return False
    return next_start(run.streak, ended.startedAt, ended.finishedAt, now) > now


def killing(spec: PodSpec, container: Container, action: StopContainer) -> Event:
    """A container is being stopped."""
    why, message = action.stopping.reason, f"Stopping container {container.name}"
    if why in _PROBES:
        message = action.stopping.message
        if (container.restartPolicy or spec.restartPolicy) != NEVER:
            message += ", will be restarted"
    elif why == POST_START:
        message = "FailedPostStartHook"
    return Event(type=NORMAL, reason="Killing", message=message, container=container.name)


def finished(action: Finish) -> tuple[Event, ...]:
    """The pod has come to its end. Of an eviction it was told when it was decided."""
    if action.reason == EVICTED:
        return ()
    if action.reason == DEADLINE:
        why = "Pod was active on the node longer than the specified deadline"
        return (Event(type=NORMAL, reason=DEADLINE, message=why),)
    well = action.phase == SUCCEEDED
    message = action.message or f"The pod has {action.phase.lower()}"
    return (Event(type=NORMAL if well else WARNING, reason=f"Pod{action.phase}", message=message),)
