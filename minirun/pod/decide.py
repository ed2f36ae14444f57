"""The brain of a pod: what is seen, and the time -> what to do now, and when to look again.

Layer: pod; pure: the same look gives the same decision, whoever takes it, so a
supervisor may be killed between any two deeds. The supervisor looks (observed.py),
decides, does (actions.py), and looks again, until there is nothing to do; then it
sleeps until something ends or the time has come, or goes away if no time is
waited for. The whole of a pod's life, from the top:

    ends          (ending.py)       stop everything, in order; the sandbox; the phase, for good
    no sandbox    rebuild           stop what the last one held; make one
    a sandbox     run               init containers one by one, sidecars among them,
                                    then the apps together; each kept up by its policy

Kubernetes, "Pod Lifecycle". Read ending.py, termination.py, backoff.py next.
"""

from __future__ import annotations

from minirun.pod import health
from minirun.pod.actions import Action, Finish, MakeSandbox, RunPostStart, StartContainer, StopSandbox
from minirun.pod.backoff import next_start, next_streak, next_try
from minirun.pod.ending import EVICTED, Ending, deadline_of_pod, ending
from minirun.pod.observed import (
    ALIVE,
    CREATED,
    DEAD,
    EXITED,
    NONE,
    PRESENT,
    RUNNING,
    Observed,
    Stopping,
)
from minirun.pod.restarts import SANDBOX, is_sidecar, restarts
from minirun.pod.termination import Stage, grace, is_its_turn, stage
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, PodSpec

#: Seconds for the containers of a pod that takes what others need; the kubelet gives it as much.
EVICTION_GRACE = 1.0


class Decision(Value):
    """What is to be done now, in this order, and what there is to wait for."""

    actions: tuple[Action, ...] = ()
    look_again_at: float | None = None
    """Always in the future; None if no time is waited for."""
    probing: tuple[tuple[str, str], ...] = ()
    """Container and kind (startup, liveness, readiness) of each probe that has to go on now."""
    hooks: tuple[str, ...] = ()
    """Containers whose hook is to be waited for."""

    @property
    def needs_probes(self) -> bool:
        """Whether somebody has to ask a container how it is."""
        return bool(self.probing)

    @property
    def needs_supervisor(self) -> bool:
        """Whether somebody has to stay: time has to pass, a probe or a hook to be looked after."""
        return bool(self.actions or self.probing or self.hooks) or self.look_again_at is not None


def decide(spec: PodSpec, seen: Observed, now: float) -> Decision:
    """What the pod needs, seen like this at ``now`` (seconds since the epoch)."""
    desk = _Desk(spec, seen, now)
    end = ending(spec, seen, now)
    if end:
        desk.wind_down(end)
    elif seen.sandbox is None or seen.sandbox.state != ALIVE:
        desk.rebuild()
    else:
        desk.run(seen.sandbox.attempt)
    return desk.decision()


