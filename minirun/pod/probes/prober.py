"""All probes of a pod, in one process and without threads.

    prober = Prober(spec, address, run_exec)
    while True:
        prober.follow(up, now)           which containers are up: run by run
        when = prober.step(now)          asks who is due, hears who answers
        prober.results[name, kind]       what it came to: observed.Probed
        ... wait until ``when``, or until prober.fileno() is readable

Layer: pod; read last in this package. A supervisor that takes over gives
``counts`` of the one before, and nothing begins anew. Liveness and readiness
are not asked before the startup probe has passed.
"""

from __future__ import annotations

from minirun.pod.health import STARTUP_PROBE
from minirun.pod.observed import SUCCESS, Probed
from minirun.pod.probes import ask, counting
from minirun.pod.probes.conversation import Conversations, ProbeResult
from minirun.pod.probes.counting import Count
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minirun.pod.manifest.types import PodSpec, Probe
    from minirun.pod.probes.command import RunExec


class Up(Value):
    """A container that is up: it runs, and its postStart hook is done."""

    id: str
    """Of each run its own."""
    startedAt: float


class Answered(Value):
    """One answer, for the pod's events."""

    container: str
    kind: str
    result: ProbeResult
    at: float


class Counted(Value):
    """What is written down of a container's probes."""

    id: str
    counts: dict[str, Count] = {}
    """By kind."""


class Standing(Value):
    """How the probes of a pod stand: what one supervisor leaves to the next."""

    containers: dict[str, Counted] = {}


class Prober:
    """Asks the containers of one pod. ``now`` is seconds since the epoch, or any other
    clock as long as it is always that one, with ``Up.startedAt`` on it too."""

    def __init__(
        self, spec: PodSpec, address: str, run_exec: RunExec, counts: Mapping[str, Counted] | None = None
    ) -> None:
        containers = (*spec.initContainers, *spec.containers)
        self._containers = {container.name: container for container in containers}
        self.address = address
        self._run_exec = run_exec
        #: By container: of which run, and how its probes stand. A supervisor may write this down.
        self.counts: dict[str, Counted] = dict(counts or {})
        self._asked: dict[tuple[str, str], float] = {}
        self._talks = Conversations()
        self._answers: list[Answered] = []

    @property
    def results(self) -> dict[tuple[str, str], Probed]:
        """What each probe of each container that is up came to."""
        return {
            (name, kind): count.probed
            for name, counted in self.counts.items()
            for kind, count in counted.counts.items()
        }

    def answers(self) -> list[Answered]:
        """The answers that came since this was asked last."""
        answers, self._answers = self._answers, []
        return answers

    def fileno(self) -> int:
        """Readable when an answer, or a part of one, is there."""
        return self._talks.fileno()

    def follow(self, up: Mapping[str, Up], now: float, deleting: bool = False) -> None:
        """Takes note of which containers are up; ``deleting``: the pod is on its way out."""
        for name in self.counts.keys() - up.keys():
            self._forget(name)
        for name, one in up.items():
            if name in self._containers and (name not in self.counts or self.counts[name].id != one.id):
                self._forget(name)
                probes = counting.of(self._containers[name])
                counts = {kind: counting.first(kind, probe, one.startedAt) for kind, probe in probes.items()}
                self.counts[name] = Counted(id=one.id, counts=counts)
        if deleting:
            self._let_go(now)

    def step(self, now: float) -> float | None:
        """Hears who has answered, asks who is due; never waits.

        Gives when it has to be called again at the latest: ``now`` as long as there are ``answers``
        that nobody has taken; None: not before ``fileno`` is readable.
        """
        while True:
            for (name, kind), result in self._talks.step(now):
                self._record(name, kind, result, now)
            due = [key for key, at in self._next().items() if at <= now]
            if not due:
                break
            for name, kind in due:
                self._ask(name, kind, now)
        if self._answers:
            return now
        times = [at for at in (self._talks.next(), *self._next().values()) if at is not None]
        return min(times, default=None)

    def close(self) -> None:
        """Gives up what is under way."""
        self._talks.close()

    def _next(self) -> dict[tuple[str, str], float]:
        """When each probe is asked next, of those that may be and are not being asked."""
        times: dict[tuple[str, str], float] = {}
        for name, counted in self.counts.items():
            startup = counted.counts.get(STARTUP_PROBE)
            started = startup is None or startup.probed.outcome == SUCCESS
            for kind, count in counted.counts.items():
                may = started or kind == STARTUP_PROBE
                if may and count.next is not None and (name, kind) not in self._asked:
                    times[name, kind] = count.next
        return times

    def _ask(self, name: str, kind: str, now: float) -> None:
        container, probe = self._containers[name], self._probe(name, kind)
        self._asked[name, kind] = now
        talk = ask.talk(probe, container, self.address, self._run_exec)
        self._talks.begin((name, kind), talk, now, counting.seconds(probe))

    def _record(self, name: str, kind: str, result: ProbeResult, now: float) -> None:
        asked = self._asked.pop((name, kind))
        count = self.counts[name].counts[kind]
        self._put(name, kind, counting.recorded(kind, self._probe(name, kind), count, result, asked, now))
        self._answers.append(Answered(container=name, kind=kind, result=result, at=now))

    def _let_go(self, now: float) -> None:
        for name, counted in self.counts.items():
            for kind, count in counted.counts.items():
                gone = counting.let_go(kind, count, now)
                if gone is not count and count.next is not None:
                    self._drop(name, kind)
                    self._put(name, kind, gone)

    def _put(self, name: str, kind: str, count: Count) -> None:
        counted = self.counts[name]
        self.counts[name] = Counted(id=counted.id, counts={**counted.counts, kind: count})

    def _forget(self, name: str) -> None:
        """The run is over, and so is what was asked of it."""
        if counted := self.counts.pop(name, None):
            for kind in counted.counts:
                self._drop(name, kind)

    def _drop(self, name: str, kind: str) -> None:
        self._talks.drop((name, kind))
        self._asked.pop((name, kind), None)

    def _probe(self, name: str, kind: str) -> Probe:
        return counting.of(self._containers[name])[kind]
