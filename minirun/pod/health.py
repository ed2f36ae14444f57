"""What hooks and probes make of a running container: is it started, is it ready, is it ill?

Layer: pod; pure. A container that runs has yet to come to life:

    running -> postStart done -> startup probe passed    = started
            -> readiness probe passes                    = ready, for as long as it does
            -> liveness probe fails                      = ill: stopped, and started anew

Before the first result readiness counts as failed and liveness as passed, and
neither is asked before the startup probe has passed. KEP-753 has "started" hold
up the init containers behind a sidecar. Kubernetes, "Pod Lifecycle", "Types of probe".
"""

from __future__ import annotations

from minirun.pod.observed import DONE, EXITED, FAILED, FAILURE, RUNNING, SUCCESS, Seen
from minirun.pod.restarts import LIVENESS, POST_START, STARTUP
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, Probe

#: The kinds of probe, as actions and commands name them.
STARTUP_PROBE, LIVENESS_PROBE, READINESS_PROBE = "startup", "liveness", "readiness"


def is_up(container: Container, seen: Seen) -> bool:
    """Whether it runs and its postStart hook, if it has one, is over: Kubernetes calls
    it running no earlier."""
    return seen.state == RUNNING and (not has_post_start(container) or seen.postStart in (DONE, FAILED))


def is_started(container: Container, seen: Seen) -> bool:
    """Whether it runs, its hook succeeded and its startup probe has passed."""
    if not is_up(container, seen) or seen.postStart == FAILED:
        return False
    return container.startupProbe is None or seen.startup.outcome == SUCCESS


def is_ready(container: Container, seen: Seen) -> bool:
    """Whether it is started and its readiness probe passes."""
    if not is_started(container, seen):
        return False
    return container.readinessProbe is None or seen.readiness.outcome == SUCCESS


def is_complete(seen: Seen, sandbox: int) -> bool:
    """Whether an init container has done its task in the sandbox of that number."""
    return seen.state == EXITED and seen.sandbox == sandbox and bool(seen.ended) and not exit_code(seen)


def exit_code(seen: Seen) -> int:
    """Of the run that ended last; -1 if none did."""
    return seen.ran.exitCode if seen.ran else -1


def has_post_start(container: Container) -> bool:
    """Whether there is a hook to run after its start."""
    return bool(container.lifecycle and container.lifecycle.postStart)


def has_pre_stop(container: Container) -> bool:
    """Whether there is a hook to run before its stop."""
    return bool(container.lifecycle and container.lifecycle.preStop)


def illness(container: Container, seen: Seen) -> tuple[str, str, Probe | None] | None:
    """Why a running container has to be stopped, in a word and a sentence, and whose
    grace period counts; None for a healthy one."""
    who = f"Container {container.name} failed"
    if has_post_start(container) and seen.postStart == FAILED:
        return POST_START, f"{who} its postStart hook", None
    if container.startupProbe and seen.startup.outcome != SUCCESS:
        if seen.startup.outcome == FAILURE:
            return STARTUP, f"{who} startup probe", container.startupProbe
        return None
    if container.livenessProbe and seen.liveness.outcome == FAILURE:
        return LIVENESS, f"{who} liveness probe", container.livenessProbe
    return None


def probes(container: Container, seen: Seen) -> tuple[str, ...]:
    """The kinds of probe that it is to be asked now."""
    if not is_up(container, seen):
        return ()
    if container.startupProbe and seen.startup.outcome != SUCCESS:
        return (STARTUP_PROBE,)
    wanted = ((LIVENESS_PROBE, container.livenessProbe), (READINESS_PROBE, container.readinessProbe))
    return tuple(kind for kind, probe in wanted if probe)
