"""Ports of the host's, one container each: chosen, taken, given back.

Layer ``network``. A published port is a link below STATE/ports (``port_links.py``),
which only one can make. Yet ``any`` and 127.0.0.1 stand in each other's way under
two names, so who takes or gives back locks the directory. A process of the host's
is not in there: ``listeners.py`` asks bind(2) whether one has the port. A link
also says where the port leads: when somebody has flushed the host's rules, that
is published again. ``port_words.py`` has what -p says, and ``published.py`` makes
the kernel do it.
"""

from __future__ import annotations

import errno
import os

from minirun.errors import Conflict, UsageError
from minirun.network import port_links as links
from minirun.network import published
from minirun.network.port_words import expose, host_side, line, parse, shown
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minirun.network.networks import Network
    from minirun.spec import Port

__all__ = [
    "check_published",
    "claim",
    "expose",
    "line",
    "owners",
    "parse",
    "release",
    "restore",
    "shown",
]

#: Where a free one is taken from: the dynamic ports of RFC 6335, as docker has it.
DYNAMIC = range(49153, 65536)


def check_published(network: Network, ports: Sequence[Port]) -> None:
    """Raises UsageError for a port that would lead nowhere; pure. ``network`` is the container's first."""
    why = remedy = ""
    versions = {6 if ":" in subnet.cidr else 4 for subnet in network.subnets}
    for port in ports:
        wanted = 6 if ":" in port.host_address else 4
        if network.internal:
            why = f"network {network.name} is internal: nothing leads into it from outside"
            remedy = "leave --publish out, or use a network that was made without --internal"
        elif network.driver == "macvlan":
            why = f"who is on network {network.name} is a neighbour of the host's, with an address of its own"
            remedy = "leave --publish out: its ports are reached at that address"
        elif port.host_address and wanted not in versions:
            why = f"network {network.name} has no IPv{wanted}, so no container on it has"
            remedy = f"publish on an address of IPv{min(versions)}, or use a network of both"
        if why:
            raise UsageError(f"cannot publish {shown(port)}", why, remedy)


def claim(state: str, ports: Sequence[Port], owner: str, addresses: Sequence[str] = ()) -> tuple[Port, ...]:
    """Takes ``ports`` for ``owner``, all of them or none; the answer has every number.

    ``addresses`` are the owner's, with or without prefix length: where the ports
    will lead. What ``owner`` has already it keeps, and the same port said twice is
    one. Raises Conflict, naming who has the port, and NotFound for an address that
    the host does not have.
    """
    if not ports:
        return ()
    directory = f"{state}/ports"
    os.makedirs(directory, 0o700, exist_ok=True)
    lock = links.lock(directory)
    claims = _Claims(directory, owner, [address.partition("/")[0] for address in addresses])
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
    """Gives back what ``owner`` has, and takes it out of the table; gone already is fine.

    While the owner still has its addresses: what leads there must not lead to the
    next one. Who knows the ``ports`` says them, and is spared a look at everybody's.
    """
    directory = f"{state}/ports"
    try:
        turn = links.turn(directory, alone=False)  # many at once: each waits for the kernel
    except FileNotFoundError:
        return
    try:
        names = os.listdir(directory) if ports is None else [*map(links.name, ports)]
        mine = [link for link in links.read(directory, names) if link.owner == owner]
        _unpublish(mine)
        lock = links.lock(directory)
        try:
            for name in (links.name(link.port) for link in mine):
                if links.holder(directory, name) == owner:
                    os.unlink(f"{directory}/{name}")
        finally:
            os.close(lock)
    finally:
        os.close(turn)


def restore(state: str) -> None:
    """Publishes what is claimed and not in the table: somebody had removed that, and it was made anew.

    Meanwhile nobody gives a port back. One whose start has not come so far is
    published a moment early. Raises OSError.
    """
    directory = f"{state}/ports"
    try:
        turn = links.turn(directory, alone=True)
    except FileNotFoundError:
        return
    try:
        found = [link for link in links.read(directory, os.listdir(directory)) if link.addresses]
        published.restore([(link.port, link.addresses) for link in found])
    finally:
        os.close(turn)


