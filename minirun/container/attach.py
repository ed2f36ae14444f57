"""A client of a monitor: streams in and out, signals through, the exit at last.

Layer ``container``. The terminal or pipe of the one who typed ``run`` on this
side, the monitor's socket (``monitor.py`` lists the packets) on the other.
Nothing is buffered beyond one chunk: who writes faster than the other reads
waits, both ways, and neither direction waits for the other.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import os
import select
import struct

from minirun.container import channel as channels
from minirun.container import monitor
from minirun.container.channel import Channel
from minirun.container.detach import Detached, Watch
from minirun.container.files import parse
from minirun.container.signals import signal
from minirun.container.state import Exit, Home
from minirun.errors import MinirunError, UsageError
from minirun.linux import process
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_CHUNK = 16 << 10

#: Signals that are this process's own affair: faults, job control, children,
#: broken pipes; KILL and STOP cannot be caught at all.
OWN_SIGNALS = frozenset(
    getattr(signal, f"SIG{name}")
    for name in "KILL STOP CHLD PIPE URG TSTP TTIN TTOU SEGV BUS FPE ILL TRAP ABRT SYS WINCH".split()
)
#: The others, which the program shall get; 32 and 33 are the C library's own.
PROXIED = tuple(n for n in range(1, signal.NSIG) if n not in OWN_SIGNALS and n not in (32, 33))


def connect(home: Home) -> Channel | None:
    """A new client of the container's monitor; None when there is no monitor."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        directory = os.open(home.runtime, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        sock.close()
        return None
    try:
        sock.connect(f"/proc/self/fd/{directory}/attach.sock")
    except (FileNotFoundError, ConnectionRefusedError):
        sock.close()
        return None
    finally:
        os.close(directory)
    return Channel(sock)


class Session:
    """One attached client, from start to exit.

    ``stdin`` sends this process's standard input; ``tty`` says that the
    container has a terminal, so ours goes raw and its size is passed on;
    ``pid`` is the process that gets our signals (0: keep them).
    """

    def __init__(self, client: Channel, stdin: bool, tty: bool, pid: int = 0) -> None:
        self.client = client
        self.reads_stdin = stdin
        self.tty = tty
        self.raw = tty and stdin and os.isatty(0)
        self.pidfd = _pidfd(pid) if pid else -1
        self.pending = b""
        self.ended = False
        self.keys = Watch()
        self.is_over = False
        """Whether the program has ended, and the monitor waits to hear that we are done."""

    def follow(self) -> Exit:
        """Passes everything on until the program has ended; how it ended.

        Raises what kept the program from starting, and Detached.
        """
        saved = _raw() if self.raw else None
        handlers = self._catch_signals()
        try:
            return self._loop()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if self.pidfd >= 0:
                os.close(self.pidfd)
                self.pidfd = -1
            if saved is not None:
                _restore(saved)

    def _loop(self) -> Exit:
        poll = select.poll()
        poll.register(self.client.fileno(), select.POLLIN)
        failed: MinirunError | None = None
        while True:
            self._register(poll)
            for fd, events in poll.poll():
                if fd == self.client.fileno():
                    if events & select.POLLOUT:
                        self._send_pending()
                    if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                        phase, payload, _ = self.client.receive()
                        if phase == monitor.FAILED:
                            failed = channels.failure_in(payload)
                        elif phase == monitor.EXITED:
                            self.is_over = True
                            if failed:
                                raise failed
                            return decode_exit(payload)
                        elif phase == b"":
                            raise failed or _monitor_died()
                        else:
                            _write(phase, payload)
                elif events:
                    self._read_stdin()

    def _register(self, poll: select.poll) -> None:
        """Reads stdin only when the last chunk is gone: the container sets the pace."""
        mask = select.POLLIN | (select.POLLOUT if self.pending else 0)
        poll.modify(self.client.fileno(), mask)
        if self.reads_stdin and not self.pending and not self.ended:
            poll.register(0, select.POLLIN)
        else:
            try:
                poll.unregister(0)
            except KeyError:
                return

    def _read_stdin(self) -> None:
        try:
            data = os.read(0, _CHUNK)
        except OSError:
            data = b""  # a terminal that went away
        self.ended = not data
        if self.raw and data:
            try:
                data = self.keys.passed(data)
            except Detached as left:
                self.client.send(monitor.STDIN, left.typed)
                raise
            if not data:
                return
        self.pending = monitor.STDIN + data if data else monitor.STDIN_END
        self._send_pending()

    def _send_pending(self) -> None:
        try:
            flags = _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL
            self.client.sock.send(self.pending, flags)
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self.ended = True  # the program is gone; its exit is on the way
        self.pending = b""

    def _catch_signals(self) -> dict[int, Any]:
        before: dict[int, Any] = {}
        if self.tty:
            before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resize)
            self._resize(0, None)  # again: it may have changed while the container was made
        if self.pidfd >= 0:
            for number in PROXIED:
                before[number] = signal.signal(number, self._forward)
        return before

    def _forward(self, number: int, frame: FrameType | None) -> None:
        try:
            process.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return

    def _resize(self, number: int, frame: FrameType | None) -> None:
        try:
            for packet in window():
                self.client.send(packet)
        except OSError:
            return


def window() -> tuple[bytes, ...]:
    """The packet that tells the monitor how large our terminal is; none where we have none."""
    for fd in range(3):
        try:
            size = os.get_terminal_size(fd)
        except OSError:
            continue
        return (monitor.WINDOW + struct.pack("=HH", size.lines, size.columns),)
    return ()


def check_terminal(
    tty: bool, stdin: bool, remedy: str = "leave out --tty, and the program gets stdin as it is"
) -> None:
    """Refuses, as docker does, a terminal that is fed from a pipe: it could not tell the program its end.

    Raises UsageError.
    """
    if tty and stdin and not os.isatty(0):
        raise UsageError(
            "the input device is not a terminal",
            "--interactive with --tty reads the keys of a terminal, and stdin is a pipe or a file",
            remedy,
        )


def _pidfd(pid: int) -> int:
    try:
        return process.pidfd_open(pid)
    except ProcessLookupError:
        return -1  # it has ended already, and no signal will reach it any more


def decode_exit(payload: bytes) -> Exit:
    """exit.json as a value. Raises the error that kept the program from starting."""
    ended = parse(payload, Exit, "exit.json")
    if ended.error:
        raise channels.failure(ended.error)
    return ended


def _write(phase: bytes, payload: bytes) -> None:
    if phase not in (monitor.STDOUT, monitor.STDERR):
        return
    fd = 1 if phase == monitor.STDOUT else 2
    while payload:
        try:
            payload = payload[os.write(fd, payload) :]
        except BlockingIOError:  # somebody made our terminal or pipe non-blocking, and it is full
            select.select([], [fd], [])


def _raw() -> list[object]:
    from minirun.container import console

    return console.raw()


def _restore(saved: list[object]) -> None:
    from minirun.container import console

    console.restore(saved)


def _monitor_died() -> MinirunError:
    return MinirunError(
        "the container's monitor died",
        "somebody killed it; with it went the streams and the exit code",
        "minirun gc cleans up after it",
    )
