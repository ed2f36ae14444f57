"""What `kubectl get pods` prints of a pod: READY, STATUS, RESTARTS.

Layer: pod; pure. One word has to do for a pod of many containers, so the most
telling one is taken: the first init container that is not through
(``Init:1/3``, ``Init:CrashLoopBackOff``), else the first container that is in
trouble (``CrashLoopBackOff``, ``Error``), else the phase. Used by `pod ps`.
Kubernetes, "Debug Pods"; the words are kubectl's.
"""

from __future__ import annotations

from minirun.pod.conditions import TRUE
from minirun.pod.observed import PHASE_FAILED, SUCCEEDED, Observed
from minirun.pod.restarts import is_sidecar
from minirun.pod.times import length
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from minirun.pod.manifest.types import ContainerStateTerminated, PodSpec, PodStatus


class Columns(Value):
    """The cells of one line."""

    ready: str
    status: str
    restarts: str


def columns(spec: PodSpec, status: PodStatus, seen: Observed, now: float) -> Columns:
    """The cells for a pod with that ``status`` (status.py)."""
    init, looked_at = _init_word(spec, status)
    sidecars = tuple(each.name for each in spec.initContainers if is_sidecar(each))
    if init and not _holds(status, "Initialized"):
        begun = status.initContainerStatuses[: looked_at + 1]
        counted, word = tuple(each.name for each in begun), init
    else:
        counted = (*sidecars, *(each.name for each in spec.containers))
        word = _app_word(status, init or status.reason or status.phase)
    statuses = {each.name: each for each in (*status.initContainerStatuses, *status.containerStatuses)}
    total = (*sidecars, *(each.name for each in spec.containers))
    if seen.deletion and status.phase not in (SUCCEEDED, PHASE_FAILED):
        word = "Terminating"
    return Columns(
        ready=f"{sum(statuses[name].ready for name in total)}/{len(total)}",
        status=word,
        restarts=_restarts(seen, counted, now),
    )


def _init_word(spec: PodSpec, status: PodStatus) -> tuple[str, int]:
    """The word for the first init container that is not through, and which one it is."""
    for at, (container, each) in enumerate(
        zip(spec.initContainers, status.initContainerStatuses, strict=True)
    ):
        ended, waits = each.state.terminated, each.state.waiting
        if (ended and not ended.exitCode) or (is_sidecar(container) and each.started):
            continue
        if ended:
            return f"Init:{_end_word(ended)}", at
        if waits and waits.reason not in ("", "PodInitializing"):
            return f"Init:{waits.reason}", at
        return f"Init:{at}/{len(spec.initContainers)}", at
    return "", len(spec.initContainers)


def _app_word(status: PodStatus, word: str) -> str:
    """The word for the first app that does not run; ``word`` if all do."""
    runs = False
    for each in reversed(status.containerStatuses):
        if each.state.waiting and each.state.waiting.reason:
            word = each.state.waiting.reason
        elif each.state.terminated:
            word = _end_word(each.state.terminated)
        elif each.ready:
            runs = True
    if word == "Completed" and runs:
        return "Running" if _holds(status, "Ready") else "NotReady"
    return word


def _end_word(ended: ContainerStateTerminated) -> str:
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exitCode}"


def _holds(status: PodStatus, condition: str) -> bool:
    return any(each.type == condition and each.status == TRUE for each in status.conditions)


def _restarts(seen: Observed, names: tuple[str, ...], now: float) -> str:
    """``3 (5m ago)``: how often, and when the one before ended."""
    runs = [seen.of(name) for name in names]
    count = sum(run.restarts for run in runs)
    last = max((run.last.finishedAt for run in runs if run.last), default=0.0)
    return f"{count} ({length(now - last)} ago)" if count and last else str(count)
