"""Ports of the host's, one container each: chosen, taken, given back.

Layer ``network``. A published port is a link STATE/ports/PROTOCOL-ADDRESS-PORT
whose text is the container's id; the address is ``any`` where none was given.
symlink(2) makes it or refuses in one step. Yet ``any`` and 127.0.0.1 stand in
each other's way under two names, so who takes or gives back holds a flock(2) on
the directory. A process of the host's is not in there: bind(2) tells whether
one has the port. ``port_words.py`` has what -p says, ``table.py`` makes the
kernel do it, and ``listeners.py`` finds the process that was first.
"""

from __future__ import annotations

import _socket
import errno
import fcntl
import os

from minirun.errors import Conflict, MinirunError, NotFound, Unsupported, reason
from minirun.network.port_words import expose, host_side, line, parse, shown
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minirun.spec import Port

__all__ = ["claim", "expose", "line", "owners", "parse", "release", "shown"]

#: Where a free one is taken from: the dynamic ports of RFC 6335, as docker has it.
DYNAMIC = range(49153, 65536)

_ANY = "any"


def claim(state: str, ports: Sequence[Port], owner: str) -> tuple[Port, ...]:
    """Takes ``ports`` for ``owner``, all of them or none; the answer has every number.

    What ``owner`` has already it keeps, and the same port said twice is one.
    Raises Conflict, naming who has the port, and NotFound for an address that
    the host does not have.
    """
    if not ports:
        return ()
    directory = f"{state}/ports"
    os.makedirs(directory, 0o700, exist_ok=True)
    lock = _locked(directory)
    claims = _Claims(directory, owner)
    try:
        wanted = _each_once(ports)
        for port in wanted:
            if not _is_open(port):  # first: what is chosen must not take theirs
                claims.take(port)
        return tuple(claims.choose(port) if _is_open(port) else port for port in wanted)
    except BaseException:
        claims.undo()
        raise
    finally:
        os.close(lock)


def release(state: str, owner: str, ports: Sequence[Port] | None = None) -> None:
    """Gives back what ``owner`` has; gone already is fine.

    Who knows the ``ports`` says them, and is spared a look at everybody's.
    """
    directory = f"{state}/ports"
    try:
        lock = _locked(directory)
    except FileNotFoundError:
        return
    try:
        for name in os.listdir(directory) if ports is None else map(_name, ports):
            if _holder(directory, name) == owner:
                os.unlink(f"{directory}/{name}")
    finally:
        os.close(lock)


def owners(state: str) -> dict[str, str]:
    """The name of every link (``tcp-any-8080``), and whose it is."""
    directory = f"{state}/ports"
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return {}
    holders = {name: _holder(directory, name) for name in names}
    return {name: owner for name, owner in holders.items() if owner}


class _Claims:
    """What one call of ``claim`` takes. The directory is locked meanwhile."""

    def __init__(self, directory: str, owner: str) -> None:
        self.directory = directory
        self.owner = owner
        self.there = set(os.listdir(directory))
        self.mine: set[str] = set()
        self.made: list[str] = []

    def take(self, port: Port) -> None:
        """Takes the very port. Raises Conflict."""
        name = _name(port)
        for rival in self._rivals(port):
            holder = _holder(self.directory, rival)
            if rival in self.mine or rival != name or holder != self.owner:
                raise _taken(port, rival, holder, self.owner)
        if error := _host_refuses(port):
            raise _refused(port, error) from error
        self._make(name)

    def choose(self, port: Port) -> Port:
        """Takes the first that is free of those that ``port`` allows. Raises Conflict."""
        for number in _candidates(port):
            wanted = replace(port, host_port=number, host_port_end=0)
            if any(self._rivals(wanted)):
                continue
            error = _host_refuses(wanted)
            if error is None:
                self._make(_name(wanted))
                return wanted
            if error.errno != errno.EADDRINUSE:
                raise _refused(wanted, error) from error
        span = f"{port.host_port} to {port.host_port_end}" if port.host_port else "the dynamic ports"
        raise Conflict(
            f"no port of the host's is free for {port.port}/{port.protocol}",
            f"all of {span} are in use",
            "name other ports, or remove a container that has one (minirun ps)",
        )

    def _make(self, name: str) -> None:
        if name not in self.there:
            os.symlink(self.owner, f"{self.directory}/{name}")
            self.made.append(name)
            self.there.add(name)
        self.mine.add(name)

    def undo(self) -> None:
        """Gives back what was taken, and leaves what was there before."""
        for name in self.made:
            os.unlink(f"{self.directory}/{name}")

    def _rivals(self, port: Port) -> Iterator[str]:
        """The links that exclude ``port``: of the same number, and an address that overlaps."""
        start, end = f"{port.protocol}-", f"-{port.host_port}"
        for name in self.there:
            if name.endswith(end) and name.startswith(start):
                other, own = name[len(start) : -len(end)], port.host_address or _ANY
                if _covers(other, own) or _covers(own, other):
                    yield name


