"""The nouns of a map. Layer ``network``; read ``find.py`` next.

An interface is known by two numbers: the inode of its namespace and its index
there. Names say nothing: every container has an ``eth0``.
"""

from __future__ import annotations

from typing import Any

from minirun.values import Value

#: Kinds of links that come as two ends of one cable.
PAIRS = ("veth", "netkit")


class Link(Value):
    """One interface."""

    index: int
    name: str
    kind: str = ""
    """``veth``, ``bridge``, ``macvlan`` ...; a device with a driver has none."""
    up: bool = False
    carrier: bool = False
    mtu: int = 0
    mac: str = ""
    master: int = 0
    """The index of the bridge (or bond, or vrf) that it is a port of."""
    other: int = 0
    """IFLA_LINK: the index of a pair's other end, or of the interface below this one."""
    other_netnsid: int | None = None
    """IFLA_LINK_NETNSID: this namespace's number for the one that ``other`` is in; None is this one."""
    mode: str = ""
    addresses: tuple[str, ...] = ()


class Route(Value):
    """A way out of the namespace: by a gateway, or without one through a point-to-point link."""

    destination: str
    """``default``, or a subnet."""
    family: int
    gateway: str = ""
    index: int = 0
    metric: int = 0


class Place(Value):
    """Where a namespace was met: what keeps it alive."""

    inode: int
    pids: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    """Bind mounts of it, and links to it in /run/netns."""
    comm: str = ""
    """The name of its first process."""
    engine: str = ""
    """Whose container that process is in, and its id: ``podman 1a2b...``, by its cgroup."""


class Found(Value):
    """All namespaces, and what could not be looked at."""

    here: int
    places: tuple[Place, ...] = ()
    missing: tuple[str, ...] = ()


class Tables(Value):
    """What the kernel answered in one namespace."""

    inode: int
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    nsids: dict[str, int] = {}
    """This namespace's number for another one -> the inode of that (RTM_GETNSID)."""
    firewall: dict[str, Any] = {}
    """``nft -j list ruleset``; under ``iptables`` what iptables-save has to add."""
    problem: str = ""
    """Why there is nothing here, or no firewall."""


class Nat(Value):
    """Rules of one table that give packets another source address."""

    table: str
    """``inet minirun``"""
    owner: str
    """Who wrote them, as far as names tell: minirun, docker, netavark, CNI ..."""
    kind: str
    """``masquerade``: the address of the interface that it leaves by; ``snat``: a given one."""
    sources: tuple[str, ...] = ()
    """The subnets that it is for; none is all."""
    inside: tuple[str, ...] = ()
    """The interfaces that packets come from, where it says so."""
    out: tuple[str, ...] = ()
    """The interfaces that they leave by, where it says so."""
    hairpin: bool = False
    """It serves the way back of published ports, not the way out."""
    rules: int = 1


class Published(Value):
    """A port of the router that leads to another one. Ports are text: there are ranges."""

    table: str
    owner: str
    protocol: str
    host_address: str = ""
    host_port: str = ""
    address: str = ""
    port: str = ""
    target: int = 0
    """The inode of the namespace that has ``address``; 0 where it is not known."""


class Namespace(Value):
    """One network stack."""

    inode: int
    kind: str
    """host, container, netns (by ``ip netns``), process, pinned, or whose engine's: podman, docker ..."""
    name: str
    pid: int = 0
    paths: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    nat: tuple[Nat, ...] = ()
    published: tuple[Published, ...] = ()
    internal: tuple[str, ...] = ()
    """The bridges that minirun's table lets nothing out of."""
    problem: str = ""

    @property
    def title(self) -> str:
        """``container web``."""
        return self.name if self.kind == "host" else f"{self.kind} {self.name}"


class End(Value):
    """One interface; namespace 0 is one that could not be found."""

    namespace: int
    index: int


class Wire(Value):
    """A cable. Of a pair the ends are equal; else ``right`` sits on ``left`` (a macvlan, a vlan)."""

    kind: str
    left: End
    right: End
    both: bool = True
    """Each end names the other one; else only one could be asked."""


class Map(Value):
    """Everything, seen from the namespace ``here``."""

    here: int
    namespaces: tuple[Namespace, ...] = ()
    wires: tuple[Wire, ...] = ()
    networks: dict[str, str] = {}
    """A bridge's name in ``here`` -> the network's name."""
    missing: tuple[str, ...] = ()


class Names(Value):
    """What the kernel does not know: how people call things."""

    containers: dict[int, str] = {}
    """The pid of a container's first process -> its name."""
    networks: dict[str, str] = {}
    """The interface of a bridge -> the name of its network."""


def whole(value: Any) -> Any:
    """``value`` as JSON has it, defaults too: a program that reads it need not know them."""
    if isinstance(value, Value):
        return {field: whole(getattr(value, field)) for field in value.__fields__}
    if isinstance(value, dict):
        return {str(key): whole(item) for key, item in value.items()}
    return [whole(item) for item in value] if isinstance(value, (list, tuple)) else value
