"""How a container is stopped: the hook, the signal, the kill, within its grace.

Layer: pod; pure. One container's stop is a row of stages, of which each is noted
once it is done, so that whoever comes after goes on where the last one was:

    noted -> preStop -> its turn -> stop signal -> KILL
      |         |          |             |           '- at the deadline, and 2 s behind the signal at least
      |         |          |             '- once it is its turn, at the deadline at the latest
      |         |          '- a sidecar waits for the apps and for those that were started after it
      |         '- spends from the same grace; at the deadline nobody waits for it any more
      '- the deadline: since + grace, or the pod's own if that is earlier

It is not run for a container that has ended already: that one is not stopped.
Kubernetes, "Pod Lifecycle", "Termination of Pods"; KEP-753. Read decide.py next.
"""

from __future__ import annotations

from minirun.pod.actions import (
    Action,
    KillContainer,
    RunPreStop,
    SignalContainer,
    StopContainer,
)
from minirun.pod.health import has_pre_stop
from minirun.pod.observed import CREATED, PRESENT, RUNNING, STARTING, Deletion, Observed, Seen, Stopping
from minirun.pod.restarts import is_sidecar
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, PodSpec, Probe

#: Seconds that a stop is given where nobody says otherwise, and that a signal is given always.
GRACE, LEAST = 30.0, 2.0


class Stage(Value):
    """What is to be done for one container's stop now, and when to look again."""

    actions: tuple[Action, ...] = ()
    look_again_at: float | None = None
    hook: bool = False
    """A preStop hook is running or about to: somebody has to wait for it."""


def stage(
    container: Container,
    seen: Seen,
    wish: Stopping,
    now: float,
    turn: bool = True,
    deletion: Deletion | None = None,
) -> Stage:
    """The stage that the stop of ``container``, which is present, has come to.

    ``wish`` is the stop that is wanted, if none is noted yet.
    """
    stopping = seen.stopping or wish
    begin = () if seen.stopping else (StopContainer(name=container.name, stopping=wish),)
    rest = _rest(container, seen.state, stopping, now, turn, deletion)
    return Stage(actions=(*begin, *rest.actions), look_again_at=rest.look_again_at, hook=rest.hook)


def _rest(
    container: Container,
    state: str,
    stopping: Stopping,
    now: float,
    turn: bool,
    deletion: Deletion | None,
) -> Stage:
    name = container.name
    if stopping.killedAt is not None:
        return Stage()  # its monitor tells of the end
    if state in (STARTING, CREATED) or (deletion and deletion.force):
        return Stage(actions=(KillContainer(name=name),))
    until = deadline(stopping, deletion)
    if stopping.signalledAt is None and now < until:
        if has_pre_stop(container) and stopping.preStop in ("", RUNNING):
            begin = () if stopping.preStop else (RunPreStop(name=name, seconds=until - now),)
            return Stage(actions=begin, look_again_at=until, hook=True)
        if not turn:
            return Stage(look_again_at=until)
    signal: tuple[Action, ...] = ()
    signalled = stopping.signalledAt
    if signalled is None:
        word = (container.lifecycle and container.lifecycle.stopSignal) or ""
        signal, signalled = (SignalContainer(name=name, signal=word),), now
    kill_at = max(until, signalled + LEAST)
    if now >= kill_at:
        return Stage(actions=(*signal, KillContainer(name=name)))
    return Stage(actions=signal, look_again_at=kill_at)


def deadline(stopping: Stopping, deletion: Deletion | None) -> float:
    """When the grace is over: the container's own, cut short by the pod's."""
    own = stopping.since + stopping.grace
    return min(own, deletion.at + deletion.grace) if deletion else own


def is_its_turn(spec: PodSpec, seen: Observed, container: Container) -> bool:
    """Whether its stop signal may be sent: a sidecar's once the apps and the init
    containers behind it have ended."""
    names = [init.name for init in spec.initContainers]
    if container.name not in names or not is_sidecar(container):
        return True
    behind = spec.initContainers[names.index(container.name) + 1 :]
    return not any(seen.of(each.name).state in PRESENT for each in (*behind, *spec.containers))


def grace(spec: PodSpec, probe: Probe | None = None) -> float:
    """Seconds that a container of the pod is given; a failed probe may have its own."""
    given = probe.terminationGracePeriodSeconds if probe else None
    if given is None:
        given = spec.terminationGracePeriodSeconds
    return GRACE if given is None else float(given)
