"""One run of a rung: started, timed to its first byte of output, looked at, and ended.

Layer ``compare``. The process that compares is the subreaper of whatever is
orphaned below it, so all that a run has started is found among its own
descendants, and nothing of it can get lost. A run ends as gently as it lets
itself be ended:

    its stdin ends -> SIGKILL to what runs in PID namespaces below it (for PID 1
    of a container may ignore all else) -> SIGTERM to the command -> SIGKILL to all

Read ``processes.py`` next. prctl(2), PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

import prctl

from minirun.compare import processes
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

    from minirun.compare.processes import Process

#: How long, in seconds, a program may take to end after its stdin has.
PATIENCE = 3.0
#: How long after SIGTERM, which it may not heed, and how long after SIGKILL.
_AFTER_TERM = 2.0
_AFTER_KILL = 5.0
_MOST_OUTPUT = 1 << 20


class Failed(Exception):
    """A run that gives no number; the text is what it said, or what it did not do."""


class Silent(Failed):
    """It ran, and printed nothing in the time that it had."""


class Attempt(Value):
    """A run that is over. ``forced`` says that it had to be killed."""

    milliseconds: float
    output: str
    seen: tuple[Process, ...] = ()
    forced: bool = False


def run(
    line: Sequence[str],
    environment: dict[str, str],
    timeout: float,
    patience: float,
    look: Callable[[], tuple[Process, ...]] | None = None,
) -> Attempt:
    """Runs ``line`` up to its first output, has a ``look``, and ends it.

    ``timeout`` is for the first output, ``patience`` for the end after stdin
    has ended, both in seconds. A command that prints nothing is timed to its
    end. Raises Failed; Silent if nothing was printed in time.
    """
    seen: tuple[Process, ...] = ()
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        try:
            # A session of its own: Ctrl-C is for us, and we end it in order.
            child = subprocess.Popen(
                line,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"{line[0]}: {error.strerror}") from error
        output = b""
        forced = True
        try:
            first = _first_output(child, timeout)
            milliseconds = (time.perf_counter() - start) * 1e3
            output = first or b""
            if first and look:
                seen = look()
        finally:
            forced, output = _end(child, output, patience if output else 0.0)
        said = _text(errors)
    if first is None:
        raise Silent(f"no output within {timeout:g} s{': ' if said else ''}{said}")
    if not output and child.returncode:
        raise Failed(said or f"exit code {child.returncode}, and no word")
    return Attempt(
        milliseconds=milliseconds, output=output.decode(errors="replace"), seen=seen, forced=forced
    )


def _first_output(child: subprocess.Popen[bytes], timeout: float) -> bytes | None:
    """The first bytes, empty at the end of the output, None when nothing came in time."""
    assert child.stdout
    ready, _, _ = select.select([child.stdout], [], [], timeout)
    return os.read(child.stdout.fileno(), 65536) if ready else None


def _text(errors: IO[bytes]) -> str:
    """What was said on stderr, on one line."""
    errors.seek(0)
    lines = errors.read(65536).decode(errors="replace").splitlines()
    return "; ".join(" ".join(line.split()) for line in lines if line.strip())


def _end(child: subprocess.Popen[bytes], output: bytes, patience: float) -> tuple[bool, bytes]:
    """Ends the run and waits until all of it is gone; whether by force, and the whole output."""
    # Whoever is impatient shall not leave a virtual machine behind.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        assert child.stdin and child.stdout
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        drain = _Drain(child, output)
        if not output:
            patience = max(patience, 0.5)  # it may be ending right now
        forced = not drain.until_ended(patience)
        for insist, seconds in (
            (_kill_nested, _AFTER_KILL),
            (_terminate, _AFTER_TERM),
            (_kill_all, _AFTER_KILL),
        ):
            if child.poll() is None and insist(child):
                drain.until_ended(seconds)
        child.wait()
        _no_orphans()
        child.stdout.close()
        return forced, drain.output
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Drain:
    """Reads on, for a program whose output nobody reads does not come to its end."""

    def __init__(self, child: subprocess.Popen[bytes], output: bytes) -> None:
        self.child = child
        self.output = output
        self.open = True

    def until_ended(self, seconds: float) -> bool:
        """Whether the command ended in this time."""
        deadline = time.monotonic() + seconds
        while self.child.poll() is None:
            if time.monotonic() >= deadline:
                return False
            self._read(0.005)
        while self.open and self._read(0.0):
            pass
        return True

    def _read(self, wait: float) -> bool:
        assert self.child.stdout
        ready, _, _ = select.select([self.child.stdout] if self.open else [], [], [], wait)
        if ready:
            block = os.read(self.child.stdout.fileno(), 65536)
            self.open = bool(block)
            if len(self.output) < _MOST_OUTPUT:
                self.output += block
        return bool(ready)


def _kill_nested(child: subprocess.Popen[bytes]) -> int:
    """SIGKILL to all that has a PID namespace of its own; how many these were."""
    return _send(
        [pid for pid in processes.descendants(os.getpid()) if processes.is_nested(pid)], signal.SIGKILL
    )


def _terminate(child: subprocess.Popen[bytes]) -> int:
    """Asks the command to end; under strace, the command that strace runs."""
    below = processes.children(child.pid) if processes.name(child.pid) == "strace" else []
    return _send(below or [child.pid], signal.SIGTERM)


def _kill_all(child: subprocess.Popen[bytes]) -> int:
    return _send(processes.descendants(os.getpid()), signal.SIGKILL)


def _send(pids: Sequence[int], number: signal.Signals) -> int:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(pids)


def _no_orphans() -> None:
    """Waits for what outlives the command: a monitor that clears up; kills what stays too long."""
    deadline = time.monotonic() + _AFTER_KILL
    while True:
        _reap()
        left = processes.descendants(os.getpid())
        if not left:
            return
        if time.monotonic() > deadline:
            _send(left, signal.SIGKILL)
        time.sleep(0.002)  # they are orphans of orphans, with no pidfd of ours


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@contextlib.contextmanager
def tending_orphans() -> Iterator[None]:
    """Whatever is orphaned below this process becomes its child, and not the machine's init's."""
    before = prctl.get_child_subreaper()
    prctl.set_child_subreaper(True)
    try:
        yield
    finally:
        # An interrupt in the very moment of a start: nobody knows of that run but the kernel.
        _send(processes.children(os.getpid()), signal.SIGTERM)
        _no_orphans()
        prctl.set_child_subreaper(before)