def _covers(address: str, other: str) -> bool:
    """Whether who listens on ``address`` gets what is sent to ``other``."""
    if address in (other, _ANY):
        return True
    return (address == "0.0.0.0" and ":" not in other) or (address == "::" and ":" in other)


def _candidates(port: Port) -> Iterator[int]:
    if port.host_port:
        yield from range(port.host_port, port.host_port_end + 1)
        return
    # From anywhere: a port that was given back a moment ago should rest.
    start = int.from_bytes(os.urandom(4), "little") % len(DYNAMIC)
    yield from DYNAMIC[start:]
    yield from DYNAMIC[:start]


def _host_refuses(port: Port) -> OSError | None:
    """Why ``port`` cannot be bound: on IPv4 and IPv6, where no address was given."""
    families = [(_socket.AF_INET, "0.0.0.0"), (_socket.AF_INET6, "::")]
    if port.host_address:
        family = _socket.AF_INET6 if ":" in port.host_address else _socket.AF_INET
        families = [(family, port.host_address)]
    for family, address in families:
        try:
            _bind(family, address, port)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT and not port.host_address:
                continue  # a host without IPv6
            return error
    return None


def _bind(family: int, address: str, port: Port) -> None:
    """Binds and lets go again: EADDRINUSE, where somebody has the port."""
    kind, protocol = _socket.SOCK_STREAM, 0
    if port.protocol == "udp":
        kind = _socket.SOCK_DGRAM
    elif port.protocol == "sctp":
        if not os.path.exists("/proc/net/sctp"):
            return  # without the module there is no such socket, and asking would load it
        protocol = _socket.IPPROTO_SCTP
    trial = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, protocol)
    try:
        if family == _socket.AF_INET6:
            trial.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        if port.protocol == "tcp":
            # Connections of a server that is gone (TIME_WAIT) do not count: socket(7), SO_REUSEADDR.
            trial.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        trial.bind((address, port.host_port))
    finally:
        trial.close()


def _refused(port: Port, error: OSError) -> MinirunError:
    what = f"cannot publish {shown(port)}"
    if error.errno == errno.EADDRINUSE:
        from minirun.network import listeners

        who = listeners.who(port.protocol, port.host_port)
        return Conflict(what, f"{who} has that port", "choose another port of the host's, or stop it")
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return NotFound(
            what, f"this host does not have the address {port.host_address}", "ip address lists those it has"
        )
    if error.errno == errno.EACCES:
        return Unsupported(
            what,
            "a port that low is for the privileged (net.ipv4.ip_unprivileged_port_start)",
            "choose a port from 1024 up, or run it as root",
        )
    return Unsupported(what, f"bind(2): {reason(error)}", "choose another port or address of the host's")


def _taken(port: Port, rival: str, holder: str, owner: str) -> Conflict:
    who = "this container, for another of its ports," if holder == owner else f"container {holder[:12]}"
    protocol, _, rest = rival.partition("-")
    address, _, _ = rest.rpartition("-")
    where = host_side(replace(port, host_address="" if address == _ANY else address))
    return Conflict(
        f"cannot publish {shown(port)}",
        f"{who} has {where}/{protocol}",
        "choose another port of the host's, or stop that container",
    )


def _each_once(ports: Sequence[Port]) -> list[Port]:
    return [port for n, port in enumerate(ports) if _is_open(port) or port not in ports[:n]]


def _is_open(port: Port) -> bool:
    """Whether its number is still to be chosen."""
    return not port.host_port or bool(port.host_port_end)


def _name(port: Port) -> str:
    return f"{port.protocol}-{port.host_address or _ANY}-{port.host_port}"


def _holder(directory: str, name: str) -> str:
    try:
        return os.readlink(f"{directory}/{name}")
    except OSError:
        return ""


def _locked(directory: str) -> int:
    """A descriptor that holds the directory's lock until it is closed."""
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except BaseException:
        os.close(lock)
        raise
    return lock
