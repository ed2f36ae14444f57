"""Questions for a guest from outside: what runs in it, and a signal for its program.

Layer ``vm``. The command that runs a machine has its control port to itself; who
comes later (``vm inspect``, ``vm stop``) asks through a second port, which the
hypervisor shows as a socket in the machine's directory:

    TOKEN ps        a line for each process in the guest
    TOKEN kill N    signal N goes to its program; the line "none" if there is none

The answer begins with the line TOKEN, which is not twice the same: whoever asked
before may have left without reading all of theirs. It ends with an empty line.
``native/guest_agent.h`` has the other end, virtio 1.1, 5.3 the port. One asks at
a time, and the next one waits. A guest may be hostile: nothing it says is believed.
"""

from __future__ import annotations

import os
import re
import socket
import time

from minirun.errors import Conflict, MinirunError, printable
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from minirun.vm.home import Home

#: How long a guest may take to answer, in seconds: on a busy machine, without
#: KVM, far more than it needs.
TIMEOUT = 30.0
#: More than the list of all processes that fit into a guest's memory, in bytes.
_LONGEST = 16 << 20


class GuestProcess(Value):
    """A process as the guest counts them; ``resident`` is in bytes."""

    pid: int
    parent: int
    state: str
    resident: int
    name: str
    command: str
    """Its words; empty for a thread of the guest's kernel."""


class Silent(MinirunError):
    """The guest did not answer in time."""


def processes(home: Home, timeout: float = TIMEOUT) -> list[GuestProcess]:
    """What runs in the guest, the lowest pid first. Raises Conflict and Silent."""
    found = [_process(line) for line in ask(home, "ps", timeout)]
    return sorted(found, key=lambda one: one.pid)


def signal(home: Home, number: int, timeout: float = TIMEOUT) -> bool:
    """Sends the guest's program a signal; False if there is none yet. Raises Conflict and Silent."""
    return ask(home, f"kill {number}", timeout) == []


def _process(line: str) -> GuestProcess:
    found = re.fullmatch(r"(\d{1,10}) (\d{1,10}) (\w) (\d{1,12}) ([^\t]*)\t(.*)", line, re.ASCII)
    if not found:
        raise _nonsense(repr(line[:80]))
    return GuestProcess(
        pid=int(found[1]),
        parent=int(found[2]),
        state=found[3],
        resident=int(found[4]) << 10,
        name=printable(found[5]),
        command=printable(found[6]),
    )


def ask(home: Home, request: str, timeout: float = TIMEOUT) -> list[str]:
    """The lines that the guest answers. Raises Conflict where nobody is there, and Silent."""
    deadline = time.monotonic() + timeout
    try:
        with _connected(home, deadline) as sock:
            return _exchange(sock, request, deadline)
    except (ConnectionResetError, BrokenPipeError, FileNotFoundError):
        raise Conflict(
            f"virtual machine {home.id[:12]} has ended",
            "its hypervisor was gone while its guest was asked",
            "minirun vm ps lists those that run",
        ) from None
    except TimeoutError:
        raise Silent(
            f"virtual machine {home.id[:12]} does not answer",
            f"nothing came within {timeout:g} seconds: it boots still, or its kernel is stuck",
            "ask again later, or end it: minirun vm stop -t 0",
        ) from None


def _exchange(sock: socket.socket, request: str, deadline: float) -> list[str]:
    token = os.urandom(8).hex().encode()
    sock.settimeout(max(deadline - time.monotonic(), 0.001))
    # The first \n ends what somebody before may have begun to say.
    sock.sendall(b"\n%s %s\n" % (token, request.encode()))
    answer = b""
    while not (answer.endswith(b"\n\n") and token in answer):
        if len(answer) > _LONGEST:
            raise _nonsense(f"{len(answer)} bytes, and more to come")
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        part = sock.recv(1 << 16)
        if not part:
            raise ConnectionResetError
        answer += part
    *lines, _, _ = answer.partition(token + b"\n")[2].decode(errors="replace").split("\n")
    return lines


def _nonsense(said: str) -> MinirunError:
    return MinirunError(
        "the guest's answer makes no sense",
        f"it said {said}: something in there has tampered with minirun's own process",
        "do not believe what it says; minirun vm stop -t 0 ends it",
    )


def _connected(home: Home, deadline: float) -> socket.socket:
    """A connection; waits for a hypervisor that has begun to live and does not listen yet."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _connect(sock, home.path)
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            sock.close()
            if not home.is_alive():
                raise FileNotFoundError(home.path) from None
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(0.01)  # a unix socket refuses at once, and cannot be waited on
        else:
            return sock


def _connect(sock: socket.socket, directory: str) -> None:
    """By way of the directory: the whole path may be longer than an address may be (unix(7))."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.setblocking(False)  # where others wait already, it would wait as well, and for ever
        sock.connect(f"/proc/self/fd/{fd}/agent.sock")
    finally:
        os.close(fd)
