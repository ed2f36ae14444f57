"""What `pod events` says of a look, and of what was decided: the kubelet's words."""

from __future__ import annotations

import pytest

from minirun.pod import history
from minirun.pod.actions import Finish, StopContainer
from minirun.pod.manifest.types import PodSpec
from minirun.pod.observed import Deletion, Observed, Seen, Stopping
from minirun.values import replace
from tests.unit.pod_toys import T, app, exited, pod, running, seen


def told(spec: PodSpec, before: Observed, after: Observed, at: float = 1.0) -> list[tuple[str, str, str]]:
    """Type, reason, message."""
    found = history.between(spec, before, after, T + at, "web_default(1)")
    return [(each.type, each.reason, each.message) for each in found]


ENDED = ("Warning", "Ended", "Container app has ended: Error, exit code 1")
BACK_OFF = ("Warning", "BackOff", "Back-off restarting failed container app in pod web_default(1)")
WELL = ("Normal", "Ended", "Container app has ended: Completed, exit code 0")


@pytest.mark.parametrize(
    ("policy", "run", "expected"),
    [
        ("Always", exited(1), [ENDED]),  # it is restarted at once
        ("Always", exited(1, streak=1), [ENDED, BACK_OFF]),
        ("Never", exited(1, streak=1), [ENDED]),
        ("OnFailure", exited(0, streak=1), [WELL]),
        ("Always", exited(0, streak=1), [WELL, BACK_OFF]),
        ("Always", running(), []),
    ],
)
def test_a_program_has_ended(policy: str, run: Seen, expected: list[tuple[str, str, str]]) -> None:
    spec = pod(app(), app("other"), restartPolicy=policy)
    before = seen(app=running(), other=running())
    after = seen(app=run, other=running())
    assert told(spec, before, after) == expected
    assert told(spec, after, after) == []
    ending = replace(after, deletion=Deletion(at=T, grace=1))
    assert BACK_OFF not in told(spec, before, ending)


def test_what_a_command_has_put_into_the_pod() -> None:
    """It tells when it runs; it is not restarted."""
    spec = replace(pod(app()), ephemeralContainers=(app("look"),))
    made, up = Seen(state="starting", joined="debug"), running(joined="debug")
    before, after = seen(app=running(), look=made), seen(app=running(), look=up)
    assert told(spec, before, after) == [("Normal", "Started", "Started container look")]
    over = seen(app=running(), look=exited(1, joined="debug", streak=1))
    assert [reason for _, reason, _ in told(spec, after, over)] == ["Ended"]


@pytest.mark.parametrize(
    ("why", "policy", "expected"),
    [
        ("Deleted", "Always", "Stopping container app"),
        ("LivenessProbe", "Always", "Container app failed liveness probe, will be restarted"),
        ("LivenessProbe", "Never", "Container app failed liveness probe"),
        ("StartupProbe", "OnFailure", "Container app failed startup probe, will be restarted"),
        ("PostStartHook", "Always", "FailedPostStartHook"),
    ],
)
def test_a_container_is_stopped(why: str, policy: str, expected: str) -> None:
    kind = why.removesuffix("Probe").lower()
    stopping = Stopping(since=T, grace=1, reason=why, message=f"Container app failed {kind} probe")
    told = history.killing(pod(restartPolicy=policy), app(), StopContainer(name="app", stopping=stopping))
    assert (told.reason, told.message, told.container) == ("Killing", expected, "app")


def test_the_pod_comes_to_its_end() -> None:
    found = [
        history.finished(Finish(phase="Succeeded")),
        history.finished(Finish(phase="Failed")),
        history.finished(Finish(phase="Failed", reason="DeadlineExceeded", message="...")),
    ]
    assert [(each.type, each.reason, each.message) for (each,) in found] == [
        ("Normal", "PodSucceeded", "The pod has succeeded"),
        ("Warning", "PodFailed", "The pod has failed"),
        ("Normal", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"),
    ]
    assert history.finished(Finish(phase="Failed", reason="Evicted")) == ()  # it was told when it was decided
