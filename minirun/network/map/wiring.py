"""A Map as one looks things up in it. Layer ``network``; pure. Read ``text.py`` next."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from minirun.network.map.model import PAIRS, End, Link, Map, Namespace, Nat, Published, Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Wiring:
    """Who is at the other end, who is a port of whom, who sits on whom."""

    def __init__(self, map: Map) -> None:
        self.map = map
        self.namespaces = {one.inode: one for one in map.namespaces}
        self.links = {
            End(namespace=n.inode, index=link.index): link for n in map.namespaces for link in n.links
        }
        self._pairs: dict[End, tuple[End, Wire]] = {}
        self._above: dict[End, list[End]] = {}
        self._below: dict[End, End] = {}
        for wire in map.wires:
            if wire.kind in PAIRS:
                self._pairs[wire.left] = (wire.right, wire)
                self._pairs[wire.right] = (wire.left, wire)
            else:
                self._above.setdefault(wire.left, []).append(wire.right)
                self._below[wire.right] = wire.left

    def pair(self, end: End) -> End | None:
        """The other end of a veth pair."""
        return self._pairs[end][0] if end in self._pairs else None

    def above(self, end: End) -> Sequence[End]:
        """The macvlans and vlans that sit on an interface, wherever they are."""
        return self._above.get(end, [])

    def below(self, end: End) -> End | None:
        """The interface that a macvlan or vlan sits on."""
        return self._below.get(end)

    def wired(self) -> Iterator[Namespace]:
        """The namespaces with an interface that may lead somewhere."""
        return (one for one in self.map.namespaces if not all(map(is_everywhere, one.links)))

    def ports(self, namespace: Namespace, master: Link) -> list[Link]:
        """The interfaces that are ports of a bridge."""
        return [link for link in namespace.links if link.master == master.index]


#: A module that is loaded puts one of these into each namespace: tunl0, sit0, gre0 ...
_TUNNELS = (
    "ipip",
    "sit",
    "gre",
    "gretap",
    "erspan",
    "vti",
    "ip6tnl",
    "vti6",
    "ip6gre",
    "ip6gretap",
    "ip6erspan",
)


def is_everywhere(link: Link) -> bool:
    """Whether each namespace has it: ``lo``, and tunnels that nobody uses."""
    idle = not (link.up or link.addresses or link.master) and link.kind in _TUNNELS
    return link.name == "lo" or (idle and link.name.endswith("0"))


def shown_addresses(link: Link) -> str:
    """The addresses that somebody gave: fe80:: is in every interface."""
    return ", ".join(one for one in link.addresses if not one.lower().startswith("fe80:"))


def default_routes(namespace: Namespace, index: int = 0) -> str:
    """``default via 10.88.0.1``, of one interface or of all; "" if there is none."""
    routes = [r for r in namespace.routes if r.destination == "default" and (not index or r.index == index)]
    gateways = dict.fromkeys(route.gateway for route in sorted(routes, key=lambda r: r.metric))
    via = ", ".join(filter(None, gateways))
    return f"default via {via}" if via else "default" if routes else ""


def uplinks(namespace: Namespace) -> list[Link]:
    """The interfaces that default routes leave by."""
    indexes = {route.index for route in namespace.routes if route.destination == "default"}
    return [link for link in namespace.links if link.index in indexes]


def translations(namespace: Namespace, bridge: Link) -> tuple[Nat, ...]:
    """The rules that give what comes from a bridge another source address on its way out."""
    if bridge.name in namespace.internal:
        return ()
    return tuple(
        nat
        for nat in namespace.nat
        if not nat.hairpin
        and (not nat.inside or _named(bridge.name, nat.inside))
        and (not nat.out or any(_named(o.name, nat.out) for o in namespace.links if o is not bridge))
        and touched(nat, [bridge])
    )


def _named(name: str, patterns: Iterable[str]) -> bool:
    """Whether an interface is one of those that a rule means: ``eth0``, ``veth*``."""
    return any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in patterns)


def touched(nat: Nat, bridges: Iterable[Link]) -> list[str]:
    """The sources of a rule that are in the bridges' subnets; the subnets where it is for all.

    A rule for one family only does not tell: its table's family does.
    """
    subnets = [
        _network(text) for bridge in bridges for text in bridge.addresses if not text.startswith("fe80:")
    ]
    family = nat.table.partition(" ")[0]
    subnets = [one for one in subnets if family == "inet" or (one.version == 6) == (family == "ip6")]
    if not nat.sources:
        return [str(subnet) for subnet in subnets]
    return [source for source in nat.sources if any(_overlap(source, subnet) for subnet in subnets)]


def _overlap(source: str, subnet: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        network = _network(source.partition("-")[0])  # a range counts where it begins
    except ValueError:
        return False
    return network.version == subnet.version and network.overlaps(subnet)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_interface(text).network


def published_to(map: Map, inode: int) -> list[Published]:
    """The ports of routers that lead into a namespace."""
    return [port for one in map.namespaces for port in one.published if port.target == inode]


def port_words(port: Published) -> str:
    """``published 0.0.0.0:8080 → 80/tcp``, with the address if nobody is known to have it."""
    address = f"[{port.address}]" if ":" in port.address else port.address
    to = (
        container_side(port)
        if port.target
        else f"{address or 'an address that is not told'} {container_side(port)}"
    )
    owner = f", by {port.owner}" if port.owner else ""
    by = "" if port.owner == "minirun" else f" (table {port.table}{owner})"
    return f"published {host_side(port)} → {to}{by}"


def host_side(port: Published) -> str:
    """``0.0.0.0:8080``: where a published port is asked for."""
    everywhere = "[::]" if ":" in port.address else "0.0.0.0" if port.address else "*"
    address = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
    return f"{address or everywhere}:{port.host_port or '*'}"


def container_side(port: Published) -> str:
    """``80/tcp``: where it leads."""
    return f"{port.port or port.host_port or '*'}{'/' if port.protocol else ''}{port.protocol}"


def has_address(link: Link, address: str) -> bool:
    """Whether an interface has an address, whatever its prefix length."""
    return any(one.partition("/")[0] == address for one in link.addresses)
