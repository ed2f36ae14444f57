"""What `pod port-forward` is asked for, and the sockets that it listens on.

Part of ``forward.py``. ``[LOCAL:]REMOTE`` as kubectl reads it; the listening sockets
are opened before this process moves into the pod's network namespace, and so stay
the host's.
"""

from __future__ import annotations

import errno
import socket

from minirun.errors import Conflict, UsageError, reason
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.pod.manifest.types import PodSpec

_BACKLOG = 128


class Forwarding(Value):
    """A port of the host's (0 for any that is free), and one of the pod's."""

    local: int
    remote: int


def parse(word: str, spec: PodSpec) -> Forwarding:
    """``8080:80``, ``80`` (the same here), ``:80`` (any here); a port of the pod's may be a name.

    Raises UsageError.
    """
    before, colon, behind = word.partition(":")
    local, remote = (before, behind) if colon else ("", before)
    number = _number(remote) if remote.isdecimal() else _by_name(remote, spec, word)
    here = 0 if colon and not local else _number(local) if local.isdecimal() else number
    if (local and not local.isdecimal()) or number is None or here is None or not number:
        raise UsageError(
            f"{word!r} is not [LOCAL:]REMOTE",
            "each is a port from 1 to 65535, or 0 for LOCAL, which takes any that is free",
            "for example 8080:80, 80, :80 or 8080:http",
        )
    return Forwarding(local=here, remote=number)


def _number(text: str) -> int | None:
    number = int(text)
    return number if number <= 0xFFFF else None


def _by_name(name: str, spec: PodSpec, word: str) -> int:
    """The port that a container of the pod calls ``name``."""
    known = [port for one in (*spec.containers, *spec.initContainers) for port in one.ports if port.name]
    for port in known:
        if port.name == name and (port.protocol or "TCP") == "TCP":
            return port.containerPort
    raise UsageError(
        f"{word!r}: the pod has no TCP port called {name!r}",
        f"its manifest names {', '.join(port.name for port in known) or 'none'}",
        "give the port's number",
    )


class Listener:
    """Where clients of one forwarding come in."""

    def __init__(self, address: str, forwarding: Forwarding) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.remote = forwarding.remote
        self.sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            self.sock.bind((address, forwarding.local))
            self.sock.listen(_BACKLOG)
        except OSError:
            self.sock.close()
            raise
        self.local: int = self.sock.getsockname()[1]
        self.name = f"[{address}]:{self.local}" if ":" in address else f"{address}:{self.local}"


def listen(addresses: Sequence[str], forwardings: Sequence[Forwarding]) -> list[Listener]:
    """A listener for each forwarding and address; ``localhost`` is both loopbacks, as far as they are there.

    Raises Conflict for an address that is taken, or that the host does not have.
    """
    found: list[Listener] = []
    try:
        for each in forwardings:
            for address in addresses:
                found += _local(each) if address == "localhost" else [_listen(address, each)]
    except BaseException:
        for one in found:
            one.sock.close()
        raise
    return found


def _local(each: Forwarding) -> list[Listener]:
    """On both loopbacks, with the same number; one that cannot be had is left out."""
    first = _listen("127.0.0.1", each)
    try:
        return [first, Listener("::1", Forwarding(local=first.local, remote=each.remote))]
    except OSError:
        return [first]


def _listen(address: str, each: Forwarding) -> Listener:
    try:
        return Listener(address, each)
    except OSError as error:
        remedy = "choose another LOCAL, or :REMOTE for any that is free"
        if error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL) or isinstance(error, socket.gaierror):
            remedy = "give --address an address of this host's, or localhost"
        why = reason(error) if not isinstance(error, socket.gaierror) else "it is no address"
        raise Conflict(f"cannot listen on {address} port {each.local}", why, remedy) from error
