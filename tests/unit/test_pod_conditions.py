"""A pod's conditions (rule 14 of Kubernetes')."""

from __future__ import annotations

import pytest

from minirun.pod.conditions import conditions, is_ready
from minirun.pod.manifest.types import PodCondition, PodSpec
from minirun.pod.observed import Observed, Probed, Problem, Sandbox, Seen
from minirun.values import replace
from tests.unit.pod_toys import T, app, exited, pod, running, seen, sidecar

SPEC = pod(app("a"), app("b"), inits=(app("one"), sidecar("two")))
ALL = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]


def held(spec: PodSpec, observed: Observed) -> list[str]:
    return [each.type for each in conditions(spec, observed) if each.status == "True"]


def one(spec: PodSpec, observed: Observed, type: str) -> PodCondition:
    return next(each for each in conditions(spec, observed) if each.type == type)


@pytest.mark.parametrize(
    ("observed", "missing"),
    [
        (seen(None), "PodReadyToStartContainers Initialized Ready ContainersReady"),
        (seen("dead"), "PodReadyToStartContainers Initialized Ready ContainersReady"),
        (seen(), "Initialized Ready ContainersReady"),
        (seen(one=exited(0)), "Initialized Ready ContainersReady"),
        (seen(one=exited(0), two=running()), "Ready ContainersReady"),
        (seen(one=exited(0), two=running(), a=running(), b=exited(1)), "Ready ContainersReady"),
        (seen(one=exited(0), two=running(), a=running(), b=running()), ""),
        (seen(one=exited(0), two=exited(1), a=running(), b=running()), "Ready ContainersReady"),
    ],
)
def test_which_hold(observed: Observed, missing: str) -> None:
    assert held(SPEC, observed) == [each for each in ALL if each not in missing.split()]
    assert is_ready(SPEC, observed) is ("Ready" not in missing.split())


def test_why_not() -> None:
    begun = seen(one=running(), two=Seen())
    initialized = one(SPEC, begun, "Initialized")
    assert initialized.reason == "ContainersNotInitialized"
    assert initialized.message == "containers with incomplete status: [one two]"
    ready = one(SPEC, seen(one=exited(0), two=running(), a=running()), "Ready")
    assert ready.reason == "ContainersNotReady"
    assert ready.message == "containers with unready status: [b]"
    failing = replace(
        seen(None), problem=Problem(reason="FailedCreatePodSandBox", message="no address", at=T)
    )
    network = one(SPEC, failing, "PodReadyToStartContainers")
    assert (network.reason, network.message) == ("FailedCreatePodSandBox", "no address")


@pytest.mark.parametrize(("phase", "reason"), [("Succeeded", "PodCompleted"), ("Failed", "PodFailed")])
def test_a_pod_that_has_ended_is_initialized_and_not_ready(phase: str, reason: str) -> None:
    over = seen("gone", one=exited(0), two=exited(143), a=exited(0), b=exited(0, at=9.0))
    over = replace(over, phase=phase)
    assert held(SPEC, over) == ["Initialized", "PodScheduled"]
    assert one(SPEC, over, "Ready").reason == reason
    assert one(SPEC, over, "Ready").lastTransitionTime == "2027-01-15T08:00:09Z"


def test_readiness_decides_and_tells_since_when() -> None:
    spec = pod(app(probes="readiness"))
    assert not is_ready(spec, seen(app=running()))  # rule 17: before the first result it counts as failed
    for outcome, status in (("success", "True"), ("failure", "False")):
        run = running(readiness=Probed(outcome=outcome, since=T + 7))
        ready = one(spec, seen(app=run), "Ready")
        assert (ready.status, ready.lastTransitionTime) == (status, "2027-01-15T08:00:07Z")


def test_liveness_counts_as_passed_and_startup_as_open_before_the_first_result() -> None:
    """Rule 17."""
    assert is_ready(pod(app(probes="liveness")), seen(app=running()))
    assert not is_ready(pod(app(probes="startup")), seen(app=running()))


def test_initialized_since_the_last_init_container() -> None:
    observed = seen(one=exited(0, at=4.0), two=running(startedAt=T + 5), a=running())
    assert one(SPEC, observed, "Initialized").lastTransitionTime == "2027-01-15T08:00:05Z"


def test_a_new_sandbox_is_initialized_anew() -> None:
    new = seen(Sandbox(attempt=1, since=T + 3), one=exited(0), two=exited(0), a=exited(0), b=exited(1))
    assert "Initialized" not in held(SPEC, new)
    assert one(SPEC, new, "Initialized").lastTransitionTime == "2027-01-15T08:00:03Z"