class _Desk:
    """Where one decision is put together."""

    def __init__(self, spec: PodSpec, seen: Observed, now: float) -> None:
        self.spec = spec
        self.seen = seen
        self.now = now
        self.actions: list[Action] = []
        self.times: list[float] = []
        self.probing: list[tuple[str, str]] = []
        self.hooks: list[str] = []

    def decision(self) -> Decision:
        return Decision(
            actions=tuple(self.actions),
            look_again_at=min(self.times) if self.times else None,
            probing=tuple(self.probing),
            hooks=tuple(self.hooks),
        )

    # --- it ends, or its sandbox has ----------------------------------------

    def wind_down(self, end: Ending) -> None:
        """Stops everything, then the sandbox; then the phase is stored, and final."""
        if self.stop_everything(end.why, end.message):
            return
        self.stop_sandbox()
        if not self.seen.phase:
            self.actions.append(Finish(phase=end.phase, reason=end.reason, message=end.message))

    def rebuild(self) -> None:
        """A new sandbox, once nothing holds on to the last one."""
        self.mind_the_deadline()
        if self.stop_everything(SANDBOX, "The sandbox of the pod died"):
            return
        self.stop_sandbox()
        old, problem, at, streak = self.seen.sandbox, self.seen.problem, self.now, 0
        if old:
            at = next_start(old.streak, old.since, old.endedAt, self.now)
            streak = next_streak(old.streak, old.since, old.endedAt)
        if problem:
            at = max(at, next_try(problem.tries, problem.at, self.now))
        if self.is_due(at):
            self.actions.append(MakeSandbox(attempt=old.attempt + 1 if old else 0, streak=streak))

    def stop_everything(self, why: str, message: str) -> bool:
        """Goes on with the stop of all that is present; whether there is anything."""
        spec, seen = self.spec, self.seen
        present = [
            container
            for container in (*spec.containers, *spec.ephemeralContainers, *reversed(spec.initContainers))
            if seen.of(container.name).state in PRESENT
        ]
        since, length = self.now, grace(spec)
        if why == EVICTED:
            length = EVICTION_GRACE
        if seen.deletion:
            since, length = seen.deletion.at, seen.deletion.grace
        for container in present:
            wish = Stopping(since=since, grace=length, reason=why, message=message)
            self.stop(container, wish, turn=is_its_turn(spec, seen, container))
        return bool(present)

    def stop(self, container: Container, wish: Stopping, turn: bool = True) -> None:
        """Goes on with the stop of one container."""
        due: Stage = stage(container, self.seen.of(container.name), wish, self.now, turn, self.seen.deletion)
        self.actions += due.actions
        if due.look_again_at is not None:
            self.times.append(due.look_again_at)
        if due.hook:
            self.hooks.append(container.name)

    def stop_sandbox(self) -> None:
        if self.seen.sandbox and self.seen.sandbox.state in (ALIVE, DEAD):
            self.actions.append(StopSandbox())

    # --- it goes on ---------------------------------------------------------

    def run(self, sandbox: int) -> None:
        """Everyone that may run does, in this order."""
        self.mind_the_deadline()
        for container in self.spec.ephemeralContainers:
            run = self.seen.of(container.name)
            if self.look_after(container, sandbox) and run.state in (NONE, CREATED) and not run.joined:
                self.start(container, sandbox)
        if self.are_initialized(sandbox):
            for container in self.spec.containers:
                self.keep(container, sandbox)

    def are_initialized(self, sandbox: int) -> bool:
        """Brings the init containers on; whether the apps may run.

        Who has been passed once is not waited for again: a sidecar that crashes
        is started anew, and those behind it go on.
        """
        inits = self.spec.initContainers
        if any(self.is_in(container, sandbox) for container in self.spec.containers):
            passed = len(inits)
        else:
            begun = [at for at, container in enumerate(inits) if self.is_in(container, sandbox)]
            passed = begun[-1] if begun else 0
        for at, container in enumerate(inits):
            run = self.seen.of(container.name)
            if at < passed and not is_sidecar(container):
                continue
            if health.is_complete(run, sandbox) and not is_sidecar(container):
                continue
            self.keep(container, sandbox)
            if at >= passed and not (is_sidecar(container) and health.is_started(container, run)):
                return False
        return True

    def is_in(self, container: Container, sandbox: int) -> bool:
        """Whether its latest run is in this sandbox."""
        run = self.seen.of(container.name)
        return run.state != NONE and run.sandbox == sandbox

    def keep(self, container: Container, sandbox: int) -> None:
        """It runs, or will: it is started, restarted, stopped if it is ill, probed."""
        run = self.seen.of(container.name)
        if not self.look_after(container, sandbox):
            return
        if run.state in (NONE, CREATED):
            self.start(container, sandbox)
        elif run.state == EXITED and run.ended:
            again = restarts(self.spec, container, run.ended)
            # A new sandbox wants each init container once more, whatever came of it before.
            if again or (run.sandbox != sandbox and container in self.spec.initContainers):
                self.start(container, sandbox)

    def start(self, container: Container, sandbox: int) -> None:
        """Starts it, if its time has come."""
        run, at = self.seen.of(container.name), self.now
        number, streak = run.restarts, run.streak
        if run.state == EXITED and run.ended:
            ended = run.ended
            at = next_start(run.streak, ended.startedAt, ended.finishedAt, self.now)
            number, streak = number + 1, next_streak(run.streak, ended.startedAt, ended.finishedAt)
        if run.problem:
            at = max(at, next_try(run.problem.tries, run.problem.at, self.now))
        if self.is_due(at):
            self.actions.append(
                StartContainer(name=container.name, sandbox=sandbox, restarts=number, streak=streak)
            )

    def look_after(self, container: Container, sandbox: int) -> bool:
        """Its hook, its probes, its stop, while it runs; False if it is being stopped."""
        run = self.seen.of(container.name)
        if run.state not in PRESENT:
            return True
        ill = health.illness(container, run) if run.state == RUNNING else None
        if run.sandbox != sandbox:
            ill = (SANDBOX, "The sandbox of the container died", None)
        if run.stopping or ill:
            why, message, probe = ill or ("", "", None)
            length = grace(self.spec, probe)
            self.stop(container, Stopping(since=self.now, grace=length, reason=why, message=message))
            return False
        if run.state == RUNNING and not health.is_up(container, run):
            if not run.postStart:
                self.actions.append(RunPostStart(name=container.name))
            self.hooks.append(container.name)
        self.probing += [(container.name, kind) for kind in health.probes(container, run)]
        return True

    def mind_the_deadline(self) -> None:
        limit = deadline_of_pod(self.spec, self.seen)
        if limit is not None:
            self.times.append(limit)

    def is_due(self, at: float) -> bool:
        """Whether ``at`` has come; else it is looked again then."""
        if at > self.now:
            self.times.append(at)
        return at <= self.now
