"""The channel between the two sides of a start, and the names of its phases.

Layer ``container``. A pair of AF_UNIX SOCK_SEQPACKET sockets: one message is
one packet, the first byte is its phase. Either side's death is a message too:
end of file.

      host (becomes the monitor)              [init]
        | clone3 ------------------------------> |
        | id maps, network                       | waits
        | HOST_SIDE_DONE ----------------------> | joins, mounts, pivot_root ...
        | waits                                  |
        | <------------------------------- READY | waits at the gate
        | execs native/monitor                   |      (state: created)
        | START -------------------------------> | privileges, filter, execve
        | <------------------- end of file (the  |
        |      descriptor closes at execve)      | (state: running)
        | <------------------------------ FAILED | at any moment, with an error

See unix(7). Read ``container/create.py`` next.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import os
import struct

from minirun import errors, json_quick
from minirun.errors import MinirunError
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    pass

HOST_SIDE_DONE = b"H"
READY = b"R"
START = b"S"
FAILED = b"F"

_PHASE_NAMES = {HOST_SIDE_DONE: "HOST_SIDE_DONE", READY: "READY", START: "START", FAILED: "FAILED"}
_PACKET = 1 << 17
_MAX_FDS = 4  # in one packet
_INT = struct.calcsize("i")


class PeerDied(MinirunError):
    """The other side ended without a word."""


class Channel:
    """One end of a socket pair that carries phases and descriptors."""

    def __init__(self, sock: _socket.socket) -> None:
        self.sock = sock

    @staticmethod
    def pair() -> tuple[Channel, Channel]:
        """Two connected ends; both close on exec."""
        kind = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
        one, other = _socket.socketpair(_socket.AF_UNIX, kind)
        return Channel(one), Channel(other)

    def fileno(self) -> int:
        """The descriptor, for poll(2) and for the monitor to inherit."""
        return self.sock.fileno()

    def close(self) -> None:
        """Closes this end: the peer reads end of file."""
        self.sock.close()

    def send(self, phase: bytes, payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Sends a phase, with descriptors if given. Raises OSError (EPIPE) if nobody is there."""
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
        self.sock.sendmsg([phase + payload], rights, _socket.MSG_NOSIGNAL)

    def send_if_heard(self, phase: bytes) -> None:
        """``send`` where it does not matter that nobody is there any more."""
        try:
            self.send(phase)
        except OSError:
            return

    def receive(self) -> tuple[bytes, bytes, list[int]]:
        """The next (phase, payload, descriptors); phase b"" at end of file."""
        room = _socket.CMSG_LEN(_MAX_FDS * _INT)
        try:
            packet, rights, _, _ = self.sock.recvmsg(_PACKET, room, _socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            # It ended with packets of ours unread. That is told once, before its last words.
            packet, rights, _, _ = self.sock.recvmsg(_PACKET, room, _socket.MSG_CMSG_CLOEXEC)
        fds = [fd for _, _, data in rights for fd in struct.unpack(f"{len(data) // _INT}i", data)]
        return packet[:1], packet[1:], fds


def _show_wake(channel: object, phase: bytes, *fds: object) -> str:
    return f"sendmsg({', '.join([_PHASE_NAMES.get(phase, repr(phase)), *map(str, fds)])})"


def _show_wait(channel: object, phase: bytes) -> str:
    return f"recvmsg({_PHASE_NAMES.get(phase, repr(phase))})"


@syscall("sendmsg", manual="unix(7)", show=_show_wake)
def wake(channel: Channel, phase: bytes, *fds: int) -> None:
    """Tells the other side that ``phase`` is reached."""
    channel.send(phase, fds=fds)


@syscall("recvmsg", manual="unix(7)", show=_show_wait)
def wait(channel: Channel, phase: bytes) -> int | None:
    """Waits for ``phase``; the descriptor that came with it, if any.

    Raises what the other side reports as FAILED, and PeerDied at end of file.
    """
    got, payload, fds = channel.receive()
    if got == phase:
        return fds[0] if fds else None
    if got == FAILED:
        raise failure_in(payload)
    raise PeerDied(
        "the other side of the start died",
        f"end of file while waiting for {_PHASE_NAMES[phase]}",
        "look for the kernel's word on it: dmesg",
    )


def report(channel: Channel, error: BaseException) -> None:
    """Sends ``error`` to the other side; a side that is gone needs no report."""
    try:
        channel.send(FAILED, describe(error))
    except OSError:
        return


def cause(channel: Channel, error: BaseException) -> BaseException:
    """What the other side said with its last breath, else ``error``.

    A side that fails leaves the other one to fail at whatever comes next; the
    first failure is the one to tell of.
    """
    for _ in range(2):  # ECONNRESET comes first where a packet of ours was not read
        try:
            packet = channel.sock.recv(_PACKET, _socket.MSG_DONTWAIT)
        except OSError:
            continue
        return failure_in(packet[1:]) if packet[:1] == FAILED else error
    return error


def describe(error: BaseException) -> bytes:
    """An error as JSON, to be raised again elsewhere by ``failure``."""
    if not isinstance(error, MinirunError):
        error = MinirunError(
            "minirun failed in a way it did not foresee",
            repr(error),
            f"report this: {' > '.join(_places(error))}",
        )
    told = {
        "kind": type(error).__name__,
        "what": error.what,
        "why": error.why,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }
    return json_quick.dumps(told).encode()


def _places(error: BaseException) -> list[str]:
    """Where it came from. Not by the module traceback: a container has no Python to import it from."""
    found, at = [], error.__traceback__
    while at:
        code = at.tb_frame.f_code
        found.append(f"{os.path.basename(code.co_filename)}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return found


def failure_in(payload: bytes) -> MinirunError:
    """The error that ``describe`` wrote, as text."""
    return failure(json_quick.loads(payload))


def failure(told: dict[str, str | int]) -> MinirunError:
    """The error that ``describe`` wrote, parsed."""
    kind = errors.BY_NAME.get(str(told.get("kind", "")), MinirunError)
    what, why, remedy = (str(told.get(part, "")) for part in ("what", "why", "remedy"))
    return kind(what, why, remedy)


def raise_if_failed(phase: bytes, payload: bytes) -> None:
    """Raises what a FAILED packet carries; other phases pass."""
    if phase == FAILED:
        raise failure_in(payload)
    return


def inheritable(fd: int) -> int:
    """Lets ``fd`` survive the exec into the monitor."""
    os.set_inheritable(fd, True)
    return fd
