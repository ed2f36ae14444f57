"""A toy world in which a pod lives: it does what the brain decides, and misbehaves in between.

Programs exit when they like, obey the stop signal or do not, probes flip, hooks
hang, images are missing, pause dies, and the supervisor is killed between any
two deeds and replaced. The world keeps books of its own and holds each action
against them: ``do`` is where the rules are checked.
"""

from __future__ import annotations

from minirun.pod import actions, health
from minirun.pod.actions import Action
from minirun.pod.decide import Decision, decide
from minirun.pod.manifest.types import Container, PodSpec
from minirun.pod.observed import (
    CREATED,
    EXITED,
    NONE,
    PRESENT,
    RUNNING,
    STARTING,
    Deletion,
    Ended,
    Observed,
    Probed,
    Problem,
    Sandbox,
    Seen,
)
from minirun.pod.phase import phase
from minirun.values import replace

#: The waits before the first, second ... restart in a row, as the rule has them.
WAITS = (0, 10, 20, 40, 80, 160, 300)


class World:
    """One pod, its containers, and the time."""

    def __init__(self, spec: PodSpec, stubborn: frozenset[str] = frozenset()) -> None:
        self.spec = spec
        self.stubborn = stubborn
        self.now = 1_800_000_000.0
        self.seen = Observed(createdAt=self.now, startedAt=self.now)
        self.decision = Decision()
        self.next_start = "runs"
        self.kill_after = -1
        self.before: dict[str, Seen] = {}
        # our own books
        self.crashes: dict[str, int] = {}
        self.runs: dict[str, int] = {}
        self.was_started: set[str] = set()
        self.everyone: dict[str, Container] = {
            each.name: each for each in (*spec.initContainers, *spec.containers, *spec.ephemeralContainers)
        }
        self.sidecars = {each.name for each in spec.initContainers if each.restartPolicy == "Always"}
        self.tasks = {each.name for each in spec.initContainers} - self.sidecars
        self.apps = {each.name for each in spec.containers}

    # --- the supervisor -----------------------------------------------------

    def settle(self) -> None:
        """Looks, decides and does until there is nothing to do; that comes soon."""
        for _ in range(60):
            self.decision = decide(self.spec, self.seen, self.now)
            assert self.decision == decide(self.spec, self.seen, self.now)
            at = self.decision.look_again_at
            assert at is None or at > self.now, "it would be looked again at once, for ever"
            if not self.decision.actions:
                return
            for action in self.decision.actions:
                if self.kill_after == 0:
                    self.replace_supervisor()
                    break
                self.kill_after -= 1
                self.do(action)
                self.keep_books()
        raise AssertionError(f"there is always something to do: {self.decision}")

    def replace_supervisor(self) -> None:
        """It was killed; the next one finds what is in files and in the kernel."""
        self.kill_after = -1
        for name, run in self.seen.containers.items():
            if run.state == STARTING:
                self.put(name, self.before[name])
                continue
            if run.postStart == "running":
                run = replace(run, postStart="")
            if run.stopping and run.stopping.preStop == "running":
                run = replace(run, stopping=replace(run.stopping, preStop=""))
            self.put(name, run)

    def do(self, action: Action) -> None:
        """Does it, if it may be done."""
        assert not self.seen.phase or isinstance(
            action,
            actions.StopContainer | actions.SignalContainer | actions.KillContainer | actions.StopSandbox,
        ), "the phase is final"
        match action:
            case actions.MakeSandbox():
                self.make_sandbox(action)
            case actions.StopSandbox():
                assert not self.present(), "its members are still there"
                assert self.seen.sandbox
                self.seen = replace(self.seen, sandbox=replace(self.seen.sandbox, state="gone"))
            case actions.StartContainer():
                self.start(action)
            case actions.Finish():
                self.finish(action)
            case _:
                self.to_container(action)

    def make_sandbox(self, action: actions.MakeSandbox) -> None:
        old = self.seen.sandbox
        assert not self.present()
        assert not self.seen.deletion, "nothing is made after deletion"
        assert old is None or old.state == "gone"
        assert action.attempt == (old.attempt + 1 if old else 0)
        if self.next_start == "fails":
            tries = self.seen.problem.tries + 1 if self.seen.problem else 1
            problem = Problem(reason="FailedCreatePodSandBox", at=self.now, tries=tries)
            self.seen = replace(self.seen, problem=problem)
            self.next_start = "runs"
            return
        made = Sandbox(attempt=action.attempt, streak=action.streak, since=self.now)
        self.seen = replace(self.seen, sandbox=made, problem=None)
        self.was_started = set()

    def start(self, action: actions.StartContainer) -> None:
        name, run, sandbox = action.name, self.seen.of(action.name), self.seen.sandbox
        assert not self.seen.deletion, "nothing is started after deletion"
        assert sandbox and sandbox.state == "alive" and action.sandbox == sandbox.attempt
        assert run.state in (NONE, CREATED, EXITED)
        self.check_order(name)
        self.check_restart(name, run)
        if run.problem:
            assert self.now >= run.problem.at + WAITS[min(run.problem.tries, 6)], "tried again too early"
        new = Seen(
            state=RUNNING,
            sandbox=action.sandbox,
            id=f"{name}-{action.restarts}",
            restarts=action.restarts,
            streak=action.streak,
            startedAt=self.now,
            last=run.ended or run.last,
        )
        how, self.next_start = self.next_start, "runs"
        if how == "fails":
            tries = run.problem.tries + 1 if run.problem else 1
            self.put(name, replace(run, problem=Problem(reason="ErrImagePull", at=self.now, tries=tries)))
            return
        assert action.restarts == self.runs.get(name, 0) - (run.state == CREATED)
        self.before[name] = run
        if how == "slow":
            self.put(name, replace(new, state=STARTING))
            return
        self.put(name, replace(new, state=CREATED) if how == "half" else new)
        self.count(name)

    def count(self, name: str) -> None:
        """A run of ``name`` has been made: it may be a restart."""
        before = self.before[name]
        if before.state != CREATED:
            self.runs[name] = self.runs.get(name, 0) + 1
        if before.state == EXITED and before.ended:
            was_well = before.ended.finishedAt - before.ended.startedAt > 600
            self.crashes[name] = 1 if was_well else self.crashes.get(name, 0) + 1

    def check_order(self, name: str) -> None:
        """Rules 8 to 10."""
        if name not in self.apps | self.tasks | self.sidecars:
            return  # an ephemeral one may always
        others = [task for task in self.tasks - {name} if self.seen.of(task).state in PRESENT]
        assert name in self.sidecars or not others, "two init containers at once, or an app beside one"
        sandbox = self.seen.sandbox
        assert sandbox
        for init in self.spec.initContainers:
            if init.name == name:
                break
            run = self.seen.of(init.name)
            if init.name in self.tasks:
                assert health.is_complete(run, sandbox.attempt), f"{name} before {init.name} was done"
            else:
                assert init.name in self.was_started, f"{name} before {init.name} had started"

    def check_restart(self, name: str, run: Seen) -> None:
        """Rule 11, by our own count of crashes."""
        if run.state != EXITED or not run.ended:
            return
        ended = run.ended
        was_well = ended.finishedAt - ended.startedAt > 600
        wait = 0 if was_well else WAITS[min(self.crashes.get(name, 0), 6)]
        assert self.now >= ended.finishedAt + wait, "restarted before its backoff was over"
        container = self.everyone[name]
        assert name in self.everyone.keys() - {each.name for each in self.spec.ephemeralContainers}
        if name in self.apps:
            policy = container.restartPolicy or self.spec.restartPolicy or "Always"
            assert policy != "Never", "Never is never"
            assert policy == "Always" or ended.exitCode or ended.stopped, "it had succeeded"

    def to_container(self, action: Action) -> None:
        name: str = action.name
        run = self.seen.of(name)
        assert run.state in PRESENT
        stopping = run.stopping
        match action:
            case actions.StopContainer():
                assert stopping is None, "noted twice"
                self.put(name, replace(run, stopping=action.stopping))
            case actions.RunPostStart():
                assert run.state == RUNNING and run.postStart == "" and not stopping
                self.put(name, replace(run, postStart="running"))
            case actions.RunPreStop():
                assert stopping and run.state == RUNNING
                assert stopping.preStop == "" and stopping.signalledAt is None
                assert 0 < action.seconds <= stopping.grace
                self.put(name, replace(run, stopping=replace(stopping, preStop="running")))
            case actions.SignalContainer():
                assert stopping and stopping.signalledAt is None, "signalled twice"
                self.check_turn(name, run)
                self.put(name, replace(run, stopping=replace(stopping, signalledAt=self.now)))
            case actions.KillContainer():
                assert stopping and stopping.killedAt is None
                force = self.seen.deletion and self.seen.deletion.force
                if run.state == RUNNING and not force:
                    assert stopping.signalledAt is not None and self.now >= stopping.signalledAt + 2
                self.put(name, replace(run, stopping=replace(stopping, killedAt=self.now)))
                self.end(name, 137)
            case _:
                raise AssertionError(action)

    def check_turn(self, name: str, run: Seen) -> None:
        """Rule 12: a sidecar after the apps, when the whole pod stops; a hook before the signal."""
        stopping = run.stopping
        assert stopping
        until = stopping.since + stopping.grace
        if self.seen.deletion:
            until = min(until, self.seen.deletion.at + self.seen.deletion.grace)
        if health.has_pre_stop(self.everyone[name]) and self.now < until:
            assert stopping.preStop in ("done", "failed"), "its hook was not waited for"
        alone = (
            stopping.reason in ("LivenessProbe", "StartupProbe", "PostStartHook") and not self.seen.deletion
        )
        if name in self.sidecars and not alone and self.now < until:
            assert not any(self.seen.of(each).state in PRESENT for each in self.apps), "before the apps"

    def finish(self, action: actions.Finish) -> None:
        assert not self.present()
        assert self.seen.sandbox is None or self.seen.sandbox.state == "gone"
        assert action.phase in ("Succeeded", "Failed")
        if action.phase == "Succeeded":
            assert all(
                self.seen.of(each).ended and not health.exit_code(self.seen.of(each)) for each in self.apps
            )
        self.seen = replace(self.seen, phase=action.phase, reason=action.reason)

    def keep_books(self) -> None:
        for name in self.sidecars:
            run = self.seen.of(name)
            if health.is_started(self.everyone[name], run):
                self.was_started.add(name)
        if self.seen.phase:
            assert phase(self.spec, self.seen) == self.seen.phase

    # --- what befalls it ----------------------------------------------------

    def put(self, name: str, run: Seen) -> None:
        self.seen = replace(self.seen, containers={**self.seen.containers, name: run})

    def present(self) -> list[str]:
        return [name for name, run in self.seen.containers.items() if run.state in PRESENT]

    def end(self, name: str, code: int) -> None:
        """The program of ``name`` ends; one that never ran is gone."""
        run = self.seen.of(name)
        if run.state == STARTING:
            self.put(name, self.before[name])
            return
        ended = Ended(
            exitCode=code,
            startedAt=run.startedAt,
            finishedAt=self.now,
            stopped=run.stopping.reason if run.stopping else "",
        )
        self.put(name, replace(run, state=EXITED, ended=ended, stopping=None))

    def befall(self, what: str, who: int, how: int) -> None:
        """One event; one that cannot be is none."""
        names = [name for name, run in self.seen.containers.items() if run.state in PRESENT]
        name = names[who % len(names)] if names else ""
        run = self.seen.of(name)
        if what == "exit" and run.state == RUNNING:
            self.end(name, (0, 1, 42, 137)[how % 4])
        elif what == "begin" and run.state == STARTING:
            self.put(name, replace(run, state=RUNNING, startedAt=self.now))
            self.count(name)
        elif what == "probe" and self.decision.probing:
            probed, kind = self.decision.probing[who % len(self.decision.probing)]
            if self.seen.of(probed).state == RUNNING:
                result = Probed(outcome=("success", "failure")[how % 2], since=self.now)
                self.put(probed, replace(self.seen.of(probed), **{kind: result}))
        elif what == "hook":
            self.hook(name, run, ("done", "failed")[how % 2])
        elif what == "trouble":
            self.next_start = ("fails", "slow", "half")[how % 3]
        elif what == "pause dies" and self.seen.sandbox and self.seen.sandbox.state == "alive":
            dead = replace(self.seen.sandbox, state="dead", endedAt=self.now)
            self.seen = replace(self.seen, sandbox=dead)
        elif what == "supervisor dies":
            self.replace_supervisor()
        elif what == "supervisor will die":
            self.kill_after = how % 5
        elif what == "wait":
            self.wait(how)
        self.keep_books()

    def hook(self, name: str, run: Seen, result: str) -> None:
        if run.postStart == "running":
            self.put(name, replace(run, postStart=result, postStartAt=self.now))
        elif run.stopping and run.stopping.preStop == "running":
            self.put(name, replace(run, stopping=replace(run.stopping, preStop=result)))

    def wait(self, how: int) -> None:
        """Time passes: to the moment that was asked for, not as far, or over it."""
        at = self.decision.look_again_at
        length = at - self.now if at is not None else 5.0
        self.now += (
            (length, length / 2, 700.0, 0.5)[how % 4] if how % 4 < 2 or not self.seen.deletion else length
        )
        self.obey()

    def obey(self) -> None:
        """Who was sent the signal and minds it is gone."""
        for name in self.present():
            stopping = self.seen.of(name).stopping
            if stopping and stopping.signalledAt is not None and name not in self.stubborn:
                self.end(name, 0)

    def delete(self, grace: float, force: bool) -> None:
        self.seen = replace(self.seen, deletion=Deletion(at=self.now, grace=grace, force=force))
