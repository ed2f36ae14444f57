"""The talk with a plugin that runs: stdin in, stdout and stderr out, in the time it has.

Layer ``network``, part of ``cni``. It is over when the plugin itself ends (its
pidfd becomes readable), not when its pipes do: a daemon that it left behind may
hold them for ever. pidfd_open(2), poll(2). Part of ``plugin.py``.
"""

from __future__ import annotations

import os
import select
import signal
import time

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from typing import IO

_MOST_OUTPUT = 1 << 20  # bytes; a result is some hundred
_LAST_WORDS = 4096  # bytes of stderr that are kept


class TooSlow(Exception):
    """The time was over."""


class TooMuch(Exception):
    """It printed more than any result has."""


class Exchange:
    """``with Exchange(child, seconds) as exchange: exchange.run(request)``.

    Afterwards ``output``, the end of ``errors`` and ``status`` (as
    subprocess.Popen.returncode has it). Left by an exception or with a failure,
    the child's process group is killed.
    """

    def __init__(self, child: subprocess.Popen[bytes], timeout: float) -> None:
        self.child = child
        self.deadline = time.monotonic() + timeout
        self.output = b""
        self.errors = b""
        self.status = 0
        self._pipes = _pipes(child)
        self._pidfd = os.pidfd_open(child.pid)

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # Not reaped yet, so the number of the group cannot be anybody else's.
        if kind or self._failed():
            _kill_group(self.child.pid)
        os.close(self._pidfd)
        for pipe in self._pipes:
            _close(pipe)
        self.status = self.child.wait()

    def _failed(self) -> bool:
        ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT)
        return ended is None or ended.si_status != 0

    def run(self, request: bytes) -> None:
        """Feeds the child and reads until it ends. Raises TooSlow, TooMuch."""
        stdin, stdout, stderr = (pipe.fileno() for pipe in self._pipes)
        poll = select.poll()
        poll.register(stdin, select.POLLOUT)
        for fd in (stdout, stderr, self._pidfd):
            poll.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(max(0.0, self.deadline - time.monotonic()) * 1e3)}
            if not ready:
                raise TooSlow
            if stdin in ready:
                request = _write(stdin, request)
                if not request:
                    poll.unregister(stdin)
                    self._pipes[0].close()
            for fd in ready & {stdout, stderr}:
                if not self._take(fd, stdout):
                    poll.unregister(fd)
            if self._pidfd in ready:
                while self._take(stdout, stdout):  # what it wrote before it ended is in the pipe
                    pass
                while self._take(stderr, stdout) and time.monotonic() < self.deadline:
                    pass
                return
            if time.monotonic() >= self.deadline:
                raise TooSlow

    def _take(self, fd: int, stdout: int) -> bool:
        """Reads what is there; False at the end of the pipe, or when it is empty."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return False
        if fd != stdout:
            self.errors = (self.errors + data)[-_LAST_WORDS:]
            return bool(data)
        self.output += data
        if len(self.output) > _MOST_OUTPUT:
            raise TooMuch(f"it printed more than {_MOST_OUTPUT} bytes")
        return bool(data)


def _pipes(child: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    assert child.stdin and child.stdout and child.stderr
    for pipe in (child.stdin, child.stdout, child.stderr):
        os.set_blocking(pipe.fileno(), False)
    return child.stdin, child.stdout, child.stderr


def _write(fd: int, request: bytes) -> bytes:
    """What is left to be written; a plugin need not read what it does not want."""
    try:
        return request[os.write(fd, request) :]
    except BlockingIOError:
        return request
    except BrokenPipeError:
        return b""


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        pass


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
