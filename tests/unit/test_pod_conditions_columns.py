"""The columns of `pod ps`: kubectl's words."""

from __future__ import annotations

import pytest

from minirun.pod.columns import Columns, columns
from minirun.pod.manifest.types import Pod, PodSpec
from minirun.pod.observed import Deletion, Ended, Observed, Probed, Problem, Seen
from minirun.pod.status import pod_status
from minirun.pod.times import length, rfc3339
from minirun.values import replace
from tests.unit.pod_toys import T, app, exited, pod, running, seen, sidecar

PULL = Problem(reason="ErrImagePull", at=T, tries=2)
ROW = pod(app("a"), app("b"), inits=(app("one"), sidecar("two"), app("three")))
TWO = pod(app("a"), app("b"))
ONCE = replace(TWO, restartPolicy="Never")


def shown(spec: PodSpec, observed: Observed, at: float = 2.0) -> Columns:
    return columns(spec, pod_status(Pod(spec=spec), observed, T + at), observed, T + at)


@pytest.mark.parametrize(
    ("observed", "ready", "status"),
    [
        (seen(None), "0/3", "Init:0/3"),
        (seen(one=running()), "0/3", "Init:0/3"),
        (seen(one=exited(1)), "0/3", "Init:Error"),
        (seen(one=exited(1, streak=2)), "0/3", "Init:CrashLoopBackOff"),
        (seen(one=exited(137, reason="OOMKilled")), "0/3", "Init:OOMKilled"),
        (seen(one=Seen(problem=PULL)), "0/3", "Init:ImagePullBackOff"),
        (seen(one=exited(0)), "0/3", "Init:1/3"),
        (seen(one=exited(0), two=running()), "1/3", "Init:2/3"),
        (seen(one=exited(0), two=running(), three=running()), "1/3", "Init:2/3"),
        (seen(one=exited(0), two=running(), three=exited(0)), "1/3", "PodInitializing"),
        (seen(one=exited(0), two=running(), three=exited(0), a=running(), b=running()), "3/3", "Running"),
        (
            seen(one=exited(0), two=exited(1, streak=1), three=exited(0), a=running(), b=running()),
            "2/3",
            "Init:CrashLoopBackOff",
        ),
    ],
)
def test_init_containers(observed: Observed, ready: str, status: str) -> None:
    columns = shown(ROW, observed)
    assert (columns.ready, columns.status) == (ready, status)


@pytest.mark.parametrize(
    ("spec", "observed", "ready", "status"),
    [
        (TWO, seen(None), "0/2", "ContainerCreating"),
        (TWO, seen(a=running(), b=running()), "2/2", "Running"),
        (TWO, seen(a=running(), b=exited(1, streak=1)), "1/2", "CrashLoopBackOff"),
        (TWO, seen(a=running(), b=Seen(problem=PULL)), "1/2", "ImagePullBackOff"),
        (ONCE, seen(a=exited(0), b=exited(0)), "0/2", "Completed"),
        (ONCE, seen(a=exited(0), b=exited(2)), "0/2", "Completed"),  # the first one's word
        (ONCE, seen(a=exited(2), b=exited(0)), "0/2", "Error"),
        (ONCE, seen(a=exited(137, reason="OOMKilled"), b=exited(0)), "0/2", "OOMKilled"),
        (ONCE, seen(a=exited(0), b=running()), "1/2", "NotReady"),
        (ONCE, seen(a=running(), b=exited(1)), "1/2", "Error"),
    ],
)
def test_apps(spec: PodSpec, observed: Observed, ready: str, status: str) -> None:
    columns = shown(spec, observed)
    assert (columns.ready, columns.status) == (ready, status)


def test_one_that_is_not_ready_shows_in_ready_alone() -> None:
    spec = pod(app("a", probes="readiness"), app("b"))
    failing = Probed(outcome="failure")
    columns = shown(spec, seen(a=running(readiness=failing), b=running()))
    assert (columns.ready, columns.status) == ("1/2", "Running")


def test_terminating_and_ended() -> None:
    leaving = replace(seen(a=running(), b=running()), deletion=Deletion(at=T, grace=30.0))
    assert shown(TWO, leaving).status == "Terminating"
    over = replace(leaving, phase="Failed", containers={"a": exited(1), "b": exited(0)})
    assert shown(TWO, over).status == "Error"
    never_ran = replace(seen("gone"), phase="Failed", reason="DeadlineExceeded")
    # As kubectl: what the containers say comes before what the pod says; these are lost (finished.py).
    assert shown(TWO, never_ran).status == "ContainerStatusUnknown"


def test_restarts() -> None:
    last = Ended(exitCode=1, finishedAt=T - 300)
    assert shown(TWO, seen(a=running(), b=running())).restarts == "0"
    crashed = seen(a=running(restarts=2, last=last), b=running(restarts=1))
    assert shown(TWO, crashed).restarts == "3 (5m2s ago)"
    # while it initializes the init containers' count, afterwards theirs no more, but the sidecars'
    init = seen(one=exited(1, restarts=4, streak=4, last=last))
    assert shown(ROW, init).restarts == "4 (5m2s ago)"
    up = {"one": exited(0, restarts=4), "two": running(restarts=1, last=last), "three": exited(0)}
    assert shown(ROW, seen(**up, a=running(), b=running())).restarts == "1 (5m2s ago)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (14700, "4h5m"),
        (28800, "8h"),
        (172799, "47h"),
        (180000, "2d2h"),
        (691200, "8d"),
        (86400 * 729, "729d"),
        (86400 * 730, "2y"),
        (86400 * 800, "2y70d"),
        (86400 * 365 * 9, "9y"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert length(seconds) == text


def test_moments() -> None:
    assert rfc3339(1_800_000_000.9) == "2027-01-15T08:00:00Z"
    assert rfc3339(0.0) is None
