"""The brain of a pod: seen like this -> done now (rules 8 to 15 of Kubernetes')."""

from __future__ import annotations

import pytest

from minirun.pod import actions
from minirun.pod.actions import Action
from minirun.pod.decide import Decision, decide
from minirun.pod.manifest.types import PodSpec, Probe
from minirun.pod.observed import Deletion, Observed, Probed, Problem, Sandbox, Seen, Stopping
from minirun.values import plain, replace, revive
from tests.unit.pod_toys import PROBE, T, app, exited, pod, running, seen, sidecar

PASSED, FAILED = Probed(outcome="success", since=T), Probed(outcome="failure", since=T)


def words(action: Action) -> str:
    """An action as a line of a table has it."""
    match action:
        case actions.MakeSandbox():
            return f"sandbox {action.attempt}"
        case actions.StopSandbox():
            return "no sandbox"
        case actions.StartContainer():
            return f"start {action.name}" + (f" {action.restarts}" if action.restarts else "")
        case actions.StopContainer():
            return f"stop {action.name} {action.stopping.reason}"
        case actions.RunPostStart():
            return f"postStart {action.name}"
        case actions.RunPreStop():
            return f"preStop {action.name}"
        case actions.SignalContainer():
            return f"TERM {action.name}"
        case actions.KillContainer():
            return f"KILL {action.name}"
        case actions.Finish():
            return " ".join(word for word in (action.phase, action.reason) if word)
    raise AssertionError(action)


def done(decision: Decision) -> list[str]:
    return [words(action) for action in decision.actions]


def at(seconds: float, spec: PodSpec, observed: Observed) -> list[str]:
    return done(decide(spec, observed, T + seconds))


def again(seconds: float, spec: PodSpec, observed: Observed) -> float | None:
    """When it is to be looked at again, in seconds after T."""
    when = decide(spec, observed, T + seconds).look_again_at
    return None if when is None else when - T


TWO = pod(app("a"), app("b"))
ROW = pod(app("a"), app("b"), inits=(app("one"), sidecar("two"), app("three")))
PROBED = pod(app(probes="startup liveness readiness"))


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (seen(None), ["sandbox 0"]),
        (seen(), ["start one"]),
        (seen(one=Seen(state="starting")), []),
        (seen(one=Seen(state="created")), ["start one"]),  # its gate is still shut
        (seen(one=running()), []),
        (seen(one=exited(0)), ["start two"]),
        (seen(one=exited(0), two=Seen(state="starting")), []),
        (seen(one=exited(0), two=running()), ["start three"]),
        (seen(one=exited(0), two=running(), three=running()), []),
        (seen(one=exited(0), two=running(), three=exited(0)), ["start a", "start b"]),
        (seen(one=exited(0), two=running(), three=exited(0), b=running()), ["start a"]),
        (seen(one=exited(0), two=running(), three=exited(0), a=running(), b=running()), []),
    ],
)
def test_rule_8_sandbox_then_init_containers_one_by_one_then_apps_together(
    observed: Observed, expected: list[str]
) -> None:
    assert at(1, ROW, observed) == expected


def test_nothing_needs_time_so_the_supervisor_may_go() -> None:
    decision = decide(TWO, seen(a=running(), b=running()), T)
    assert decision == Decision()
    assert not decision.needs_supervisor
    assert not decision.needs_probes


@pytest.mark.parametrize(
    ("policy", "expected"), [("Always", ["start one 1"]), ("OnFailure", ["start one 1"]), ("Never", None)]
)
def test_rule_9_a_failed_init_container(policy: str, expected: list[str] | None) -> None:
    spec = replace(ROW, restartPolicy=policy)
    failed = seen(one=exited(1))
    if expected:
        assert at(1, spec, failed) == expected
        assert at(1, spec, seen(one=exited(1, streak=1))) == []
        assert again(1, spec, seen(one=exited(1, streak=1))) == 11
    else:
        assert at(1, spec, failed) == ["no sandbox", "Failed"]


