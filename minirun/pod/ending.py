"""Why a pod has to end, if it has: deleted, failed, completed, out of time, lost.

Layer: pod; pure. Asked before everything else at each look. An answer stays the
same until all is stopped: it is read off facts that do not change any more (how
containers ended and when, a request, a clock that has passed a line). Only then
the phase is stored, and with that it is final. Kubernetes, "Pod Lifecycle",
"Pod phase". Read termination.py next.
"""

from __future__ import annotations

from minirun.pod.health import exit_code
from minirun.pod.observed import ALIVE, EXITED, NONE, PHASE_FAILED, SUCCEEDED, Observed, Seen
from minirun.pod.restarts import ALWAYS, NEVER, SANDBOX, is_sidecar, restarts
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, PodSpec

#: As ``Stopping.reason``; the first is what `status.reason` says too.
DEADLINE, DELETED, COMPLETED, INIT_FAILED = "DeadlineExceeded", "Deleted", "PodCompleted", "InitFailed"
EVICTED = "Evicted"


class Ending(Value):
    """The pod ends: why its containers are stopped, and what is left to say of it."""

    why: str
    phase: str
    reason: str = ""
    message: str = ""
    at: float = 0.0
    """When it was decided."""


def ending(spec: PodSpec, seen: Observed, now: float) -> Ending | None:
    """Why the pod has to end; None while it may go on."""
    if seen.phase:
        return Ending(why=COMPLETED, phase=seen.phase, reason=seen.reason, message=seen.message)
    if seen.deletion:
        return Ending(why=DELETED, phase=_phase_by_exits(spec, seen), at=seen.deletion.at)
    if seen.eviction:
        return Ending(why=EVICTED, phase=PHASE_FAILED, reason=EVICTED, message=seen.eviction)
    by_itself = _failed_init(spec, seen) or _completed(spec, seen) or _lost(spec, seen)
    limit = deadline_of_pod(spec, seen)
    if limit is not None and now >= limit and (by_itself is None or by_itself.at > limit):
        return Ending(
            why=DEADLINE,
            phase=PHASE_FAILED,
            reason=DEADLINE,
            message=f"Pod was active for longer than the {spec.activeDeadlineSeconds} s of its deadline",
            at=limit,
        )
    return by_itself


def deadline_of_pod(spec: PodSpec, seen: Observed) -> float | None:
    """When activeDeadlineSeconds are over; None if they do not matter."""
    if spec.activeDeadlineSeconds is None or seen.phase or not seen.startedAt:
        return None
    return seen.startedAt + spec.activeDeadlineSeconds


def _failed_init(spec: PodSpec, seen: Observed) -> Ending | None:
    """An init container failed that is not restarted; a sidecar always is."""
    for container in spec.initContainers:
        run = seen.of(container.name)
        if run.state != EXITED or not run.ended or _was_lost(run):
            continue
        if run.ended.exitCode and not restarts(spec, container, run.ended):
            return Ending(why=INIT_FAILED, phase=PHASE_FAILED, at=run.ended.finishedAt)
    return None


def _completed(spec: PodSpec, seen: Observed) -> Ending | None:
    """All app containers have ended and none is restarted; sidecars do not count."""
    last = 0.0
    for container in spec.containers:
        run = seen.of(container.name)
        if run.state != EXITED or not run.ended or restarts(spec, container, run.ended) or _was_lost(run):
            return None
        last = max(last, run.ended.finishedAt)
    return Ending(why=COMPLETED, phase=_phase_by_exits(spec, seen), at=last)


def _phase_by_exits(spec: PodSpec, seen: Observed) -> str:
    """Succeeded if each app ended with 0, and not because its sandbox died."""
    runs = [seen.of(container.name) for container in spec.containers]
    well = all(run.state == EXITED and not exit_code(run) and not _was_lost(run) for run in runs)
    return SUCCEEDED if well else PHASE_FAILED


def _lost(spec: PodSpec, seen: Observed) -> Ending | None:
    """The sandbox is gone, something ran in it, and nothing of it may run again."""
    if seen.sandbox is None or seen.sandbox.state == ALIVE:
        return None
    containers = (*spec.initContainers, *spec.containers)
    if all(seen.of(container.name).state == NONE for container in containers):
        return None
    # A sidecar would be restarted, but for whom?
    served = [
        container for container in containers if container in spec.containers or not is_sidecar(container)
    ]
    if any(_may_run_again(spec, container, seen.of(container.name)) for container in served):
        return None
    return Ending(
        why=SANDBOX,
        phase=PHASE_FAILED,
        reason=SANDBOX,
        message="The sandbox of the pod died, and its restartPolicy is Never",
        at=seen.sandbox.endedAt,
    )


def _may_run_again(spec: PodSpec, container: Container, run: Seen) -> bool:
    if run.state == EXITED and run.ended:
        return restarts(spec, container, run.ended)
    policy = container.restartPolicy or spec.restartPolicy or ALWAYS
    return policy != NEVER or bool(container.restartPolicyRules)


def _was_lost(run: Seen) -> bool:
    return bool(run.ended and run.ended.stopped == SANDBOX)
