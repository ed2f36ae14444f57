"""How one container is stopped, stage by stage (rule 12 of Kubernetes')."""

from __future__ import annotations

from typing import Any

import pytest

from minirun.pod.actions import Action, KillContainer, RunPreStop, SignalContainer, StopContainer
from minirun.pod.manifest.types import Container, Probe
from minirun.pod.observed import Deletion, Seen, Stopping
from minirun.pod.termination import Stage, deadline, grace, is_its_turn, stage
from tests.unit.pod_toys import PROBE, T, app, exited, pod, running, seen, sidecar

WISH = Stopping(since=T, grace=30.0, reason="Deleted")
NOTE = StopContainer(name="app", stopping=WISH)
TERM, KILL = SignalContainer(name="app"), KillContainer(name="app")


def noted(**more: Any) -> Stopping:
    return Stopping(**{"since": T, "grace": 30.0, "reason": "Deleted", **more})


def at(seconds: float, container: Container, run: Seen, **more: Any) -> Stage:
    return stage(container, run, WISH, T + seconds, **more)


@pytest.mark.parametrize(
    ("seconds", "stopping", "actions", "again"),
    [
        (0, None, (NOTE, TERM), 30),
        (0, noted(), (TERM,), 30),  # who noted it was killed before the signal
        (5, noted(signalledAt=T), (), 30),
        (30, noted(signalledAt=T), (KILL,), None),
        (30, noted(signalledAt=T + 29), (), 31),  # 2 s behind the signal at least
        (31, noted(signalledAt=T + 29), (KILL,), None),
        (40, noted(signalledAt=T, killedAt=T + 30), (), None),
        (100, None, (NOTE, TERM), 102),  # long overdue: 2 s all the same
        (0, noted(grace=0.0), (TERM,), 2),
    ],
)
def test_without_a_hook(
    seconds: float, stopping: Stopping | None, actions: tuple[Action, ...], again: float | None
) -> None:
    due = at(seconds, app(), running(stopping=stopping))
    assert due.actions == actions
    assert due.look_again_at == (None if again is None else T + again)
    assert not due.hook


@pytest.mark.parametrize(
    ("seconds", "stopping", "actions", "again", "hook"),
    [
        (0, None, (NOTE, RunPreStop(name="app", seconds=30.0)), 30, True),
        (4, noted(), (RunPreStop(name="app", seconds=26.0),), 30, True),
        (4, noted(preStop="running"), (), 30, True),
        (4, noted(preStop="done"), (TERM,), 30, False),
        (4, noted(preStop="failed"), (TERM,), 30, False),
        (29, noted(preStop="done"), (TERM,), 31, False),  # the hook has spent the grace
        (30, noted(preStop="running"), (TERM,), 32, False),  # nobody waits for it any more
        (32, noted(preStop="running", signalledAt=T + 30), (KILL,), None, False),
        (0, noted(grace=0.0), (TERM,), 2, False),  # no time for a hook
    ],
)
def test_with_a_hook(
    seconds: float, stopping: Stopping | None, actions: tuple[Action, ...], again: float | None, hook: bool
) -> None:
    due = at(seconds, app(pre_stop=True), running(stopping=stopping))
    assert due.actions == actions
    assert due.look_again_at == (None if again is None else T + again)
    assert due.hook is hook


def test_who_has_to_wait_waits_until_the_deadline() -> None:
    assert at(0, app(), running(), turn=False) == Stage(actions=(NOTE,), look_again_at=T + 30)
    assert at(30, app(), running(stopping=noted()), turn=False).actions == (TERM,)
    # its hook does not wait
    hooked = at(0, app(pre_stop=True), running(), turn=False)
    assert hooked.actions == (NOTE, RunPreStop(name="app", seconds=30.0))


@pytest.mark.parametrize("state", ["starting", "created"])
def test_what_never_ran_is_killed_at_once(state: str) -> None:
    due = at(0, app(pre_stop=True), Seen(state=state))
    assert due == Stage(actions=(NOTE, KILL))


def test_by_force_there_is_no_hook_and_no_signal() -> None:
    force = Deletion(at=T, grace=0.0, force=True)
    assert at(0, app(pre_stop=True), running(), deletion=force) == Stage(actions=(NOTE, KILL))


def test_a_deletion_cuts_a_longer_stop_short() -> None:
    deletion = Deletion(at=T + 10, grace=5.0)
    assert deadline(noted(), deletion) == T + 15
    assert deadline(noted(grace=12.0), deletion) == T + 12
    assert deadline(noted(), None) == T + 30
    due = at(10, app(), running(stopping=noted(signalledAt=T)), deletion=deletion)
    assert due == Stage(look_again_at=T + 15)


def test_the_containers_own_stop_signal() -> None:
    due = at(0, app(signal="SIGUSR1"), running())
    assert due.actions[-1] == SignalContainer(name="app", signal="SIGUSR1")


@pytest.mark.parametrize(
    ("of_the_pod", "of_the_probe", "seconds"),
    [(None, None, 30.0), (5, None, 5.0), (5, 60, 60.0), (0, None, 0.0), (5, 0, 0.0)],
)
def test_grace(of_the_pod: int | None, of_the_probe: int | None, seconds: float) -> None:
    probe = Probe(exec=PROBE.exec, terminationGracePeriodSeconds=of_the_probe)
    assert grace(pod(terminationGracePeriodSeconds=of_the_pod), probe) == seconds


@pytest.mark.parametrize(
    ("present", "may_go"),
    [
        ("one two app", ["app"]),
        ("one two", ["two"]),
        ("one", ["one"]),
        ("one task", ["task"]),
        ("one app two task", ["app", "task"]),
    ],
)
def test_sidecars_go_after_the_apps_in_reverse_order_of_their_start(present: str, may_go: list[str]) -> None:
    spec = pod(app(), inits=(sidecar("one"), app("task"), sidecar("two")))
    looked = seen(**{name: running() for name in present.split()})
    everyone = (*spec.initContainers, *spec.containers)
    going = [
        each.name for each in everyone if each.name in present.split() and is_its_turn(spec, looked, each)
    ]
    assert sorted(going) == sorted(may_go)


def test_nobody_waits_for_an_ephemeral_container() -> None:
    spec = pod(app(), inits=(sidecar(),), ephemeralContainers=(app("shell"),))
    looked = seen(shell=running(), sidecar=running(), app=exited(0))
    assert is_its_turn(spec, looked, spec.initContainers[0])
