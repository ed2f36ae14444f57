"""What the tests of the C programs share: compiling them, and a life around the monitor.

``Monitor`` does what Python does before it becomes the monitor: it forks, clones
a first process that waits at the gate, makes pipes or a terminal, and execs.
No namespaces, so no root. The fixtures reach a test file by its ``pytest_plugins``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "minirun" / "native"
#: Nothing here takes longer; a test that hangs fails with a timeout instead.
PATIENCE = 20.0

STDOUT, STDERR, STDIN = 1, 2, 4
ATTACHED = b"A" + bytes([STDOUT | STDERR])
INTERACTIVE = b"A" + bytes([STDOUT | STDERR | STDIN])
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def compile_native(name: str, into: Path) -> str:
    """Compiles ``minirun/native/NAME.c`` as strictly as the compiler can."""
    compiler = shutil.which("musl-gcc") or "cc"
    program = str(into / name)
    flags = ["-std=gnu11", "-static", "-Os", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", program, str(SOURCES / f"{name}.c")], check=True)
    return program


def python(code: str, *args: str) -> list[str]:
    """The argv of a small Python program, started as cheaply as can be."""
    return [sys.executable, "-I", "-S", "-c", code, *args]


class Client:
    """One end of the attach socket."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.socket.settimeout(PATIENCE)
        self.output: dict[bytes, bytearray] = {b"O": bytearray(), b"E": bytearray()}
        self.seen = ""

    def send(self, packet: bytes) -> None:
        self.socket.send(packet)

    def receive(self) -> bytes:
        """The next packet; b"" when the monitor has hung up."""
        packet = self.socket.recv(65536)
        kind = packet[:1]
        self.seen += kind.decode()
        if kind in self.output:
            self.output[kind] += packet[1:]
        return packet

    def until(self, kind: bytes) -> bytes:
        """Receives up to the first packet of that kind, and gives what is in it."""
        while packet := self.receive():
            if packet[:1] == kind:
                return packet[1:]
        raise AssertionError(f"the monitor hung up after {self.seen!r}, without {kind!r}")

    def exit(self) -> dict[str, Any]:
        """Receives up to the exit record."""
        return dict(json.loads(self.until(b"X")))

    def close(self) -> None:
        self.socket.close()