def owners(state: str) -> dict[str, str]:
    """The name of every link (``tcp-any-8080``), and whose it is."""
    directory = f"{state}/ports"
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return {}
    holders = {name: links.holder(directory, name) for name in names}
    return {name: owner for name, owner in holders.items() if owner}


class _Claims:
    """What one call of ``claim`` takes. The directory is locked meanwhile."""

    def __init__(self, directory: str, owner: str, addresses: Sequence[str]) -> None:
        from minirun.network import listeners  # no start without ports needs it

        self.host = listeners
        self.directory = directory
        self.owner = owner
        self.addresses = addresses
        self.there = set(os.listdir(directory))
        self.mine: set[str] = set()
        self.made: list[str] = []

    def take(self, port: Port) -> None:
        """Takes the very port. Raises Conflict."""
        name = links.name(port)
        for rival in self._rivals(port):
            holder = links.holder(self.directory, rival)
            if rival in self.mine or rival != name or holder != self.owner:
                raise _taken(port, rival, holder, self.owner)
        if error := self.host.refusal(port):
            raise self.host.refused(port, error) from error
        self._make(port)

    def choose(self, port: Port) -> Port:
        """Takes the first that is free of those that ``port`` allows. Raises Conflict."""
        for number in _candidates(port):
            wanted = replace(port, host_port=number, host_port_end=0)
            if any(self._rivals(wanted)):
                continue
            error = self.host.refusal(wanted)
            if error is None:
                self._make(wanted)
                return wanted
            if error.errno != errno.EADDRINUSE:
                raise self.host.refused(wanted, error) from error
        span = f"{port.host_port} to {port.host_port_end}" if port.host_port else "the dynamic ports"
        raise Conflict(
            f"no port of the host's is free for {port.port}/{port.protocol}",
            f"all of {span} are in use",
            "name other ports, or remove a container that has one (minirun ps)",
        )

    def _make(self, port: Port) -> None:
        name = links.name(port)
        path, text = f"{self.directory}/{name}", links.text(self.owner, port, self.addresses)
        if name in self.there and os.readlink(path) != text:  # of a start that died
            os.unlink(path)
            self.there.remove(name)
        if name not in self.there:
            os.symlink(text, path)
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
                other, own = name[len(start) : -len(end)], port.host_address or links.ANY
                if _covers(other, own) or _covers(own, other):
                    yield name


def _covers(address: str, other: str) -> bool:
    """Whether who listens on ``address`` gets what is sent to ``other``."""
    if address in (other, links.ANY):
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


def _taken(port: Port, rival: str, holder: str, owner: str) -> Conflict:
    who = "this container, for another of its ports," if holder == owner else f"container {holder[:12]}"
    protocol, _, rest = rival.partition("-")
    address, _, _ = rest.rpartition("-")
    where = host_side(replace(port, host_address="" if address == links.ANY else address))
    return Conflict(
        f"cannot publish {shown(port)}",
        f"{who} has {where}/{protocol}",
        "choose another port of the host's, or stop that container",
    )


def _unpublish(mine: Sequence[links.Link]) -> None:
    for addresses in {link.addresses for link in mine if link.addresses}:
        try:
            published.unpublish([link.port for link in mine if link.addresses == addresses], addresses)
        except OSError:
            pass  # the table is gone, and its elements with it


def _each_once(ports: Sequence[Port]) -> list[Port]:
    return [port for n, port in enumerate(ports) if _is_open(port) or port not in ports[:n]]


def _is_open(port: Port) -> bool:
    """Whether its number is still to be chosen."""
    return not port.host_port or bool(port.host_port_end)
