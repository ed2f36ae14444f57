"""Care: the hooks and the probes of a pod's containers, as long as they run.

Layer: pod. A hook or a probe is a conversation (probes/conversation.py), so one
process has all of them going beside whatever else it does; what comes of them is
noted in what is seen, and decide.py draws the conclusions. ``supervisor.py`` calls
this at each look.
"""

from __future__ import annotations

import os
import time

from minirun.container.files import parse, read, write_json
from minirun.container.options import ExecOptions
from minirun.errors import MinirunError
from minirun.pod.health import LIVENESS_PROBE, READINESS_PROBE, STARTUP_PROBE, is_up
from minirun.pod.observed import DONE, FAILED, RUNNING
from minirun.pod.probes.conversation import Conversations
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.pod.deeds import Deeds
    from minirun.pod.manifest.types import PodSpec
    from minirun.pod.probes.command import Started
    from minirun.pod.probes.conversation import ProbeResult
    from minirun.pod.probes.prober import Counted, Prober
    from minirun.pod.state import PodHome

_KINDS = (STARTUP_PROBE, LIVENESS_PROBE, READINESS_PROBE)


class Care:
    """What is going on between the supervisor and the pod's programs. ``deeds`` has what is seen."""

    def __init__(self, home: PodHome, deeds: Deeds) -> None:
        self.home = home
        self.deeds = deeds
        self.hooks = Conversations()
        self.prober: Prober | None = None
        self.kept: dict[str, Counted] = {}
        """How the probes stood when that was written down last."""

    def go_on(self, now: float) -> None:
        """Lets all go on that can, and notes what has come of them; never waits."""
        for (name, hook), result in self.hooks.step(time.monotonic()):
            self._hook_ended(name, hook, result)
        self._follow_probes(now)

    def times(self) -> list[float]:
        """In how many seconds one of them has to go on."""
        found = []
        if (at := self.hooks.next()) is not None:
            found.append(at - time.monotonic())
        if self.prober and (due := self.prober.step(time.time())) is not None:
            found.append(due - time.time())
        return found

    def descriptors(self) -> list[int]:
        """Readable when one of them can go on."""
        return [self.hooks.fileno(), *([self.prober.fileno()] if self.prober else [])]

    def close(self) -> None:
        """Ends all of them: programs are killed."""
        self.hooks.close()
        if self.prober:
            self.prober.close()

    def begin_hook(self, name: str, hook: str, seconds: float | None) -> None:
        """Begins ``postStart`` or ``preStop`` of a container; nobody waits for it longer than ``seconds``."""
        container = self.deeds.container(name)
        handler = getattr(container.lifecycle, hook) if container.lifecycle else None
        if handler is not None:
            from minirun.pod import handlers  # so that a pod without hooks does not pay for them

            talk = handlers.talk(handler, container, self._address(), self._execute)
            self.hooks.begin((name, hook), talk, time.monotonic(), seconds)

    def _hook_ended(self, name: str, hook: str, result: ProbeResult) -> None:
        outcome = DONE if result.success else FAILED
        one = self.deeds.seen.of(name)
        if hook == "postStart":
            if one.postStart == RUNNING:
                self.deeds.note(name, postStart=outcome, postStartAt=time.time())
        elif one.stopping:
            self.deeds.note(name, stopping=replace(one.stopping, preStop=outcome))
        if not result.success:
            word = "FailedPostStartHook" if hook == "postStart" else "FailedPreStopHook"
            said = f"{word.removeprefix('Failed')} failed: {result.message}"
            self.deeds.event("Warning", word, said, name)

    def _follow_probes(self, now: float) -> None:
        deeds = self.deeds
        spec, seen = deeds.spec, deeds.seen
        probed = [
            one
            for one in (*spec.initContainers, *spec.containers)
            if one.startupProbe or one.livenessProbe or one.readinessProbe
        ]
        if not probed:
            return
        from minirun.pod.probes.prober import Up

        prober = self._prober_of(spec)
        up = {
            one.name: Up(id=seen.of(one.name).id, startedAt=seen.of(one.name).startedAt)
            for one in probed
            if is_up(one, seen.of(one.name))
        }
        prober.follow(up, now, deleting=seen.deletion is not None)
        prober.step(now)
        for answer in prober.answers():
            if not answer.result.success:
                said = f"{answer.kind.capitalize()} probe failed: {answer.result.message}"
                deeds.event("Warning", "Unhealthy", said, answer.container)
        for (name, kind), outcome in prober.results.items():
            if kind in _KINDS and getattr(seen.of(name), kind) != outcome:
                deeds.note(name, **{kind: outcome})
        self._leave(prober)

    def _prober_of(self, spec: PodSpec) -> Prober:
        """Of the sandbox that there is; it goes on where that of a killed supervisor was."""
        from minirun.pod.probes.prober import Prober, Standing

        address = self._address()
        if self.prober is None or self.prober.address != address:
            if self.prober:
                self.prober.close()
            raw = read(self._standing)
            self.kept = parse(raw, Standing, self._standing).containers if raw else {}
            self.prober = Prober(spec, address, self._execute, self.kept)
        return self.prober

    def _leave(self, prober: Prober) -> None:
        """Writes down how the probes stand, for whoever comes next."""
        from minirun.pod.probes.prober import Standing

        if prober.counts != self.kept:
            self.kept = dict(prober.counts)
            write_json(self._standing, Standing(containers=self.kept))

    @property
    def _standing(self) -> str:
        return f"{self.home.runtime}/probes.json"

    def _address(self) -> str:
        sandbox = self.deeds.seen.sandbox
        return sandbox.addresses[0] if sandbox and sandbox.addresses else "127.0.0.1"

    def _execute(self, name: str, command: tuple[str, ...]) -> Started:
        return execute(self.home, self.deeds.seen.of(name).id, command)


def execute(home: PodHome, id: str, command: tuple[str, ...]) -> Started:
    """Starts a program in a container; its output goes into a pipe. Raises MinirunError."""
    from minirun.container import execute as programs
    from minirun.container.guest import process_of
    from minirun.pod.probes.command import Started

    container = home.store.container(id)
    record = container.record()
    options = ExecOptions(container=id, command=command)
    spec = replace(record.spec, process=process_of(container, record.spec, options))
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        guest = programs.execute(container, spec, stdin=False, output=False, into=writing)
    except (MinirunError, OSError):
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Started(pid=guest.pid, output=reading)
