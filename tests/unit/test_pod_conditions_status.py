"""A pod's status, as `pod inspect --format yaml` shows it."""

from __future__ import annotations

from typing import Any

import pytest

from minirun.pod.manifest.types import ObjectMeta, Pod, PodSpec
from minirun.pod.observed import Deletion, Ended, Observed, Problem, Seen
from minirun.pod.status import pod_status
from minirun.values import plain, replace
from tests.unit.pod_toys import T, app, exited, pod, running, seen, sidecar

META = ObjectMeta(name="web", namespace="default", uid="123")


def status(spec: PodSpec, observed: Observed, at: float = 1.0) -> dict[str, Any]:
    made = pod_status(Pod(metadata=META, spec=spec), observed, T + at, host=("192.0.2.1",))
    return plain(made)


def state(run: Seen, at: float = 1.0, spec: PodSpec | None = None) -> dict[str, Any]:
    """The status of the container ``app``."""
    shown = status(spec or pod(app(image="busybox")), seen(app=run), at)
    return shown["containerStatuses"][0]


def test_the_whole_of_it() -> None:
    spec = pod(app(image="busybox"), inits=(sidecar(image="nginx"),))
    shown = status(spec, seen(app=running(imageID="sha256:ab"), sidecar=running()))
    assert [each["type"] for each in shown.pop("conditions")][-1] == "PodScheduled"
    assert shown == {
        "phase": "Running",
        "hostIP": "192.0.2.1",
        "hostIPs": [{"ip": "192.0.2.1"}],
        "podIP": "10.0.0.2",
        "podIPs": [{"ip": "10.0.0.2"}],
        "startTime": "2027-01-15T08:00:00Z",
        "qosClass": "BestEffort",
        "initContainerStatuses": [
            {
                "name": "sidecar",
                "state": {"running": {"startedAt": "2027-01-15T08:00:00Z"}},
                "ready": True,
                "started": True,
                "restartCount": 0,
                "image": "nginx",
                "imageID": "",
                "containerID": "minirun://1",
            }
        ],
        "containerStatuses": [
            {
                "name": "app",
                "state": {"running": {"startedAt": "2027-01-15T08:00:00Z"}},
                "ready": True,
                "started": True,
                "restartCount": 0,
                "image": "busybox",
                "imageID": "sha256:ab",
                "containerID": "minirun://1",
            }
        ],
    }


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (Seen(), "ContainerCreating"),
        (Seen(state="starting"), "ContainerCreating"),
        (Seen(state="created"), "ContainerCreating"),
        (Seen(problem=Problem(reason="CreateContainerConfigError", at=T)), "CreateContainerConfigError"),
        (Seen(problem=Problem(reason="ErrImagePull", at=T)), "ErrImagePull"),
        (Seen(problem=Problem(reason="ErrImagePull", at=T, tries=2)), "ImagePullBackOff"),
        (exited(1, streak=1), "CrashLoopBackOff"),
    ],
)
def test_why_a_container_waits(run: Seen, reason: str) -> None:
    """Rule 14's reasons."""
    assert state(run)["state"]["waiting"]["reason"] == reason