def test_rule_9_with_never_what_was_started_before_is_stopped_first() -> None:
    spec = replace(ROW, restartPolicy="Never")
    observed = seen(one=exited(0), two=running(), three=exited(1))
    assert at(1, spec, observed) == ["stop two InitFailed", "TERM two"]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (running(), ["postStart two"]),
        (running(postStart="running"), []),
        (running(postStart="failed", startup=PASSED), ["stop two PostStartHook", "TERM two"]),
        (running(postStart="done"), []),  # the startup probe has no result yet
        (running(postStart="done", startup=FAILED), ["stop two StartupProbe", "TERM two"]),
        (running(postStart="done", startup=PASSED), ["start three"]),
        (running(postStart="done", startup=PASSED, readiness=FAILED), ["start three"]),
    ],
)
def test_rule_10_behind_a_sidecar_it_is_waited_until_it_has_started_not_until_it_is_ready(
    run: Seen, expected: list[str]
) -> None:
    two = sidecar("two", probes="startup readiness", post_start=True)
    spec = pod(app(), inits=(app("one"), two, app("three")))
    assert at(1, spec, seen(one=exited(0), two=run)) == expected


def test_rule_10_a_sidecar_that_crashes_later_holds_nobody_up() -> None:
    crashed = exited(1, streak=1)
    assert at(1, ROW, seen(one=exited(0), two=exited(1), three=running())) == ["start two 1"]
    assert at(1, ROW, seen(one=exited(0), two=crashed, three=running())) == []
    assert at(1, ROW, seen(one=exited(0), two=crashed, three=exited(0))) == ["start a", "start b"]
    assert at(1, ROW, seen(one=exited(0), two=crashed, three=exited(0), a=running())) == ["start b"]


def test_rule_10_but_one_that_never_started_does() -> None:
    spec = pod(app(), inits=(sidecar(probes="startup"),))
    assert at(1, spec, seen(sidecar=exited(1, streak=1))) == []
    assert again(1, spec, seen(sidecar=exited(1, streak=1))) == 11


def test_rule_10_a_pod_completes_although_its_sidecars_run() -> None:
    spec = pod(app(), inits=(sidecar("one"), sidecar("two")), restartPolicy="OnFailure")
    running_on = seen(one=running(), two=running(), app=exited(0))
    assert at(1, spec, running_on) == [
        "stop two PodCompleted",
        "TERM two",
        "stop one PodCompleted",  # noted: it waits until two has ended
    ]
    assert at(1, spec, seen(one=exited(0), two=exited(0), app=exited(0))) == ["no sandbox", "Succeeded"]
    gone = seen("gone", one=exited(0), two=exited(143), app=exited(0))
    assert at(1, spec, gone) == ["Succeeded"]
    assert at(1, spec, replace(gone, phase="Succeeded")) == []


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [
        ("Always", 0, ["start a 4"]),
        ("Always", 1, ["start a 4"]),
        ("OnFailure", 0, []),
        ("OnFailure", 1, ["start a 4"]),
        ("Never", 0, []),
        ("Never", 1, []),
    ],
)
def test_rule_11_a_crashed_app_is_restarted_in_the_same_sandbox(
    policy: str, code: int, expected: list[str]
) -> None:
    spec = replace(TWO, restartPolicy=policy)
    observed = seen(a=exited(code, restarts=3), b=running())
    assert at(1, spec, observed) == expected


def test_rule_11_backoff() -> None:
    observed = seen(a=exited(1, restarts=3, streak=2), b=running())
    assert at(1, TWO, observed) == []
    assert again(1, TWO, observed) == 21
    assert at(20.9, TWO, observed) == []
    start = decide(TWO, observed, T + 21).actions
    assert start == (actions.StartContainer(name="a", sandbox=0, restarts=4, streak=3),)


def test_rule_11_ten_good_minutes_begin_anew() -> None:
    observed = seen(a=exited(1, at=601.0, restarts=9, streak=9), b=running())
    start = decide(TWO, observed, T + 601).actions
    assert start == (actions.StartContainer(name="a", sandbox=0, restarts=10, streak=1),)


def test_what_could_not_be_made_is_tried_again_and_holds_up_no_other() -> None:
    problem = Problem(reason="ErrImagePull", at=T, tries=2)
    observed = seen(a=Seen(problem=problem))
    assert at(1, TWO, observed) == ["start b"]
    assert again(1, TWO, observed) == 20
    assert at(20, TWO, observed) == ["start a", "start b"]
    init = pod(app(), inits=(app("one"),))
    assert at(1, init, seen(one=Seen(problem=problem))) == []


