"""exec: a program that runs inside the container; exit status 0 passes.

Layer: pod. The one probe that goes inside, by ``container.execute``, which
whoever drives the probes hands in as a RunExec: it starts the program and says
who it is. Here is what comes after: what it says is read along (a full pipe
would stop it), its end is waited for, and it is killed if that does not come.
Read next: ask.py. pidfd_open(2).
"""

from __future__ import annotations

import os
import select

from minirun.pod.probes.conversation import IN, ProbeResult, Want, run
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from minirun.pod.probes.conversation import Talk

_SIGKILL = 9
_PIECE = 65536
#: What is kept of a program's words, as of the body of an answer.
OUTPUT_LIMIT = 10 * 1024
#: Seconds that a killed process gets to be dead; most need a few milliseconds.
_DEATH = 0.1
#: Who needs longer, as one that is frozen: it is reaped when the next program is started.
_dying: set[int] = set()


class Started(Value):
    """A program that was started: a child of this process."""

    pid: int
    output: int = -1
    """The reading end of the pipe that its stdout and stderr go into; ours to close. -1: none."""


if TYPE_CHECKING:
    #: Starts a command in the container of that name. Raises MinirunError.
    RunExec: TypeAlias = Callable[[str, tuple[str, ...]], Started]


def probe(container: str, words: tuple[str, ...], run_exec: RunExec, seconds: float) -> ProbeResult:
    """Runs ``words`` in the container for at most ``seconds``."""
    return run(talk(container, words, run_exec), seconds)


def talk(container: str, words: tuple[str, ...], run_exec: RunExec) -> Talk[ProbeResult]:
    """The same as a conversation."""
    started = run_exec(container, words)
    status, said = yield from finish(started, f"running {' '.join(words)}")
    text = said.decode(errors="replace").strip()
    if status == 0:
        return ProbeResult(success=True, message=text)
    how = f"exit code {status}" if status > 0 else f"killed by signal {-status}"
    return ProbeResult(success=False, message=f"{how}: {text}" if text else how)


def finish(started: Started, doing: str) -> Talk[tuple[int, bytes]]:
    """Waits for the end of a program: its exit code (-N: killed by signal N) and what it said.

    Who closes this conversation early kills the program.
    """
    _reap_the_dying()
    pidfd = os.pidfd_open(started.pid)
    both = select.epoll()
    said = b""
    status: int | None = None
    try:
        both.register(pidfd, IN)
        if started.output >= 0:
            os.set_blocking(started.output, False)
            both.register(started.output, IN)
        while True:
            # An epoll is a descriptor: this one is readable if one of the two is.
            yield Want(fd=both.fileno(), events=IN, doing=doing)
            # Not until the end of the pipe: a program that it left running may hold it open.
            ended = any(fd == pidfd for fd, _ in both.poll(0))
            said = (said + _read(started.output, both))[:OUTPUT_LIMIT]
            if ended:
                status = os.waitstatus_to_exitcode(os.waitpid(started.pid, 0)[1])
                return status, said
    finally:
        if status is None:
            _kill(started.pid, pidfd)
        both.close()
        os.close(pidfd)
        if started.output >= 0:
            os.close(started.output)


def spawn(words: list[str]) -> Started:
    """Starts a program of the host's; both its outputs go into one pipe."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        # subprocess would cost 15 ms to import.
        into = [(os.POSIX_SPAWN_DUP2, writing, fd) for fd in (1, 2)]
        null = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
        pid = os.posix_spawn(words[0], words, os.environ, file_actions=[null, *into], setpgroup=0)
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Started(pid=pid, output=reading)


def _read(output: int, both: select.epoll) -> bytes:
    """What is in the pipe; once it is at its end, nobody listens to it any more."""
    if output < 0:
        return b""
    try:
        piece = os.read(output, _PIECE)
        if not piece:
            both.unregister(output)
        return piece
    except (BlockingIOError, FileNotFoundError):  # nothing there; unregistered already
        return b""


def _kill(pid: int, pidfd: int) -> None:
    for send in (
        os.killpg,
        os.kill,
    ):  # those that it started too: it leads a group, if all is as it should be
        try:
            send(pid, _SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    _dying.add(pid)
    end = select.poll()
    end.register(pidfd, select.POLLIN)
    end.poll(_DEATH * 1000)
    _reap_the_dying()


def _reap_the_dying() -> None:
    for pid in list(_dying):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended = pid  # somebody else has reaped it
        if ended:
            _dying.discard(pid)
