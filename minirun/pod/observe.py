"""Looking: what is stored of a pod, and what its containers say of themselves now.

Layer: pod. The supervisor stores what it has done (state.py); whether a program
still runs, and how it ended, is asked of the container layer at each look. So
whoever looks first after a crash sees the same as whoever had been looking all
the time. Read ``observed.py`` for the nouns, ``decide.py`` for what follows.
"""

from __future__ import annotations

import os
import time

from minirun.container.locks import Lock, is_looked_after
from minirun.errors import MinirunError
from minirun.pod.observed import ALIVE, CREATED, DEAD, EXITED, NONE, PRESENT, RUNNING, STARTING, Ended
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.container.state import Exit, Home, Store
    from minirun.pod.manifest.types import PodSpec
    from minirun.pod.observed import Observed, Sandbox, Seen
    from minirun.pod.state import PodHome, Progress

#: The most that a termination message can have, in bytes; of a log, and in lines.
MESSAGE, LOG_BYTES, LOG_LINES = 4096, 2048, 80
#: How a program is recorded that could not be executed, and one whose end nobody saw; as in Kubernetes.
START_ERROR, UNKNOWN = 128, 255
LOST = "ContainerStatusUnknown"


def look(home: PodHome, seen: Observed) -> Observed:
    """``seen`` as it is now."""
    containers = {name: _container(home, name, one) for name, one in seen.containers.items()}
    return replace(seen, containers=containers, sandbox=_sandbox(home.store, seen.sandbox))


def spec_of(home: PodHome, progress: Progress) -> PodSpec:
    """The pod's spec, with the containers that `pod debug` added."""
    return extended(home.record().pod.spec, progress)


def extended(spec: PodSpec, progress: Progress) -> PodSpec:
    """``spec`` with those containers."""
    if not progress.ephemeral:
        return spec
    return replace(spec, ephemeralContainers=(*spec.ephemeralContainers, *progress.ephemeral))


def take_over(seen: Observed) -> Observed:
    """What a new supervisor makes of the word of one that was killed: its hooks died with it."""

    def forgotten(one: Seen) -> Seen:
        if one.postStart == RUNNING:
            one = replace(one, postStart="")
        if one.stopping and one.stopping.preStop == RUNNING:
            one = replace(one, stopping=replace(one.stopping, preStop=""))
        return one

    return replace(seen, containers={name: forgotten(one) for name, one in seen.containers.items()})


def _sandbox(store: Store, sandbox: Sandbox | None) -> Sandbox | None:
    if sandbox is None or sandbox.state != ALIVE:
        return sandbox
    home = store.container(sandbox.id)
    if home.exists() and home.status() == "running":
        return sandbox
    ended = home.exit() if home.exists() else None
    at = seconds(ended.finishedAt) if ended else sandbox.since
    return replace(sandbox, state=DEAD, endedAt=at)


def _container(pod: PodHome, name: str, seen: Seen) -> Seen:
    if seen.joined:
        seen = _joined(pod, seen)
        if seen.state == STARTING:
            return seen
    if seen.state not in PRESENT:
        return seen
    home = pod.store.container(seen.id) if seen.id else None
    if home is None or not home.exists():
        return _gone(seen)
    status = home.status()
    if status == "running":
        return replace(seen, state=RUNNING, startedAt=seconds(home.started()) or seen.startedAt)
    ended = home.exit()
    if status == "created" and ended is None:
        return replace(seen, state=CREATED)
    if ended is None and is_looked_after(home):
        return seen  # dying: its monitor has yet to say how
    ended = ended or home.exit()
    if ended is None and not home.exists():
        return _gone(seen)  # while we looked, its maker took it back: only then is there no lock of anybody's
    if ended is None:
        return _lost(seen)  # its monitor was killed, or the machine was restarted
    return replace(seen, state=EXITED, ended=_ended(pod, name, home, seen, ended))


def _gone(seen: Seen) -> Seen:
    """There is no such container."""
    return _lost(seen) if seen.state == RUNNING or seen.joined else _never_made(seen)


