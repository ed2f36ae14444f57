"""Doing what was decided: one method for each action, and what is seen of it afterwards.

Layer: pod. A deed changes the world and notes it in what is seen (observed.py);
the supervisor stores that at once, so who follows a killed supervisor finds it
done, or undone, never half: what was begun and not noted is found by looking
(observe.py), or is swept with the container that was not finished.
Read ``supervise.py`` next.
"""

from __future__ import annotations

import time

from minirun.container import kill, remove, wait
from minirun.container.signals import number
from minirun.errors import MinirunError
from minirun.pod import events, member, node, sandbox
from minirun.pod.actions import (
    Finish,
    KillContainer,
    MakeSandbox,
    RunPostStart,
    RunPreStop,
    SignalContainer,
    StartContainer,
    StopContainer,
    StopSandbox,
)
from minirun.pod.environment import CreateContainerConfigError
from minirun.pod.locks import Alone
from minirun.pod.observe import LOST
from minirun.pod.observed import (
    ALIVE,
    GONE,
    RUNNING,
    STARTING,
    Problem,
    Sandbox,
    Seen,
)
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from minirun.container.prepare import Prepared
    from minirun.container.state import Home
    from minirun.pod.actions import Action
    from minirun.pod.downward import Context
    from minirun.pod.manifest.types import Container, PodSpec
    from minirun.pod.observed import Ended, Observed
    from minirun.pod.state import PodHome, PodRecord
    from minirun.pod.volumes import VolumePlan

#: Waiting reasons, by what kept a container from being made.
_REASONS = {
    CreateContainerConfigError: "CreateContainerConfigError",
    member.ErrImageNeverPull: "ErrImageNeverPull",
}
#: What the container layer refuses.
_NOT_MADE = "CreateContainerError"