def test_a_restart_that_cannot_be_made_waits_for_the_later_of_both() -> None:
    run = exited(1, streak=1, restarts=1, problem=Problem(reason="ErrImagePull", at=T + 5))
    assert again(6, TWO, seen(a=run, b=running())) == 15
    assert at(15, TWO, seen(a=run, b=running())) == ["start a 2"]


@pytest.mark.parametrize(
    ("run", "probing"),
    [
        (running(), ["startup"]),
        (running(startup=PASSED), ["liveness", "readiness"]),
        (running(startup=PASSED, readiness=FAILED), ["liveness", "readiness"]),
        (Seen(state="starting"), []),
        (exited(0, streak=1), []),
    ],
)
def test_probes_that_go_on(run: Seen, probing: list[str]) -> None:
    """Rule 17: liveness and readiness wait for the startup probe."""
    decision = decide(PROBED, seen(app=run), T + 1)
    assert decision.probing == tuple(("app", kind) for kind in probing)
    assert decision.needs_probes is bool(probing)
    assert decision.needs_supervisor or not probing


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (running(startup=FAILED), "StartupProbe"),
        (running(startup=PASSED, liveness=FAILED), "LivenessProbe"),
        (running(liveness=FAILED), None),  # of the last run: not asked yet
        (running(startup=PASSED, liveness=PASSED, readiness=FAILED), None),
    ],
)
def test_a_failed_probe_has_the_container_killed_and_started_anew(run: Seen, why: str | None) -> None:
    decision = decide(PROBED, seen(app=run), T + 1)
    assert done(decision) == ([f"stop app {why}", "TERM app"] if why else [])
    if why:
        assert decision.probing == ()
        after = exited(0, stopped=why)
        assert at(1, replace(PROBED, restartPolicy="OnFailure"), seen(app=after)) == ["start app 1"]


@pytest.mark.parametrize("kind", ["liveness", "startup"])
def test_a_probe_may_have_its_own_grace(kind: str) -> None:
    probe = Probe(exec=PROBE.exec, terminationGracePeriodSeconds=5)
    ill = replace(app(pre_stop=True), **{f"{kind}Probe": probe})
    spec = pod(ill, terminationGracePeriodSeconds=60)
    decision = decide(spec, seen(app=running(**{kind: FAILED})), T)
    assert done(decision) == [f"stop app {kind.capitalize()}Probe", "preStop app"]
    assert decision.look_again_at == T + 5


def test_rule_12_a_failed_post_start_hook_kills_the_container() -> None:
    spec = pod(app(post_start=True))
    assert at(0, spec, seen(app=running())) == ["postStart app"]
    hooked = decide(spec, seen(app=running(postStart="running")), T)
    assert (done(hooked), hooked.hooks, hooked.needs_supervisor) == ([], ("app",), True)
    assert at(0, spec, seen(app=running(postStart="failed"))) == ["stop app PostStartHook", "TERM app"]
    assert at(1, spec, seen(app=exited(143, stopped="PostStartHook"))) == ["start app 1"]


def deleted(observed: Observed, grace: float = 30.0, **more: bool) -> Observed:
    return replace(observed, deletion=Deletion(at=T, grace=grace, **more))


def stopped(signalledAt: float | None = None) -> Stopping:
    return Stopping(since=T, grace=30.0, reason="Deleted", signalledAt=signalledAt)


def test_rule_12_deleted_apps_first_then_sidecars_in_reverse_order() -> None:
    spec = pod(app("a", pre_stop=True), app("b"), inits=(sidecar("one", pre_stop=True), sidecar("two")))
    everyone = deleted(seen(a=running(), b=running(), one=running(), two=running()))
    assert at(0, spec, everyone) == [
        "stop a Deleted",
        "preStop a",
        "stop b Deleted",
        "TERM b",
        "stop two Deleted",
        "stop one Deleted",
        "preStop one",  # a hook does not wait for its turn
    ]
    note, term = stopped(), stopped(signalledAt=T)
    a, one = replace(note, preStop="done"), replace(note, preStop="done")
    late = seen(a=running(stopping=a), b=exited(0), one=running(stopping=one), two=running(stopping=note))
    assert at(1, spec, deleted(late)) == ["TERM a"]
    late = seen(a=exited(0), b=exited(0), one=running(stopping=one), two=running(stopping=note))
    assert at(2, spec, deleted(late)) == ["TERM two"]
    late = seen(a=exited(0), b=exited(0), one=running(stopping=one), two=exited(0))
    assert at(3, spec, deleted(late)) == ["TERM one"]
    late = seen(a=exited(0), b=exited(0), one=running(stopping=term), two=exited(0))
    assert again(4, spec, deleted(late)) == 30
    late = seen(a=exited(0), b=exited(143), one=exited(0), two=exited(0))
    assert at(5, spec, deleted(late)) == ["no sandbox", "Failed"]