def test_with_init_containers_it_is_the_pod_that_initializes() -> None:
    shown = state(Seen(), spec=pod(app(), inits=(app("one"),)))
    assert shown["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_crash_loop_back_off() -> None:
    shown = state(exited(1, restarts=4, streak=3, reason="OOMKilled"))
    assert shown["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": "back-off 40s restarting failed container=app pod=web(123)",
    }
    assert shown["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert shown["restartCount"] == 4
    # its time has come: it has ended, and is about to be started
    assert "terminated" in state(exited(1, streak=3), at=41.0)["state"]


def test_a_pull_that_backs_off_says_of_what() -> None:
    problem = Problem(reason="ErrImagePull", message="no such image", at=T, tries=3)
    waiting = state(exited(1, problem=problem))["state"]["waiting"]
    assert waiting["message"] == 'Back-off pulling image "busybox": no such image'


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (exited(0), {"exitCode": 0, "reason": "Completed"}),
        (exited(3), {"exitCode": 3, "reason": "Error"}),
        (exited(137, signal=9, reason="OOMKilled"), {"exitCode": 137, "signal": 9, "reason": "OOMKilled"}),
        (exited(1, message="bye"), {"exitCode": 1, "reason": "Error", "message": "bye"}),
    ],
)
def test_how_it_ended(run: Seen, expected: dict[str, Any]) -> None:
    times = {"startedAt": "2027-01-15T08:00:00Z", "finishedAt": "2027-01-15T08:00:01Z"}
    shown = state(run, spec=pod(app(), restartPolicy="Never"))
    assert shown["state"] == {"terminated": {**expected, **times, "containerID": "minirun://1"}}
    assert "lastState" not in shown


def test_the_run_before() -> None:
    last = Ended(exitCode=1, finishedAt=T)
    shown = state(running(last=last, restarts=1))
    assert shown["lastState"]["terminated"]["exitCode"] == 1
    both = state(exited(0, last=last, restarts=1), spec=pod(app(), restartPolicy="OnFailure"))
    assert both["lastState"]["terminated"]["exitCode"] == 1


def test_an_init_container_that_is_done_is_ready_and_a_pod_that_ended_restarts_nothing() -> None:
    spec = pod(app(), inits=(app("one"),))
    shown = status(
        spec, replace(seen("gone", one=exited(0), app=exited(1, streak=1)), phase="Failed", reason="x")
    )
    assert shown["initContainerStatuses"][0]["ready"] is True
    assert "terminated" in shown["containerStatuses"][0]["state"]
    assert shown["reason"] == "x"


@pytest.mark.parametrize(
    ("inits", "runs", "expected"),
    [
        ((), {"app": exited(1)}, {"app": "Error", "other": "ContainerStatusUnknown"}),
        (
            ("one",),
            {"one": exited(1)},
            {"one": "Error", "app": "PodInitializing", "other": "PodInitializing"},
        ),
        (("one",), {"one": exited(0)}, {"one": "Completed", "app": "ContainerStatusUnknown"}),
        (
            ("one", "two", "three"),
            {"two": exited(1)},
            {"one": "ContainerStatusUnknown", "two": "Error", "three": "PodInitializing"},
        ),
        (("one", "two"), {}, {"one": "ContainerStatusUnknown", "two": "PodInitializing"}),
    ],
)
def test_what_never_ran_in_a_pod_that_has_ended(
    inits: tuple[str, ...], runs: dict[str, Seen], expected: dict[str, str]
) -> None:
    """As the kubelet has it: lost, where it was to run; waiting for what failed before it."""
    spec = pod(app(), app("other"), inits=tuple(map(app, inits)))
    shown = status(spec, replace(seen("gone", **runs), phase="Failed"))
    each = [*shown.get("initContainerStatuses", ()), *shown["containerStatuses"]]
    said = {one["name"]: next(iter(one["state"].values()))["reason"] for one in each}
    assert said | expected == said
    assert len(said) == len(inits) + 2


def test_what_never_ran_while_the_pod_is_ending_waits() -> None:
    """Nothing is final yet; and a problem that it has is still told."""
    spec = pod(app(), app("other"))
    observed = seen(app=Seen(problem=Problem(reason="ErrImageNeverPull", at=T)))
    shown = status(spec, replace(observed, deletion=Deletion(at=T, grace=1)))["containerStatuses"]
    assert [one["state"]["waiting"]["reason"] for one in shown] == ["ErrImageNeverPull", "ContainerCreating"]


def test_while_a_post_start_hook_runs_the_container_waits() -> None:
    shown = state(running(postStart="running"), spec=pod(app(post_start=True)))
    assert shown["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert (shown["ready"], shown["started"]) == (False, False)
