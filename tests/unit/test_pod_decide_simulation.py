"""The brain in a toy world (pod_world.py): whatever befalls a pod, the rules hold."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from minirun.pod.manifest.types import Container, PodSpec
from minirun.pod.observed import EXITED, RUNNING
from minirun.pod.restarts import restarts
from minirun.values import replace
from tests.unit.pod_toys import app, sidecar
from tests.unit.pod_world import World

#: The commonest ones more than once.
EVENTS = ["exit", "probe", "hook", "wait"] * 2 + ["begin", "trouble", "pause dies"]
EVENTS += ["supervisor dies", "supervisor will die"]


@st.composite
def containers(draw: st.DrawFn, name: str, kind: str) -> Container:
    """An app, a task (a plain init container) or a sidecar."""
    if kind == "task":
        return app(name)
    more = {
        "probes": " ".join(draw(st.sets(st.sampled_from(["startup", "liveness", "readiness"])))),
        "pre_stop": draw(st.booleans()),
        "post_start": draw(st.booleans()),
    }
    if kind == "sidecar":
        return sidecar(name, **more)
    if draw(st.integers(0, 5)) == 0:
        more["restartPolicy"] = draw(st.sampled_from(["Always", "OnFailure", "Never"]))
    return app(name, **more)


@st.composite
def pods(draw: st.DrawFn) -> PodSpec:
    """Any mix of them."""
    kinds = draw(st.lists(st.sampled_from(["task", "sidecar"]), max_size=4))
    inits = tuple(draw(containers(f"{kind}{at}", kind)) for at, kind in enumerate(kinds))
    apps = tuple(draw(containers(f"app{at}", "app")) for at in range(draw(st.integers(1, 3))))
    return PodSpec(
        containers=apps,
        initContainers=inits,
        ephemeralContainers=(app("shell"),) if draw(st.integers(0, 4)) == 0 else (),
        restartPolicy=draw(st.sampled_from([None, "Always", "OnFailure", "Never"])),
        terminationGracePeriodSeconds=draw(st.sampled_from([None, 0, 1, 5])),
        activeDeadlineSeconds=draw(st.sampled_from([None, None, 60, 1000])),
    )


histories = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 7), st.integers(0, 11)), max_size=40)
stubborn = st.frozensets(st.sampled_from(["app0", "app1", "sidecar0", "sidecar1", "shell"]))


def lived(spec: PodSpec, deaf: frozenset[str], history: list[tuple[str, int, int]]) -> World:
    """A world in which all of ``history`` has come to pass."""
    world = World(spec, deaf)
    world.settle()
    for what, who, how in history:
        world.befall(what, who, how)
        world.settle()
    return world


@settings(max_examples=250, deadline=None)
@given(pods(), stubborn, histories, st.sampled_from([0.0, 1.0, 30.0]), st.booleans())
def test_after_deletion_everything_is_stopped_within_the_grace_and_2_seconds(
    spec: PodSpec, deaf: frozenset[str], history: list[tuple[str, int, int]], grace: float, force: bool
) -> None:
    """And on the way there no rule was broken: World.do checks each action."""
    world = lived(spec, deaf, history)
    began, had_ended = world.now, bool(world.seen.phase)
    world.delete(grace, force)
    for _ in range(200):
        world.settle()
        if not world.present():
            break
        # Only time passes now, and hooks hang: the worst that may be.
        assert world.decision.look_again_at is not None, "nobody looks after it any more"
        world.now = world.decision.look_again_at
        world.obey()
    assert world.present() == []
    assert world.now <= began + (0 if force else grace + 2)
    assert world.seen.phase
    assert not world.decision.needs_supervisor
    event(f"ended before: {had_ended}")


@settings(max_examples=250, deadline=None)
@given(pods(), stubborn, histories, st.booleans())
def test_once_nothing_befalls_it_any_more_a_pod_comes_to_rest(
    spec: PodSpec, deaf: frozenset[str], history: list[tuple[str, int, int]], finite: bool
) -> None:
    """Everything runs that should, or the pod has ended, and then for good.

    The apps of a ``finite`` pod come to an end by themselves.
    """
    if finite:
        apps = tuple(replace(each, restartPolicy=None) for each in spec.containers)
        spec = replace(spec, containers=apps, restartPolicy="OnFailure")
    world = lived(spec, deaf, history)
    for _ in range(300):
        world.next_start = "runs"
        before = world.seen
        calm(world, world.tasks | world.apps if finite else world.tasks)
        world.settle()
        if world.decision.look_again_at is not None:
            world.now = world.decision.look_again_at
        world.obey()
        if world.seen == before and world.decision.look_again_at is None and not world.decision.hooks:
            break  # healthy probes go on for ever
    else:
        raise AssertionError(f"it does not come to rest: {world.decision}")
    event(f"phase: {world.seen.phase or 'none'}")
    if world.seen.phase:
        assert world.present() == []
        return
    for container in (*spec.initContainers, *spec.containers):
        run = world.seen.of(container.name)
        if container.name in world.tasks:
            assert run.state == EXITED and run.ended and run.ended.exitCode == 0
        elif run.state == EXITED and run.ended:
            assert not restarts(spec, container, run.ended)
        else:
            assert run.state == RUNNING


def calm(world: World, finite: set[str]) -> None:
    """Everything goes well for a moment: those who come to an end do, with 0."""
    for who, (name, run) in enumerate(list(world.seen.containers.items())):
        if name in finite and run.state == RUNNING:
            world.end(name, 0)
        world.befall("begin", who, 0)
        world.hook(name, world.seen.of(name), "done")
    for who in range(len(world.decision.probing)):
        name, kind = world.decision.probing[who]
        if getattr(world.seen.of(name), kind).outcome != "success":
            world.befall("probe", who, 0)
    world.keep_books()
