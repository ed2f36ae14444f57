"""A pod's phase: Pending, Running, Succeeded or Failed, in one word what it has come to.

Layer: pod; pure. Each container counts as one of a few things, and then the
first line that holds is the phase:

    an init container failed for good                           Failed
    one is still to finish, and no app was ever started         Pending
    some container waits that never ran                         Pending
    something runs                                              Running
    all have stopped: one is restarted                          Running
                      all with 0                                Succeeded
                      else                                      Failed

Only the phase that a Finish has stored is final; before that it may be
Succeeded for a moment and not be stored yet. Kubernetes, "Pod Lifecycle",
"Pod phase". Read conditions.py next.
"""

from __future__ import annotations

from minirun.pod import health
from minirun.pod.observed import EXITED, PHASE_FAILED, SUCCEEDED, Observed, Seen
from minirun.pod.restarts import is_sidecar, restarts
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, PodSpec

PENDING, PHASE_RUNNING = "Pending", "Running"


def phase(spec: PodSpec, seen: Observed) -> str:
    """The phase of a pod that is seen like this."""
    if seen.phase:
        return seen.phase
    inits = [(container, seen.of(container.name)) for container in spec.initContainers]
    apps = [(container, seen.of(container.name)) for container in spec.containers]
    sidecars = [(container, run) for container, run in inits if is_sidecar(container)]
    if any(_failed_for_good(spec, container, run) for container, run in inits):
        return PHASE_FAILED
    if not is_initialized(spec, seen) and not any(_was_up(*app) for app in apps):
        return PENDING
    if any(not _was_up(*each) for each in (*sidecars, *apps)):
        return PENDING
    if any(health.is_up(*each) for each in (*sidecars, *apps)):
        return PHASE_RUNNING
    if any(run.ended is None or restarts(spec, container, run.ended) for container, run in apps):
        return PHASE_RUNNING
    return SUCCEEDED if all(not health.exit_code(run) for _, run in apps) else PHASE_FAILED


def is_initialized(spec: PodSpec, seen: Observed) -> bool:
    """Whether each init container has done its task in the sandbox that there is, and
    each sidecar has started."""
    return not unfinished(spec, seen)


def unfinished(spec: PodSpec, seen: Observed) -> tuple[str, ...]:
    """The init containers that the apps wait for, by name."""
    sandbox = seen.sandbox.attempt if seen.sandbox else 0
    return tuple(
        container.name
        for container in spec.initContainers
        if not _is_through(container, seen.of(container.name), sandbox)
    )


def _is_through(container: Container, run: Seen, sandbox: int) -> bool:
    if not is_sidecar(container):
        return health.is_complete(run, sandbox)
    # One that has run and crashed is not waited for again.
    return health.is_started(container, run) or (run.sandbox == sandbox and run.state == EXITED)


def _failed_for_good(spec: PodSpec, container: Container, run: Seen) -> bool:
    if is_sidecar(container) or run.state != EXITED or not run.ended:
        return False
    return bool(run.ended.exitCode) and not restarts(spec, container, run.ended)


def _was_up(container: Container, run: Seen) -> bool:
    """Whether it runs or has run before."""
    return run.ran is not None or health.is_up(container, run)
