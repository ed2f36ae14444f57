"""Doing what was decided: one method for each action, and what is seen of it afterwards.

Layer: pod. A deed changes the world and notes it in what is seen (observed.py);
the supervisor stores that at once, so who follows a killed supervisor finds it
done, or undone, never half: what was begun and not noted is found by looking
(observe.py), or is swept with the container that was not finished.
Read ``supervise.py`` next.
"""

from __future__ import annotations

import time

from minirun.container import kill, remove
from minirun.container.signals import number
from minirun.errors import MinirunError
from minirun.pod import events, node, sandbox
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
from minirun.pod.observed import ALIVE, GONE, RUNNING, Sandbox
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from minirun.container.state import Home
    from minirun.pod.actions import Action
    from minirun.pod.downward import Context
    from minirun.pod.manifest.types import Container, PodSpec
    from minirun.pod.observed import Observed, Seen
    from minirun.pod.state import PodHome, PodRecord
    from minirun.pod.volumes import VolumePlan


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
        self.put(name, replace(self.seen.of(name), **changes))

    def put(self, name: str, one: Seen) -> None:
        """Puts one container in the place of what was seen of it."""
        self.seen = replace(self.seen, containers={**self.seen.containers, name: one})

    # --- the sandbox --------------------------------------------------------

    def _MakeSandbox(self, action: MakeSandbox) -> None:
        old = self.seen.sandbox
        if old and not self.seen.problem:
            self.event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        if old and old.id:
            sandbox.end(self.home.store.container(old.id))
        try:
            made, addresses = sandbox.make(self.home, self.record, meanwhile=_get_ready)
        except (MinirunError, OSError) as error:
            self._has_no_sandbox("FailedCreatePodSandBox", error, "Failed to create pod sandbox: ")
            return
        try:
            # Once for all runs in this sandbox. Those in memory are gone after a reboot, as it is.
            self._make_volumes()
        except (MinirunError, OSError) as error:
            sandbox.end(made)
            self._has_no_sandbox("FailedMount", error)
            return
        now = time.time()
        self.seen = replace(
            self.seen,
            problem=None,
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

    def _make_volumes(self) -> None:
        if self.spec.volumes:
            from minirun.pod import volumes  # so that a pod without volumes does not pay for them

            volumes.make(self.volumes())

    def _has_no_sandbox(self, kind: str, error: MinirunError | OSError, lead: str = "") -> None:
        self.seen = replace(self.seen, problem=events.problem_of(self.seen.problem, kind, error))
        self.event("Warning", kind, lead + events.said(error))

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
        from minirun.pod import begin  # who only ends one does not pay for it

        return begin.begin(self, action)

    def _StopContainer(self, action: StopContainer) -> None:
        from minirun.pod import history  # so that a start does not pay for it

        self.note(action.name, stopping=action.stopping)
        events.note_all(self.home, history.killing(self.spec, self.container(action.name), action))

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
        from minirun.pod import history

        events.note_all(self.home, *history.finished(action))

    # --- what they need -----------------------------------------------------

    def context(self) -> Context:
        """What the pod's manifest may refer to."""
        return node.context_of(self.record, self.seen.sandbox.addresses if self.seen.sandbox else ())

    def volumes(self) -> VolumePlan:
        """The pod's volumes."""
        from minirun.pod import member

        return member.volume_plan(self.home, self.record, self.context())

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

    def event(self, kind: str, word: str, message: str, container: str = "") -> None:
        """One more line of `pod events`."""
        events.note(self.home, kind, word, message, container)


def _get_ready() -> object:
    """Imports what the members need, while others are at work on the sandbox: then it costs no time."""
    from minirun.container import shared
    from minirun.pod import begin, history

    return shared, begin, history