def _never_made(seen: Seen) -> Seen:
    """Whoever was making this run was killed: it is as it was before."""
    if seen.last is None:
        return replace(seen, state=NONE, id="", restarts=0, streak=0)
    restarts, streak = max(seen.restarts - 1, 0), max(seen.streak - 1, 0)
    return replace(seen, state=EXITED, id="", ended=seen.last, last=None, restarts=restarts, streak=streak)


def _lost(seen: Seen) -> Seen:
    """It has ended, and nobody knows how."""
    stopped = seen.stopping.reason if seen.stopping else ""
    ended = Ended(
        exitCode=UNKNOWN,
        reason=LOST,
        message="The container could not be located when the pod was looked at",
        startedAt=seen.startedAt,
        finishedAt=time.time(),
        id=seen.id,
        stopped=stopped,
    )
    return replace(seen, state=EXITED, ended=ended)


def _joined(pod: PodHome, seen: Seen) -> Seen:
    """One that a command has made: it may be at work still, and a user may start it again."""
    home = pod.store.container(seen.id)
    if seen.state == STARTING:
        if home.exists():
            return replace(seen, state=CREATED, stopping=None)
        return seen if _is_being_made(home) else _lost(seen)
    if seen.state == EXITED and home.exists() and home.status() != "stopped":
        return replace(seen, state=CREATED, ended=None, stopping=None)
    return seen


def _is_being_made(home: Home) -> bool:
    """Whether a command, or the process that it has forked, is at work on it."""
    if not os.path.isdir(home.runtime):
        return False
    lock = Lock(home)
    if lock.acquire(wait=False):
        lock.release()
        return is_looked_after(home)
    return os.path.isdir(home.runtime)


def _ended(pod: PodHome, name: str, home: Home, seen: Seen, ended: Exit) -> Ended:
    reason, message = "", ""
    code = ended.exitCode
    if ended.error and code == UNKNOWN:
        reason, message = LOST, str(ended.error.get("what", ""))
    elif ended.error:
        reason, code = "StartError", START_ERROR
        message = ": ".join(str(ended.error[key]) for key in ("what", "why") if ended.error.get(key))
    elif ended.oomKilled:
        reason = "OOMKilled"
    return Ended(
        exitCode=code,
        signal=ended.signal,
        reason=reason,
        message=message or termination_message(pod, name, home, code),
        startedAt=seconds(home.started()) or seen.startedAt,
        finishedAt=seconds(ended.finishedAt),
        id=seen.id,
        stopped=seen.stopping.reason if seen.stopping else "",
    )


def termination_message(pod: PodHome, name: str, home: Home, code: int) -> str:
    """What the program left at terminationMessagePath; or its last lines, if that is the policy."""
    said = last_bytes(message_file(pod, name))
    if said or not code:
        return said.decode(errors="replace")
    try:
        spec = pod.record().pod.spec
    except MinirunError:
        return ""
    wanted = {c.name: c.terminationMessagePolicy for c in (*spec.initContainers, *spec.containers)}
    return last_lines(f"{home.data}/container.log") if wanted.get(name) == "FallbackToLogsOnError" else ""


def last_bytes(path: str) -> bytes:
    """The end of what a program left in a file: who writes too much has said what tells most last."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MESSAGE))
            return file.read(MESSAGE)
    except FileNotFoundError:
        return b""


def last_lines(log: str) -> str:
    """The end of a log in the Kubernetes format: 2048 bytes or 80 lines of what was printed."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - 16 * LOG_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return ""
    said = b""
    for _, _, tag, text in [line.split(b" ", 3) for line in lines if line.count(b" ") >= 3][-LOG_LINES:]:
        said += text if tag == b"P" else text + b"\n"  # P: its line goes on
    return said[-LOG_BYTES:].decode(errors="replace")


def message_file(pod: PodHome, name: str) -> str:
    """What is mounted at terminationMessagePath of the container ``name``."""
    return f"{pod.data}/messages/{name}"


def seconds(timestamp: str) -> float:
    """RFC 3339, UTC -> seconds since the epoch; 0 for none."""
    if not timestamp:
        return 0.0
    from _datetime import datetime  # type: ignore[import-not-found]  # the C module: datetime costs 1 ms

    whole, _, fraction = timestamp.rstrip("Z").partition(".")
    moment: float = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return moment + float(f"0.{fraction or 0}")
