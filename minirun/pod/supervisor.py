"""The supervisor: looks, decides, does; as long as time has to pass for the pod, and no longer.

Layer: pod. Its life is a loop, and between any two deeds of it it may be killed:

    take up what users wish for -> look -> decide -> do, until nothing is to be done
    wait: until a program ends, a hook or a probe goes on, somebody tells, the time has come

Read ``supervise.py`` first, for who becomes one; ``decide.py`` for the rules,
``deeds.py`` for the deeds, ``care.py`` for hooks and probes.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import os
import select
import time

from minirun.container import create
from minirun.pod import joined
from minirun.pod.care import Care
from minirun.pod.decide import decide
from minirun.pod.deeds import Deeds
from minirun.pod.locks import close_mine, mine_alone
from minirun.pod.observe import extended, look, take_over
from minirun.pod.observed import ALIVE, PRESENT, STARTING, Observed
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.pod.decide import Decision
    from minirun.pod.manifest.types import PodSpec
    from minirun.pod.state import PodHome, PodRecord, Wishes

    Until = Callable[[PodSpec, Observed, Decision], bool]

#: While a program has ended and its monitor is about to record it; seconds.
_SOON = 0.005
#: How often volumes are measured that have a sizeLimit; seconds.
_MEASURED_EVERY = 10.0


def is_needed(spec: PodSpec, seen: Observed, decision: Decision) -> bool:
    """Whether somebody has to stay with the pod."""
    return decision.needs_supervisor or _is_measured(spec, seen) or _is_being_made(seen)


def _is_being_made(seen: Observed) -> bool:
    """Whether the child of a killed supervisor is at work still; it may take back what it has made."""
    return any(one.state == STARTING and not one.joined for one in seen.containers.values())


def _is_measured(spec: PodSpec, seen: Observed) -> bool:
    """Whether it has a volume that may grow too large."""
    alive = seen.sandbox is not None and seen.sandbox.state == ALIVE and not seen.phase
    return alive and any(
        each.emptyDir and each.emptyDir.sizeLimit and not each.emptyDir.medium for each in spec.volumes
    )


class Supervisor:
    """Looks after one pod. The caller holds supervisor.lock."""

    def __init__(self, home: PodHome, record: PodRecord | None = None) -> None:
        """``record`` is the pod's, for who makes it: its progress is stored once, at the end."""
        self.stores = record is None
        record = record or home.record()
        self.home = home
        self.progress = home.progress()
        self.socket = _listen(home)
        self.measured = 0.0
        spec = extended(record.pod.spec, self.progress)
        self.deeds = Deeds(home, record, spec, take_over(self.progress.seen), self._save)
        self.care = Care(home, self.deeds)
        self.deeds.begin_hook = self.care.begin_hook

    def run(self, until: Until | None) -> tuple[bool, bool]:
        """Until ``until`` is so, or nothing is left to do: whether it is, and whether something is left."""
        try:
            while True:
                self.home.take_wishes(self._take)
                decision = self._decide()
                needed = is_needed(self.deeds.spec, self.deeds.seen, decision)
                if until and until(self.deeds.spec, self.deeds.seen, decision):
                    self._stop_listening()
                    return True, needed or self._was_told()
                if decision.actions:
                    self.deeds.do(decision.actions)
                elif needed:
                    self._wait(decision.look_again_at)
                else:
                    self._stop_listening()
                    if not self._was_told() and not self.home.has_wishes():
                        return False, False
                    close_mine(self.socket.detach())
                    self.socket = _listen(self.home)
        finally:
            self.care.close()
            self._stop_listening()
            close_mine(self.socket.detach())

    def _decide(self) -> Decision:
        deeds, now = self.deeds, time.time()
        before = deeds.seen
        deeds.seen = look(self.home, deeds.seen)
        self._forget_removed()
        self.care.go_on(now)
        self._measure()
        if deeds.seen != before:
            deeds.save()
            self._tell(before, now)
        return decide(deeds.spec, deeds.seen, now)

    def _tell(self, before: Observed, now: float) -> None:
        """Events for what has happened since the last look: ends, and whether it is waited then."""
        from minirun.pod import events, history

        record = self.deeds.record
        pod = f"{record.name}_{record.namespace}({record.uid})"
        happened = tuple(history.between(self.deeds.spec, before, self.deeds.seen, now, pod))
        if happened:
            events.note_all(self.home, *happened)

    def _forget_removed(self) -> None:
        """What a command had put into the pod, and somebody has removed."""
        deeds = self.deeds
        gone = joined.removed(self.home.store, deeds.seen)
        if gone:
            self.progress = joined.without(replace(self.progress, seen=deeds.seen), gone)
            deeds.seen = self.progress.seen
            deeds.spec = extended(deeds.record.pod.spec, self.progress)

    def _measure(self) -> None:
        """A pod whose emptyDir has grown too large is evicted."""
        seen = self.deeds.seen
        if not _is_measured(self.deeds.spec, seen) or time.monotonic() < self.measured + _MEASURED_EVERY:
            return
        self.measured = time.monotonic()
        from minirun.pod import volumes  # so that a pod without them does not pay for them

        excess = volumes.over_limit(self.deeds.volumes())
        if excess and not seen.eviction:
            self.deeds.seen = replace(seen, eviction=excess)
            self.deeds.event("Warning", "Evicted", excess)

    def _save(self, seen: Observed) -> None:
        self.progress = replace(self.progress, seen=seen)
        if self.stores:
            self.home.write_progress(self.progress)

    def _take(self, wishes: Wishes) -> None:
        """What users have asked for becomes a part of what is seen."""
        deeds = self.deeds
        seen = deeds.seen
        ephemeral = self.progress.ephemeral
        if wishes.begin and seen.phase:
            # What the manifest says, and no more.
            seen, ephemeral = Observed(createdAt=seen.createdAt, startedAt=time.time()), ()
        if wishes.deletion:
            old, new = seen.deletion, wishes.deletion
            if old and not new.force and old.at + old.grace < new.at + new.grace:
                new = old  # a grace period can be made shorter only
            seen = replace(seen, deletion=new)
        if wishes.data:
            from minirun.pod import renew  # rarely needed

            renew.take_up(deeds, wishes.data)
        self.progress = replace(self.progress, seen=seen, ephemeral=ephemeral)
        for one in wishes.joined:
            self.progress = joined.taken_up(self.progress, one)
        deeds.spec = extended(deeds.record.pod.spec, self.progress)
        deeds.seen = self.progress.seen
        deeds.save()

    # --- waiting ------------------------------------------------------------

    def _wait(self, until: float | None) -> None:
        times = self.care.times()
        if until is not None:
            times.append(until - time.time())
        if _is_measured(self.deeds.spec, self.deeds.seen):
            times.append(self.measured + _MEASURED_EVERY - time.monotonic())
        poll = select.poll()
        for fd in (self.socket.fileno(), *self.care.descriptors()):
            poll.register(fd, select.POLLIN)
        ends, dying = self._ends()
        if dying:
            times.append(_SOON)
        try:
            for fd in ends:
                poll.register(fd, select.POLLIN)
            patience = max(0.0, min(times)) * 1000 + 1 if times else None
            for fd, _ in poll.poll(patience):
                if fd in ends:
                    from minirun.container import wait

                    wait.until_recorded(self.home.store.container(ends[fd]))
        finally:
            for fd in ends:
                os.close(fd)
        create.reap()
        self._was_told()

    def _ends(self) -> tuple[dict[int, str], bool]:
        """Descriptors that are readable when a container has ended; whether one is about to be recorded."""
        found: dict[int, str] = {}
        dying = False
        seen = self.deeds.seen
        ids = [one.id for one in seen.containers.values() if one.state in PRESENT and one.id]
        if seen.sandbox and seen.sandbox.state == ALIVE:
            ids.append(seen.sandbox.id)
        for id in ids:
            pid = self.home.store.container(id).live_pid()
            try:
                found[os.pidfd_open(pid) if pid else -1] = id
            except ProcessLookupError:
                dying = True
        dying = dying or -1 in found
        found.pop(-1, None)
        return found, dying

    def _was_told(self) -> bool:
        """Whether somebody has told since this was asked last."""
        told = False
        while True:
            try:
                self.socket.recv(16)
                told = True
            except BlockingIOError:
                return told

    def _stop_listening(self) -> None:
        """Who wants to tell something finds nobody now, and looks after the pod itself."""
        try:
            os.unlink(f"{self.home.runtime}/supervisor.sock")
        except FileNotFoundError:
            return


def _listen(home: PodHome) -> _socket.socket:
    """The supervisor's ear; a path through /proc, for sun_path holds 108 bytes only (unix(7))."""
    os.makedirs(home.runtime, 0o700, exist_ok=True)
    place = os.open(home.runtime, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    try:
        try:
            os.unlink("supervisor.sock", dir_fd=place)  # of one that was killed
        except FileNotFoundError:
            pass
        sock.bind(f"/proc/self/fd/{place}/supervisor.sock")
    finally:
        os.close(place)
    mine_alone(sock.fileno())
    return sock
