"""The map as a tree of lines: from the world inwards, a branch for every wire.

Layer ``network``. Pure. The tree begins at the namespace that one stands in and
follows the wires: uplink, NAT, bridge, and the veth pairs that are plugged into
it, each with who is at its other end. What no wire leads to from here follows
as trees of its own. A namespace is drawn whole where it is met first, and each
wire once, by whichever of its two namespaces was met first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.network.map import tree, wiring
from minirun.network.map.model import PAIRS, End, Link, Map, Namespace, Nat
from minirun.network.map.tree import Node
from minirun.network.map.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Sources of NAT that are written out before the rest is counted.
_FEW = 3
#: What a sign looks like in the drawing, the word for it, and what it means.
_LEGEND = (
    ("⇄", "⇄", "a veth pair: what enters at one end comes out at the other, also in another namespace"),
    ("  bridge", "bridge", "a switch in the kernel; its own address is the gateway of those plugged into it"),
    ("NAT", "NAT", "what leaves gets an address of the router's, so that answers find their way back"),
    ("published", "published", "what comes to this port of the router's is sent on to the container's"),
    ("▷", "▷", "an interface that sits on another one, with a hardware address or a tag of its own"),
)


def text(map: Map) -> str:
    """The map for people."""
    drawing = _Drawing(map)
    blocks = ["\n".join(tree.lines(root)) for root in drawing.trees()]
    blocks.append(_listed("With nothing but a loopback:", (drawing.title(one) for one in drawing.alone())))
    blocks.append(_listed("Not seen:", map.missing))
    drawn = "\n".join(blocks)
    blocks.append(_listed("", (f"{word:<9}  {meaning}" for sign, word, meaning in _LEGEND if sign in drawn)))
    return "\n\n".join(filter(None, blocks)) + "\n"


def _listed(heading: str, entries: Iterable[str]) -> str:
    indented = [f"  {tree.clean(entry)}" for entry in entries]
    return "\n".join(filter(None, [heading, *indented])) if indented else ""


class _Drawing:
    """The tree as it grows: who was drawn already, and which wires."""

    def __init__(self, map: Map) -> None:
        self.map = map
        self.wiring = Wiring(map)
        self.drawn: set[int] = set()
        self.plugged: set[End] = set()

    def trees(self) -> Iterator[Node]:
        """From here; then from the namespace with most interfaces of each part that is left."""
        rest = sorted(self.wiring.wired(), key=lambda one: (-len(one.links), one.inode))
        for namespace in (self.wiring.namespaces[self.map.here], *rest):
            if namespace.inode not in self.drawn:
                self.drawn.add(namespace.inode)
                yield Node(self.title(namespace), below=self._inside(namespace, None))

    def alone(self) -> Iterator[Namespace]:
        """The namespaces that nothing leads out of. ``missing`` tells of those that could not be read."""
        return (one for one in self.map.namespaces if one.inode not in self.drawn and one.links)

    def title(self, namespace: Namespace, note: str = "") -> str:
        """``container web (pid 1234, net:[4026532345])``."""
        here = namespace.inode == self.map.here
        known = [f"pid {namespace.pid}" if namespace.pid and not here else "", f"net:[{namespace.inode}]"]
        known += ["you are here" if here else "", note]
        return f"{namespace.title} ({', '.join(filter(None, known))})"

    def _inside(self, namespace: Namespace, door: Link | None) -> list[Node]:
        """What is in a namespace, apart from the interface that one came by: uplinks, NAT, bridges, wires."""
        ways_out = [one for one in wiring.uplinks(namespace) if one is not door and one.kind != "bridge"]
        up = self._interfaces(namespace, ways_out)
        bridges = self._bridges(namespace)
        if up and not self.wiring.pair(_end(namespace, ways_out[-1])):
            # As a packet goes: from the world by the uplink through NAT to the bridge.
            up[-1].below += bridges
            bridges = []
        others = self._interfaces(namespace, [one for one in namespace.links if one not in (door, *ways_out)])
        lost = [Node(wiring.port_words(port)) for port in namespace.published if not port.target]
        return [*self._loopback(namespace), *up, *bridges, *others, *lost]

    def _loopback(self, namespace: Namespace) -> Iterator[Node]:
        if namespace.pid and any(link.name == "lo" and not link.up for link in namespace.links):
            yield Node("lo is down: nothing in here reaches itself by 127.0.0.1")

    def _interfaces(self, namespace: Namespace, links: Iterable[Link]) -> list[Node]:
        # Asked for one after the other: to draw one end of a cable is to draw the other one.
        return [self._interface(namespace, link) for link in links if self._is_top(namespace, link)]

    def _is_top(self, namespace: Namespace, link: Link) -> bool:
        """Whether it is drawn in its own right: not by its bridge, its other end, or what it sits on."""
        end = _end(namespace, link)
        if wiring.is_everywhere(link) or link.kind == "bridge" or link.master or end in self.plugged:
            return False
        below = self.wiring.below(end)
        if below and below.namespace == namespace.inode:
            return False
        far = self.wiring.pair(end)
        # The namespace at the other end draws it: it was met before, with all its wires.
        return not far or far.namespace not in self.drawn or far.namespace == namespace.inode

    def _bridges(self, namespace: Namespace) -> list[Node]:
        """The bridges, below the NAT that what leaves them goes through."""
        groups: dict[tuple[Nat, ...], list[Link]] = {}
        for link in namespace.links:
            if link.kind == "bridge":
                groups.setdefault(wiring.translations(namespace, link), []).append(link)
        nodes: list[Node] = []
        for nats, bridges in sorted(groups.items(), key=lambda group: not group[0]):
            drawn = [self._bridge(namespace, bridge) for bridge in bridges]
            nodes += [Node(f"NAT  {_translation(nats, bridges)}", below=drawn)] if nats else drawn
        return nodes

    def _bridge(self, namespace: Namespace, bridge: Link) -> Node:
        network = self.map.networks.get(bridge.name, "") if namespace.inode == self.map.here else ""
        ports = self._ports(namespace, bridge)
        kind = f"bridge of network {network}" if network else "bridge"
        kind += ", internal: no way out" if bridge.name in namespace.internal else ""
        return Node(
            bridge.name,
            kind,
            wiring.shown_addresses(bridge),
            f"mtu {bridge.mtu}",
            # Without ports it has no carrier, and that is no trouble.
            _joined(_trouble(bridge) if ports else "", wiring.default_routes(namespace, bridge.index)),
            below=ports + self._uppers(namespace, bridge),
        )

    def _ports(self, namespace: Namespace, master: Link) -> list[Node]:
        ports = self.wiring.ports(namespace, master)
        return [
            self._interface(namespace, port) for port in ports if _end(namespace, port) not in self.plugged
        ]

    def _interface(self, namespace: Namespace, link: Link) -> Node:
        """An interface and, if it is one end of a cable, who is at the other."""
        end = _end(namespace, link)
        far = self.wiring.pair(end)
        near = _joined(link.name, wiring.shown_addresses(link))
        route = wiring.default_routes(namespace, link.index)
        if far is None:
            below = self._ports(namespace, link) + self._uppers(namespace, link)  # a bond has ports, too
            kind = _joined(link.kind or "device", self._footing(namespace, link))
            return Node(near, kind, f"mtu {link.mtu}", _joined(_trouble(link), route), below=below)
        self.plugged |= {far, end}
        there = self.wiring.links.get(far)
        if there is None:
            uppers = self._uppers(namespace, link)
            where = self.wiring.namespaces.get(far.namespace)
            unknown = self.title(where) if where else "a namespace that could not be found"
            return Node(
                f"{near} ⇄ interface {far.index}", "", _joined(unknown, _trouble(link), route), below=uppers
            )
        owner, inside = self._entered(self.wiring.namespaces[far.namespace], there, namespace)
        notes = [_trouble(link) or _trouble(there), route]
        notes.append(f"mtu {link.mtu} here, {there.mtu} there" if there.mtu != link.mtu else "")
        return Node(
            f"{near} ⇄ {there.name}",
            wiring.shown_addresses(there),
            _joined(owner, *notes),
            below=self._uppers(namespace, link) + inside,
        )

    def _footing(self, namespace: Namespace, link: Link) -> str:
        """Where a macvlan's lower interface is, if that is another namespace."""
        below = self.wiring.below(_end(namespace, link))
        if below is None:
            return ""
        lower, whose = self.wiring.links.get(below), self.wiring.namespaces.get(below.namespace)
        if lower and whose:
            return f"on {lower.name} of {whose.title}"
        return f"on interface {below.index} of " + (
            self.title(whose) if whose else "a namespace that could not be found"
        )

    def _uppers(self, namespace: Namespace, link: Link) -> list[Node]:
        """The macvlans, vlans ... that sit on an interface, wherever they are."""
        nodes = []
        for end in self.wiring.above(_end(namespace, link)):
            upper, whose = self.wiring.links[end], self.wiring.namespaces[end.namespace]
            owner, inside = self._entered(whose, upper, namespace)
            kind = " ".join(filter(None, (upper.kind, upper.mode)))
            cells = f"▷ {upper.name}", kind, wiring.shown_addresses(upper), _joined(owner, _trouble(upper))
            nodes.append(Node(*cells, below=inside))
        return nodes

    def _entered(self, namespace: Namespace, door: Link, origin: Namespace) -> tuple[str, list[Node]]:
        """How a namespace at the end of a wire is named, and what is inside: all of it the first time."""
        route = wiring.default_routes(namespace, door.index)
        nodes = [*([Node(route)] if route else []), *self._uppers(namespace, door)]
        if namespace is origin:
            return "in the same namespace" if door.kind in PAIRS else "", nodes
        if namespace.inode in self.drawn:
            return self.title(namespace, "drawn above"), nodes
        self.drawn.add(namespace.inode)
        nodes += [Node(wiring.port_words(port)) for port in wiring.published_to(self.map, namespace.inode)]
        return self.title(namespace), nodes + self._inside(namespace, door)


def _translation(nats: Iterable[Nat], bridges: list[Link]) -> str:
    """``masquerade 10.88.0.0/16 (table inet minirun)``."""
    words = []
    for nat in nats:
        sources = wiring.touched(nat, bridges)
        few = ", ".join(sources[:_FEW]) + (f" and {len(sources) - _FEW} more" if len(sources) > _FEW else "")
        out = f" out by {', '.join(nat.out)}" if nat.out else ""
        owner = f", by {nat.owner}" if nat.owner not in ("", "minirun") else ""
        words.append(f"{nat.kind} {few}{out} (table {nat.table}{owner})")
    return "; ".join(words)


def _end(namespace: Namespace, link: Link) -> End:
    return End(namespace=namespace.inode, index=link.index)


def _trouble(link: Link) -> str:
    return "" if link.up and link.carrier else "no carrier" if link.up else "down"


def _joined(*words: str) -> str:
    return "  ".join(filter(None, words))
