"""A pod's phase (rule 13 of Kubernetes'): the first line that holds."""

from __future__ import annotations

import pytest

from minirun.pod.manifest.types import PodSpec
from minirun.pod.observed import Ended, Observed, Probed, Sandbox, Seen
from minirun.pod.phase import phase
from minirun.values import replace
from tests.unit.pod_toys import T, app, exited, pod, running, seen, sidecar

TWO = pod(app("a"), app("b"))
INIT = pod(app("a"), inits=(app("one"), sidecar("two")))
ENDED = Ended(exitCode=1, finishedAt=T)
PASSED = Probed(outcome="success")


@pytest.mark.parametrize(
    ("policy", "init", "expected"),
    [
        ("Never", exited(1), "Failed"),
        ("Never", exited(0), "Pending"),
        ("OnFailure", exited(1), "Pending"),
        ("Always", exited(1), "Pending"),
        ("Never", running(), "Pending"),
    ],
)
def test_a_failed_init_container_with_never(policy: str, init: Seen, expected: str) -> None:
    assert phase(replace(INIT, restartPolicy=policy), seen(one=init)) == expected


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (seen(None), "Pending"),
        (seen(), "Pending"),
        (seen(one=running()), "Pending"),
        (seen(one=exited(0)), "Pending"),
        (seen(one=exited(0), two=running()), "Pending"),  # the app waits, and never ran
        (seen(one=exited(0), two=running(), a=running()), "Running"),
        # the apps have run: an init container that runs again changes nothing
        (seen(Sandbox(attempt=1), one=running(sandbox=1), two=exited(0), a=exited(1)), "Running"),
        (seen(one=exited(0), two=exited(1), a=running()), "Running"),
    ],
)
def test_an_init_container_still_to_finish_and_no_app_ever_started(observed: Observed, expected: str) -> None:
    assert phase(INIT, observed) == expected


def test_a_sidecar_that_has_not_started_keeps_it_pending() -> None:
    spec = pod(app("a"), inits=(sidecar("two", probes="startup"),))
    assert phase(spec, seen(two=running())) == "Pending"
    assert phase(spec, seen(two=running(startup=PASSED))) == "Pending"
    assert phase(spec, seen(two=running(startup=PASSED), a=running())) == "Running"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (running(), Seen(), "Pending"),
        (running(), Seen(state="starting"), "Pending"),
        (running(), Seen(state="created", last=ENDED), "Running"),  # it ran before
        (running(), running(), "Running"),
        (running(), exited(1), "Running"),
    ],
)
def test_some_container_waits_that_never_ran_or_something_runs(a: Seen, b: Seen, expected: str) -> None:
    assert phase(TWO, seen(a=a, b=b)) == expected


def test_a_post_start_hook_is_waited_for() -> None:
    spec = pod(app(post_start=True))
    assert phase(spec, seen(app=running(postStart="running"))) == "Pending"
    assert phase(spec, seen(app=running(postStart="done"))) == "Running"


@pytest.mark.parametrize(
    ("policy", "codes", "expected"),
    [
        ("Always", (0, 0), "Running"),
        ("Always", (0, 1), "Running"),
        ("OnFailure", (0, 0), "Succeeded"),
        ("OnFailure", (0, 1), "Running"),
        ("Never", (0, 0), "Succeeded"),
        ("Never", (0, 1), "Failed"),
        (None, (0, 0), "Running"),
    ],
)
def test_nothing_runs_and_all_have_stopped(policy: str | None, codes: tuple[int, int], expected: str) -> None:
    spec = replace(TWO, restartPolicy=policy)
    assert phase(spec, seen(a=exited(codes[0]), b=exited(codes[1]))) == expected


def test_a_sidecar_that_runs_has_it_running_and_one_that_ended_does_not_count() -> None:
    spec = pod(app("a"), inits=(sidecar("two"),), restartPolicy="Never")
    assert phase(spec, seen(two=running(), a=exited(0))) == "Running"
    assert phase(spec, seen(two=exited(143), a=exited(0))) == "Succeeded"


def test_containers_with_policies_of_their_own() -> None:
    """KEP-5307."""
    spec: PodSpec = pod(app("a", restartPolicy="Never"), app("b", restartPolicy="OnFailure"))
    assert phase(spec, seen(a=exited(1), b=exited(0))) == "Failed"
    assert phase(spec, seen(a=exited(1), b=exited(1))) == "Running"
    assert phase(spec, seen(a=exited(0), b=exited(0))) == "Succeeded"


@pytest.mark.parametrize("stored", ["Succeeded", "Failed"])
def test_succeeded_and_failed_never_change_again(stored: str) -> None:
    assert phase(TWO, replace(seen(a=running(), b=exited(0)), phase=stored)) == stored