def test_rule_12_at_the_deadline_all_that_is_left_gets_2_seconds_and_the_apps_none() -> None:
    spec = pod(app("a"), inits=(sidecar("one"), sidecar("two")))
    observed = deleted(
        seen(
            a=running(stopping=stopped(signalledAt=T)),
            one=running(stopping=stopped()),
            two=running(stopping=stopped()),
        )
    )
    assert at(29, spec, observed) == []
    assert again(29, spec, observed) == 30
    assert at(30, spec, observed) == ["KILL a", "TERM two", "TERM one"]
    assert again(30, spec, observed) == 32


def test_rule_12_by_force() -> None:
    spec = pod(app(pre_stop=True), inits=(sidecar(),))
    observed = deleted(seen(app=running(), sidecar=running()), 0.0, force=True)
    assert at(0, spec, observed) == [
        "stop app Deleted",
        "KILL app",
        "stop sidecar Deleted",
        "KILL sidecar",
    ]


@pytest.mark.parametrize("grace", [60.0, 5.0])
def test_rule_12_a_deletion_says_its_own_grace(grace: float) -> None:
    """Longer or shorter than the pod's own 30 seconds."""
    decision = decide(pod(app(pre_stop=True)), deleted(seen(app=running()), grace), T + 1)
    stopping = Stopping(since=T, grace=grace, reason="Deleted")
    assert decision.actions[0] == actions.StopContainer(name="app", stopping=stopping)
    assert decision.look_again_at == T + grace


def test_nothing_is_started_after_deletion() -> None:
    for observed in (seen(), seen(a=exited(1)), seen(a=Seen(state="created")), seen("dead")):
        assert not any(word.startswith(("start", "sandbox")) for word in at(0, TWO, deleted(observed)))
    assert at(0, TWO, deleted(seen(None))) == ["Failed"]


LIMITED = pod(app("a"), inits=(sidecar(),), activeDeadlineSeconds=60, restartPolicy="OnFailure")


def test_active_deadline() -> None:
    up = seen(a=running(), sidecar=running())
    assert again(1, LIMITED, up) == 60
    assert at(59.9, LIMITED, up) == []
    assert at(60, LIMITED, up) == [
        "stop a DeadlineExceeded",
        "TERM a",
        "stop sidecar DeadlineExceeded",
    ]
    # exit 0 upon the signal makes no success of it
    over = seen(a=exited(0, at=61.0, stopped="DeadlineExceeded"), sidecar=exited(0))
    assert at(62, LIMITED, over) == ["no sandbox", "Failed DeadlineExceeded"]


def test_who_completed_before_the_deadline_has_completed() -> None:
    in_time = seen(a=exited(0, at=59.0), sidecar=exited(137))
    assert at(62, LIMITED, in_time) == ["no sandbox", "Succeeded"]


def test_rule_15_pause_dies_everything_is_stopped_then_all_is_made_anew() -> None:
    spec = pod(app("a"), app("b"), inits=(app("one"), sidecar("two")))
    dead = Sandbox(state="dead", since=T, endedAt=T + 100)
    up = seen(dead, one=exited(0), two=running(), a=running(), b=exited(1, streak=3))
    assert at(100, spec, up) == ["stop a SandboxDied", "TERM a", "stop two SandboxDied"]
    down = seen(dead, one=exited(0), two=exited(0), a=exited(0), b=exited(1, streak=3))
    assert at(101, spec, down) == ["no sandbox", "sandbox 1"]
    new = Sandbox(attempt=1, since=T + 101)
    # a new sandbox reruns all init containers (rule 8)
    again_up = seen(new, one=exited(0), two=exited(0), a=exited(0), b=exited(1, streak=3))
    assert at(101, spec, again_up) == ["start one 1"]
    one = exited(0, sandbox=1, restarts=1)
    assert at(101, spec, replace(again_up, containers={**again_up.containers, "one": one})) == ["start two 1"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [("running", ["stop a SandboxDied", "TERM a"]), ("created", ["stop a SandboxDied", "KILL a"])],
)
def test_rule_15_nobody_stays_in_a_sandbox_that_was_replaced(state: str, expected: list[str]) -> None:
    new = Sandbox(attempt=1, since=T)
    assert at(0, TWO, seen(new, a=running(state=state), b=running(sandbox=1))) == expected


