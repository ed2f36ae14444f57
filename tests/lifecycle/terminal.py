"""A user at a terminal: types, reads, resizes the window, and sees what the terminal is left as."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from types import TracebackType

from tests.conftest import Minirun
from tests.lifecycle.shell import PATIENCE

CTRL_C, CTRL_D, CTRL_P, CTRL_Q, CTRL_Z = b"\x03", b"\x04", b"\x10", b"\x11", b"\x1a"


class Terminal:
    """``minirun WORDS`` on a pseudoterminal. A context: leaving it ends the command."""

    def __init__(self, minirun: Minirun, *words: str, size: tuple[int, int] = (24, 80)) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.shown = b""
        self.process: subprocess.Popen[bytes] = minirun.popen(
            *words,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            preexec_fn=self._control,
        )

    def _control(self) -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, rows: int, columns: int) -> None:
        """The window becomes so large; the kernel sends SIGWINCH."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Types; ``\\r`` is the key Enter."""
        os.write(self.master, keys)

    def see(self, pattern: str) -> str:
        """Waits until the screen shows ``pattern`` (behind what was seen before); the match."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern.encode(), self.shown)):
            ready, _, _ = select.select([self.master], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise AssertionError(f"no {pattern!r} in {self.shown.decode(errors='replace')!r}")
            self.shown += os.read(self.master, 65536)
        self.shown = self.shown[found.end() :]
        return found[0].decode()

    def end(self) -> int:
        """Waits for the command, which has to leave the terminal as it found it; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.01)[0]:
                self.shown += os.read(self.master, 65536)
        assert self.process.returncode is not None, f"it goes on: {self.shown!r}"
        assert termios.tcgetattr(self.slave) == self.before
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)
        return self.process.returncode
