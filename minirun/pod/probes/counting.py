"""When a probe is asked, and what its answers come to: pure.

    startedAt --initialDelaySeconds--> asked --periodSeconds--> asked ...

A result holds until failureThreshold (or successThreshold) answers in a row say
otherwise. Before there is one, readiness counts as failed, liveness as passed,
startup as neither. A startup probe that passed has done its duty; a liveness or
startup probe that failed is not asked again, for the container is as good as
stopped. Counts go through ``plain`` and ``revive``, so that a supervisor can
write them down and its successor go on counting.

Layer: pod. Read next: prober.py. Kubernetes, "Configure Probes".
"""

from __future__ import annotations

from minirun.pod.health import LIVENESS_PROBE, READINESS_PROBE, STARTUP_PROBE
from minirun.pod.observed import FAILURE, SUCCESS, Probed
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, Probe
    from minirun.pod.probes.conversation import ProbeResult

UNKNOWN = ""
_FIRST = {STARTUP_PROBE: UNKNOWN, LIVENESS_PROBE: SUCCESS, READINESS_PROBE: FAILURE}

_TIMEOUT, _PERIOD, _SUCCESSES, _FAILURES = 1, 10, 1, 3


class Count(Value):
    """How one probe of one run of a container stands."""

    probed: Probed
    next: float | None
    """When it is asked next; None: it is not asked any more."""
    last: bool | None = None
    """The latest answer."""
    streak: int = 0
    """How many times in a row it has been that one."""


def of(container: Container) -> dict[str, Probe]:
    """The probes that a container has, by their kind, in the order in which they matter."""
    kinds = (
        (STARTUP_PROBE, container.startupProbe),
        (LIVENESS_PROBE, container.livenessProbe),
        (READINESS_PROBE, container.readinessProbe),
    )
    return {kind: probe for kind, probe in kinds if probe}


def first(kind: str, probe: Probe, started: float) -> Count:
    """Of a container that was started at ``started``."""
    waiting = Probed(outcome=_FIRST[kind], since=started, message="")
    return Count(probed=waiting, next=started + (probe.initialDelaySeconds or 0))


def recorded(kind: str, probe: Probe, count: Count, answer: ProbeResult, asked: float, now: float) -> Count:
    """After an answer, which came at ``now`` to what was asked at ``asked``."""
    # The period runs from question to question; who takes longer to answer is asked again at once.
    count = replace(count, next=max(asked + (probe.periodSeconds or _PERIOD), now))
    if not answer.counts:
        return count
    streak = count.streak + 1 if count.last == answer.success else 1
    count = replace(count, last=answer.success, streak=streak)
    if streak < _threshold(probe, answer.success):
        return count
    outcome = SUCCESS if answer.success else FAILURE
    since = count.probed.since if count.probed.outcome == outcome else now
    count = replace(count, probed=Probed(outcome=outcome, since=since, message=answer.message))
    return replace(count, next=None) if _is_final(kind, outcome) else count


def let_go(kind: str, count: Count, now: float) -> Count:
    """The pod is being deleted: liveness and startup are not asked any more, and count as passed."""
    if kind == READINESS_PROBE:
        return count
    return replace(count, probed=Probed(outcome=SUCCESS, since=now), next=None)


def seconds(probe: Probe) -> int:
    """How long an answer may take."""
    return probe.timeoutSeconds or _TIMEOUT


def _threshold(probe: Probe, success: bool) -> int:
    if success:
        return probe.successThreshold or _SUCCESSES
    return probe.failureThreshold or _FAILURES


def _is_final(kind: str, outcome: str) -> bool:
    if kind == READINESS_PROBE:
        return False
    return outcome == FAILURE or kind == STARTUP_PROBE
