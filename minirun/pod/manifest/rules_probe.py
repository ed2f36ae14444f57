"""Rules for probes and hooks: what may be asked, and how often.

Layer: pod; pure. Read next: rules_env.py. KEP-2238 (a probe's own grace
period), KEP-3960 (sleep), KEP-4960 (stopSignal).
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import Container, Lifecycle, PodSpec

#: terminationGracePeriodSeconds of a pod that does not say.
GRACE = 30


def check(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """The three probes and the hooks of one container."""
    for field in ("livenessProbe", "startupProbe"):
        probe = getattr(container, field)
        # 0 and nothing both mean the default, which is 1.
        if probe and (probe.successThreshold or 1) != 1:
            yield f"{path}.{field}.successThreshold", "has to be 1: only readiness comes and goes"
    ready = container.readinessProbe
    if ready and ready.terminationGracePeriodSeconds is not None:
        why = "a readinessProbe stops nothing, so it has no grace period"
        yield f"{path}.readinessProbe.terminationGracePeriodSeconds", why
    if container.lifecycle:
        yield from _lifecycle(container.lifecycle, spec, f"{path}.lifecycle")


def _lifecycle(lifecycle: Lifecycle, spec: PodSpec, path: str) -> Iterator[Finding]:
    grace = spec.terminationGracePeriodSeconds
    grace = GRACE if grace is None else grace
    for field in ("postStart", "preStop"):
        handler = getattr(lifecycle, field)
        if handler and handler.sleep and handler.sleep.seconds > grace >= 0:
            why = f"{handler.sleep.seconds} is longer than terminationGracePeriodSeconds ({grace})"
            yield f"{path}.{field}.sleep.seconds", why
    if lifecycle.stopSignal and spec.os is None:
        why = "needs os: {name: linux} in the spec: signals differ between systems"
        yield f"{path}.stopSignal", why
