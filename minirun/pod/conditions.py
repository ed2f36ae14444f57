"""A pod's conditions: five statements that are true or not, since when, and why not.

Layer: pod; pure. A phase says where a pod is, conditions say what of it holds:

    PodScheduled                it has a node: here, always
    PodReadyToStartContainers   its sandbox lives, with its address
    Initialized                 the init containers are through
    ContainersReady             every app and sidecar passes its readiness probe
    Ready                       the same here: readiness gates are a cluster's to open

Nobody stores them: since when each holds is read off what made it true or
false. Kubernetes, "Pod Lifecycle", "Pod conditions". Read status.py next.
"""

from __future__ import annotations

from minirun.pod import health
from minirun.pod.manifest.types_status import PodCondition
from minirun.pod.observed import ALIVE, PHASE_FAILED, SUCCEEDED, Observed, Seen
from minirun.pod.phase import phase, unfinished
from minirun.pod.restarts import is_sidecar
from minirun.pod.times import rfc3339
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, PodSpec

TRUE, FALSE = "True", "False"


def conditions(spec: PodSpec, seen: Observed) -> tuple[PodCondition, ...]:
    """All five."""
    now_at = phase(spec, seen)
    ready = _containers_ready(spec, seen, now_at)
    return (
        _condition("PodReadyToStartContainers", *_ready_to_start(seen)),
        _condition("Initialized", *_initialized(spec, seen, now_at)),
        _condition("Ready", *ready),
        _condition("ContainersReady", *ready),
        _condition("PodScheduled", seen.createdAt, "", ""),
    )


def is_ready(spec: PodSpec, seen: Observed) -> bool:
    """Whether the condition Ready holds."""
    _, reason, _ = _containers_ready(spec, seen, phase(spec, seen))
    return not reason


def _ready_to_start(seen: Observed) -> tuple[float, str, str]:
    sandbox = seen.sandbox
    if sandbox and sandbox.state == ALIVE:
        return sandbox.since, "", ""
    problem = seen.problem
    since = problem.at if problem else sandbox.endedAt if sandbox else seen.createdAt
    if problem:
        return since, problem.reason, problem.message
    return since, "SandboxNotReady", "the pod has no sandbox that lives"


def _initialized(spec: PodSpec, seen: Observed, now_at: str) -> tuple[float, str, str]:
    since = max([_init_done_at(container, seen) for container in spec.initContainers], default=0.0)
    left = unfinished(spec, seen)
    # A sidecar is through no more once it was stopped with all others, but the pod was initialized.
    was = any(seen.of(container.name).ran for container in spec.containers)
    if left and now_at != SUCCEEDED and not (now_at == PHASE_FAILED and was):
        return (
            _began(seen),
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(left)}]",
        )
    return since or _began(seen), "", ""


def _containers_ready(spec: PodSpec, seen: Observed, now_at: str) -> tuple[float, str, str]:
    wanted = [each for each in spec.initContainers if is_sidecar(each)] + list(spec.containers)
    if now_at in (SUCCEEDED, PHASE_FAILED):
        since = max(_changed_at(each, seen.of(each.name)) for each in wanted)
        return since or _began(seen), "PodCompleted" if now_at == SUCCEEDED else "PodFailed", ""
    unready = [each for each in wanted if not health.is_ready(each, seen.of(each.name))]
    since = max(_changed_at(each, seen.of(each.name)) for each in unready or wanted)
    if unready:
        names = " ".join(each.name for each in unready)
        return since or _began(seen), "ContainersNotReady", f"containers with unready status: [{names}]"
    return since or _began(seen), "", ""


def _init_done_at(container: Container, seen: Observed) -> float:
    run = seen.of(container.name)
    if is_sidecar(container):
        return max(run.startedAt, run.postStartAt, run.startup.since)
    return run.ended.finishedAt if run.ended else 0.0


def _changed_at(container: Container, run: Seen) -> float:
    """When it became ready, or stopped to be."""
    if run.ended:
        return run.ended.finishedAt
    probed = run.readiness.since if container.readinessProbe else 0.0
    return max(run.startedAt, run.postStartAt, run.startup.since, probed)


def _began(seen: Observed) -> float:
    return seen.sandbox.since if seen.sandbox and seen.sandbox.attempt else seen.startedAt or seen.createdAt


def _condition(type: str, since: float, reason: str, message: str) -> PodCondition:
    """True if there is no reason why not."""
    return PodCondition(
        type=type,
        status=FALSE if reason else TRUE,
        reason=reason,
        message=message,
        lastTransitionTime=rfc3339(since),
    )