def test_rule_15_onfailure_restarts_what_had_not_succeeded() -> None:
    new = Sandbox(attempt=1, since=T)
    spec = replace(TWO, restartPolicy="OnFailure")
    observed = seen(new, a=exited(0), b=exited(0, stopped="SandboxDied"))
    assert at(1, spec, observed) == ["start b 1"]


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (seen("dead", a=exited(143, stopped="SandboxDied"), b=exited(0)), "Failed SandboxDied"),
        (seen("dead", a=exited(0, stopped="SandboxDied"), b=exited(0)), "Failed SandboxDied"),
        (seen("gone", a=exited(0, stopped="SandboxDied"), b=exited(0)), "Failed SandboxDied"),
        (seen("dead", a=exited(0), b=exited(0)), "Succeeded"),  # it had completed before
        (seen("dead", a=exited(0)), "Failed SandboxDied"),
        (seen("dead"), "sandbox 1"),  # nothing has ever run in it
    ],
)
def test_rule_15_with_never_the_pod_fails(observed: Observed, expected: str) -> None:
    assert at(2, replace(TWO, restartPolicy="Never"), observed)[-1] == expected


def test_rule_15_with_never_a_sidecar_makes_no_new_sandbox() -> None:
    """It would be restarted, but those that it serves are not."""
    lost = exited(137, stopped="SandboxDied")
    never = replace(ROW, restartPolicy="Never")
    begun = seen("dead", one=exited(0), two=lost, three=lost)
    assert at(2, never, begun)[-1] == "Failed SandboxDied"
    up = seen("dead", one=exited(0), two=lost, three=exited(0), a=lost, b=lost)
    assert at(2, never, up)[-1] == "Failed SandboxDied"


def test_a_sandbox_that_keeps_dying_is_made_ever_more_slowly() -> None:
    dead = Sandbox(attempt=4, state="gone", streak=3, since=T, endedAt=T + 1)
    assert at(1, TWO, seen(dead)) == []
    assert again(1, TWO, seen(dead)) == 41
    made = decide(TWO, seen(dead), T + 41).actions
    assert made == (actions.MakeSandbox(attempt=5, streak=4),)


def test_a_sandbox_that_cannot_be_made() -> None:
    observed = replace(seen(None), problem=Problem(reason="FailedCreatePodSandBox", at=T, tries=1))
    assert (at(9, TWO, observed), again(9, TWO, observed)) == ([], 10)
    assert at(10, TWO, observed) == ["sandbox 0"]


def test_an_ephemeral_container_starts_at_once_never_again_and_keeps_nothing_up() -> None:
    spec = pod(app("a"), inits=(app("one"),), ephemeralContainers=(app("shell"),), restartPolicy="Never")
    assert at(1, spec, seen(one=running())) == ["start shell"]
    assert at(1, spec, seen(one=running(), shell=exited(1))) == []
    assert at(1, spec, seen(one=exited(0), a=exited(0), shell=running())) == [
        "stop shell PodCompleted",
        "TERM shell",
    ]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_final_phase_starts_nothing_and_is_not_stored_again(phase: str) -> None:
    observed = replace(seen("gone", a=exited(1)), phase=phase)
    assert decide(TWO, observed, T + 1000) == Decision()
    left = replace(seen(a=running(), b=exited(1)), phase=phase)
    assert at(1, TWO, left) == ["stop a PodCompleted", "TERM a"]


def test_what_is_observed_survives_being_written_down() -> None:
    observed = deleted(
        seen(
            a=running(stopping=stopped(), startup=PASSED, problem=Problem(reason="x", at=T)),
            b=exited(1, stopped="LivenessProbe"),
        )
    )
    assert revive(plain(observed), Observed) == observed