class Deeds:
    """Does actions for one pod. ``seen`` is what is seen, and changes with each deed."""

    def __init__(
        self,
        home: PodHome,
        record: PodRecord,
        spec: PodSpec,
        seen: Observed,
        save: Callable[[Observed], None],
    ) -> None:
        self.home = home
        self.record = record
        self.spec = spec
        self.seen = seen
        self._save = save
        self.begin_hook: Callable[[str, str, float | None], None]
        """Begins a hook of a container, for at most so many seconds: somebody else's to follow (care.py)."""

    def do(self, actions: Iterable[Action]) -> None:
        """Does them in order, and notes each. Containers that start together do not wait for each other."""
        starting: list[Iterator[None]] = []
        for action in actions:
            if isinstance(action, StartContainer):
                starting.append(self._start(action))
                next(starting[-1], None)
            else:
                self._go_on(starting)
                getattr(self, f"_{type(action).__name__}")(action)
                self.save()
        self._go_on(starting)

    def _go_on(self, starting: list[Iterator[None]]) -> None:
        """Waits for those that have been begun."""
        while starting:
            next(starting.pop(0), None)
            self.save()

    def save(self) -> None:
        """Stores what is seen."""
        self._save(self.seen)

    def note(self, name: str, **changes: object) -> None:
        """Changes what is seen of one container."""
        one = replace(self.seen.of(name), **changes)
        self.seen = replace(self.seen, containers={**self.seen.containers, name: one})

    # --- the sandbox --------------------------------------------------------

    def _MakeSandbox(self, action: MakeSandbox) -> None:
        old = self.seen.sandbox
        if old and old.id:
            sandbox.end(self.home.store.container(old.id))
        try:
            made, addresses = sandbox.make(self.home, self.record)
        except (MinirunError, OSError) as error:
            self._has_no_sandbox("FailedCreatePodSandBox", error)
            return
        try:
            # Once for all runs in this sandbox. Those in memory are gone after a reboot, as it is.
            self._make_volumes(made)
        except (MinirunError, OSError) as error:
            sandbox.end(made)
            self._has_no_sandbox("FailedMount", error)
            return
        now = time.time()
        self.seen = replace(
            self.seen,
            problem=None,
            startedAt=self.seen.startedAt or now,
            sandbox=Sandbox(
                attempt=action.attempt,
                state=ALIVE,
                streak=action.streak,
                since=now,
                id=made.id,
                addresses=addresses,
            ),
        )
        self.event("Normal", "SandboxCreated", f"the pod's addresses are {', '.join(addresses) or 'none'}")

    def _make_volumes(self, lender: Home) -> None:
        if self.spec.volumes:
            from minirun.pod import volumes  # so that a pod without volumes does not pay for them

            volumes.make(self.volumes(lender))

    def _has_no_sandbox(self, kind: str, error: MinirunError | OSError) -> None:
        self.seen = replace(self.seen, problem=events.problem_of(self.seen.problem, kind, error))
        self.event("Warning", kind, events.said(error))

    def _StopSandbox(self, _: StopSandbox) -> None:
        one = self.seen.sandbox
        if one is None:
            return
        sandbox.end(self.home.store.container(one.id))
        self.seen = replace(self.seen, sandbox=replace(one, state=GONE, endedAt=one.endedAt or time.time()))
        self.event("Normal", "SandboxStopped", "its namespaces and addresses are given back")

    # --- containers ---------------------------------------------------------

    def _start(self, action: StartContainer) -> Iterator[None]:
        """Has its process made; comes back then, and goes on when it is to be waited for."""
        before = self.seen.of(action.name)
        if before.state == "created":
            self._open_gate(before)
            return
        container = self.container(action.name)
        self._forget(before.last)
        self._bury(before.ended)
        starting = Seen(
            state=STARTING,
            sandbox=action.sandbox,
            restarts=action.restarts,
            streak=action.streak,
            startedAt=time.time(),
            last=before.ran,
        )
        problem = before.problem
        self.note(action.name, **{field: getattr(starting, field) for field in Seen.__fields__})
        wish = member.Member(
            record=self.record,
            container=container,
            sandbox=self.seen.sandbox.id if self.seen.sandbox else "",
            context=self.context(),
            attempt=action.restarts,
        )
        try:
            with member.prepared(self.home, wish) as made:
                self.note(action.name, id=made.home.id, imageID=made.record.imageId)
                self.save()
                yield from self._launch(made)
        except (MinirunError, OSError) as error:
            self._did_not_start(container, before, problem, error)
            return
        self.note(action.name, state=RUNNING)
        self.event("Normal", "Started", f"container {action.name}")

    def _launch(self, made: Prepared) -> Iterator[None]:
        client = member.begin(made)
        try:
            with Alone(made.lock.fd, client.fileno()):  # the next one's processes are not to hold them
                yield
            member.until_started(client)
        finally:
            client.close()

    def _did_not_start(
        self, container: Container, before: Seen, problem: Problem | None, error: MinirunError | OSError
    ) -> None:
        name = container.name
        now = self.seen.of(name)
        home = self.home.store.container(now.id) if now.id else None
        if home and home.exists():
            # Its program could not be executed: it is there, and has ended.
            wait.until_recorded(home)
            self.event("Warning", "Failed", f"container {name}: {events.said(error)}")
            return
        # There is no container, so nothing has ended: whatever its policy, it waits to be made.
        kind = next((word for known, word in _REASONS.items() if isinstance(error, known)), _NOT_MADE)
        again = replace(before, problem=events.problem_of(problem, kind, error))
        self.note(name, **{field: getattr(again, field) for field in Seen.__fields__})
        self.event("Warning", kind, f"container {name}: {events.said(error)}")

    def _open_gate(self, seen: Seen) -> None:
        from minirun.container import start

        try:
            client, _ = start.start(self.home.store.container(seen.id))
        except MinirunError:
            return  # its maker's child has taken it back, or it runs by now: the next look tells
        try:
            start.wait_started(client)
        except MinirunError:
            pass  # it is recorded as its end
        finally:
            client.close()

    def _forget(self, ended: Ended | None) -> None:
        """Removes the container of the run before the last: one end is kept, for `logs --previous`."""
        if ended and ended.id:
            home = self.home.store.container(ended.id)
            if home.exists():
                remove.remove(home, force=True, volumes=True)

    def _bury(self, ended: Ended | None) -> None:
        """Ends what may be left of a run whose end nobody saw: it stays, for `logs --previous`."""
        if ended and ended.id and ended.reason == LOST:
            from minirun.container import gc  # rarely needed, and it imports a lot

            gc.sweep(self.home.store.container(ended.id))

    def _StopContainer(self, action: StopContainer) -> None:
        self.note(action.name, stopping=action.stopping)
        self.event("Normal", "Killing", f"container {action.name}: {action.stopping.reason}")

    def _SignalContainer(self, action: SignalContainer) -> None:
        one = self.seen.of(action.name)
        self._stopping(action.name, signalledAt=time.time())
        home = self._home(one)
        if home is None:
            return
        record = home.record()
        signal = number(action.signal) if action.signal else record.stopSignal
        try:
            kill.kill(home, signal)
        except MinirunError:
            return  # it has ended

    def _KillContainer(self, action: KillContainer) -> None:
        one = self.seen.of(action.name)
        self._stopping(action.name, killedAt=time.time())
        home = self._home(one)
        if home is not None:
            kill.end(home)
            if home.status() == "created":
                remove.remove(home, force=True, volumes=True)

    def _RunPostStart(self, action: RunPostStart) -> None:
        self.note(action.name, postStart=RUNNING)
        self.begin_hook(action.name, "postStart", None)

    def _RunPreStop(self, action: RunPreStop) -> None:
        self._stopping(action.name, preStop=RUNNING)
        self.begin_hook(action.name, "preStop", action.seconds)

    def _Finish(self, action: Finish) -> None:
        self.seen = replace(self.seen, phase=action.phase, reason=action.reason, message=action.message)
        self.event("Normal", action.phase, action.reason)

    # --- what they need -----------------------------------------------------

    def context(self) -> Context:
        """What the pod's manifest may refer to."""
        return node.context_of(self.record, self.seen.sandbox.addresses if self.seen.sandbox else ())

    def volumes(self, lender: Home | None = None) -> VolumePlan:
        """The pod's volumes; ``lender`` is the sandbox they are for, by default the one that it has."""
        if lender is None and self.seen.sandbox:
            lender = self.home.store.container(self.seen.sandbox.id)
        first_id = sandbox.first_id(lender, self.spec) if lender else 0
        return member.volume_plan(self.home, self.record, self.context(), first_id)

    def container(self, name: str) -> Container:
        """What the manifest says of it."""
        spec = self.spec
        everybody = (*spec.containers, *spec.initContainers, *spec.ephemeralContainers)
        return next(one for one in everybody if one.name == name)

    def _home(self, seen: Seen) -> Home | None:
        home = self.home.store.container(seen.id) if seen.id else None
        return home if home and home.exists() else None

    def _stopping(self, name: str, **changes: object) -> None:
        stopping = self.seen.of(name).stopping
        if stopping:
            self.note(name, stopping=replace(stopping, **changes))

    def event(self, kind: str, word: str, message: str) -> None:
        """One more line of `pod events`."""
        events.note(self.home, kind, word, message)