class Monitor:
    """A monitor, its first process and its directories, from the outside.

    ``program`` is what the first process becomes once the gate is open.
    ``failure``: instead of that it says this and exits with 1.
    ``keys`` are further arguments for the monitor, ``after`` what it becomes.
    """

    def __init__(
        self,
        binary: str,
        home: Path,
        program: list[str],
        *keys: str,
        failure: bytes = b"",
        stdin: bool = False,
        tty: bool = False,
        outputs: bool = True,
        client: bool = True,
        first: tuple[bytes, ...] = (),
        after: list[str] | None = None,
        lock: int = -1,
    ) -> None:
        self.home = home
        self.run, self.data = home / "run", home / "data"
        self.run.mkdir()
        self.data.mkdir()
        self.pid = -1
        self.init = -1
        self.status: int | None = None
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(self.run / "attach.sock"))
        listener.listen(64)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.client = Client(ours)
        for packet in first:
            self.client.send(packet)
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self._become(
                    binary, program, keys, failure, stdin, tty, outputs, after, lock, tell, listener,
                    theirs if client else None,
                )  # fmt: skip
            finally:
                os._exit(70)
        self.pid = pid
        os.close(tell)
        listener.close()
        theirs.close()
        with open(told, "rb") as pipe:
            self.init = int(pipe.read() or b"-1")  # its end is the monitor's execve

    def _become(
        self, binary: str, program: list[str], keys: tuple[str, ...], failure: bytes, stdin: bool, tty: bool,
        outputs: bool, after: list[str] | None, lock: int, tell: int, listener: socket.socket,
        client: socket.socket | None,
    ) -> None:  # fmt: skip
        null = os.open("/dev/null", os.O_RDWR)
        channel, gate = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fds = {"channel": channel.fileno(), "listen": listener.fileno(), "lock": lock}
        fds["client"] = client.fileno() if client else -1
        theirs = [null, null, null]
        if tty:
            fds["tty"], slave = os.openpty()
            theirs = [slave] * 3
        else:
            if stdin:
                theirs[0], fds["in"] = os.pipe()
            if outputs:
                fds["out"], theirs[1] = os.pipe()
                fds["err"], theirs[2] = os.pipe()
        init = os.fork()
        if init == 0:
            channel.close()
            os.close(tell)  # or the test would wait for its end until the gate opens
            self._first_process(gate, theirs, program, failure, tty)
        gate.close()
        os.write(tell, str(init).encode())
        for path, key in ((self.run, "dir"), (self.data, "data")):
            fds[key] = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        argv = ["minirun:[monitor]", "c0ffee", f"init={init}", *keys]
        argv += [f"{key}={fd}" for key, fd in fds.items() if fd >= 0]
        for fd in fds.values():
            if fd >= 0:
                os.set_inheritable(fd, True)
        os.execv(binary, argv + (["--", *after] if after else []))

    def _first_process(
        self, gate: socket.socket, theirs: list[int], program: list[str], failure: bytes, tty: bool
    ) -> None:
        try:
            os.setsid()
            if tty:
                fcntl.ioctl(theirs[0], termios.TIOCSCTTY, 0)
            for number, fd in enumerate(theirs):
                os.dup2(fd, number)
            if gate.recv(16) != b"S":
                os._exit(71)
            if failure:
                gate.send(b"F" + failure)
                os._exit(1)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvp(program[0], program)
        finally:
            os._exit(72)

    def connect(self, attach: int | None = None) -> Client:
        """A further client, through the listening socket; ``attach`` are the flags of its A."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.connect(str(self.run / "attach.sock"))
        client = Client(end)
        if attach is not None:
            client.send(b"A" + bytes([attach]))
        return client

    def wait(self) -> int:
        """Waits for the monitor itself; its exit code."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def record(self) -> dict[str, Any]:
        """exit.json."""
        return dict(json.loads((self.data / "exit.json").read_text()))

    def pss(self, kind: str = "Pss") -> int:
        """The monitor's share of memory, in KiB (proc_pid_smaps(5)); Pss_Anon without its code."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))

    def log(self, name: str = "container.log") -> list[tuple[str, str, str, str]]:
        """The log's records: time, stream, tag, text."""
        lines = (self.data / name).read_bytes().decode().removesuffix("\n").split("\n")
        return [tuple(line.split(" ", 3)) for line in lines]

    def close(self) -> None:
        """Ends whatever is left, by pid."""
        self.client.close()
        if self.status is None:
            for pid in (self.init, self.pid):
                if pid > 0:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            self.wait()


def window(rows: int, columns: int) -> bytes:
    """The W packet."""
    return b"W" + struct.pack("=HH", rows, columns)


Start = Callable[..., Monitor]


@pytest.fixture(scope="session")
def monitor_binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compile_native("monitor", tmp_path_factory.mktemp("native"))


@pytest.fixture
def start(monitor_binary: str, tmp_path: Path) -> Iterator[Start]:
    """Starts monitors with start=1 unless told otherwise; ends them all afterwards."""
    monitors: list[Monitor] = []

    def begin(program: str | list[str], *keys: str, **options: Any) -> Monitor:
        home = tmp_path / str(len(monitors))
        home.mkdir()
        argv = ["sh", "-c", program] if isinstance(program, str) else program
        if "start=0" not in keys:
            keys = ("start=1", *keys)
        monitors.append(Monitor(monitor_binary, home, argv, *keys, **options))
        return monitors[-1]

    yield begin
    for monitor in monitors:
        monitor.close()


def end_of(monitor: Monitor) -> dict[str, object]:
    """Waits for the end without a client, and gives exit.json."""
    monitor.client.close()
    assert monitor.wait() == 0
    return monitor.record()


def noise(size: int) -> str:
    """Python code that makes ``data``: so many bytes that do not repeat early."""
    return (
        f"import hashlib, os, sys; data = b''.join(hashlib.sha256(b'%d' % i).digest() "
        f"for i in range({size} // 32 + 1))[:{size}]\n"
    )


def noise_here(size: int) -> bytes:
    """The same bytes."""
    return b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))[:size]


def send_all(client: Client, data: bytes) -> None:
    """All of ``data`` as stdin."""
    for at in range(0, len(data), 16384):
        client.send(b"I" + data[at : at + 16384])


def cpu_of(pid: int) -> int:
    """Clock ticks of CPU time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def wakeups_of(pid: int) -> int:
    """How often it has slept and been woken."""
    while "State:\tS" not in (status := Path(f"/proc/{pid}/status").read_text()):
        pass
    return sum(int(number) for number in re.findall(r"ctxt_switches:\s+(\d+)", status))
