"""The map as boxes and arrows, for a program that lays them out.

Layer ``network``. Pure. Namespaces are frames, interfaces boxes in them; NAT is
a box between the bridges and the uplink, and the world is one outside of all
frames. ``mermaid.py`` and ``dot.py`` spell this in their languages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minirun.network.map import wiring
from minirun.network.map.model import PAIRS, End, Link, Map, Namespace, Nat, Wire
from minirun.network.map.wiring import Wiring
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What an edge is: a bridge's port, a cable, one on top of another, the way out.
PORT, PAIR, UPON, WAY = "port", "pair", "upon", "way"
WORLD = "world"


class Box(Value):
    """``shape`` is interface, bridge, nat, unknown or world."""

    id: str
    shape: str
    lines: tuple[str, ...]
    down: bool = False


class Frame(Value):
    """A namespace with its boxes."""

    id: str
    title: str
    here: bool = False
    boxes: tuple[Box, ...] = ()


class Edge(Value):
    """From ``left``, which is nearer to the world, to ``right``."""

    left: str
    right: str
    kind: str
    label: str = ""


class Graph(Value):
    """``boxes`` are those outside of all frames."""

    frames: tuple[Frame, ...] = ()
    boxes: tuple[Box, ...] = ()
    edges: tuple[Edge, ...] = ()


def graph(map: Map) -> Graph:
    """The boxes and arrows of a map."""
    found = Wiring(map)
    edges = [edge for one in map.namespaces for edge in _inside(found, one)]
    edges += [_cable(found, wire) for wire in map.wires]
    boxes = [
        Box(id=_id(end), shape="unknown", lines=(f"interface {end.index}", "namespace not found"))
        for wire in map.wires
        for end in (wire.left, wire.right)
        if end not in found.links
    ]
    if any(edge.left == WORLD for edge in edges):
        boxes.append(Box(id=WORLD, shape="world", lines=("the world",)))
    frames = [_frame(found, one) for one in map.namespaces]
    return Graph(frames=tuple(frames), boxes=tuple(boxes), edges=tuple(edges))


def _cable(found: Wiring, wire: Wire) -> Edge:
    ends = wire.left, wire.right
    kind = PAIR if wire.kind in PAIRS else UPON
    if kind == PAIR and _is_uplink(found, wire.left) and not _is_uplink(found, wire.right):
        ends = wire.right, wire.left
    return Edge(left=_id(ends[0]), right=_id(ends[1]), kind=kind, label=wire.kind)


def _is_uplink(found: Wiring, end: End) -> bool:
    return end in found.links and found.links[end] in wiring.uplinks(found.namespaces[end.namespace])


def _frame(found: Wiring, namespace: Namespace) -> Frame:
    boxes = [_box(found, namespace, link) for link in namespace.links if not wiring.is_everywhere(link)]
    for number, (nats, _) in enumerate(_translated(namespace)):
        tables = dict.fromkeys(f"table {nat.table}" for nat in nats)
        boxes.append(Box(id=_nat_id(namespace, number), shape="nat", lines=("NAT", nats[0].kind, *tables)))
    lost = [wiring.port_words(port) for port in namespace.published if not port.target]
    if lost:
        boxes.append(Box(id=f"lost{namespace.inode}", shape="nat", lines=tuple(lost)))
    if not boxes:
        id = f"i{namespace.inode}_none"
        boxes.append(Box(id=id, shape="interface", lines=(namespace.problem or "lo only",)))
    here = namespace.inode == found.map.here
    process = f" · pid {namespace.pid}" if namespace.pid and not here else ""
    title = f"{namespace.title}{process} · net:[{namespace.inode}]"
    return Frame(id=f"n{namespace.inode}", title=title, here=here, boxes=tuple(boxes))


def _box(found: Wiring, namespace: Namespace, link: Link) -> Box:
    lines = [link.name]
    if link.kind == "bridge":
        network = found.map.networks.get(link.name, "") if namespace.inode == found.map.here else ""
        inner = ", internal" if link.name in namespace.internal else ""
        lines.append(f"bridge of network {network}{inner}" if network else f"bridge{inner}")
    elif link.kind not in ("", *PAIRS):
        lines.append(" ".join(filter(None, (link.kind, link.mode))))
    lines += wiring.shown_addresses(link).split(", ")
    lines.append(wiring.default_routes(namespace, link.index))
    ports = wiring.published_to(found.map, namespace.inode)
    lines += [wiring.port_words(port) for port in ports if wiring.has_address(link, port.address)]
    down = not link.up
    lines.append("down" if down else "")
    shape = "bridge" if link.kind == "bridge" else "interface"
    id = _id(End(namespace=namespace.inode, index=link.index))
    return Box(id=id, shape=shape, lines=tuple(filter(None, lines)), down=down)


def _inside(found: Wiring, namespace: Namespace) -> Iterator[Edge]:
    """Ports and their bridges; from the world by the uplink to NAT to the bridges."""
    for link in namespace.links:
        if any(master.index == link.master for master in namespace.links):
            yield Edge(
                left=_link_id(namespace, link.master), right=_link_id(namespace, link.index), kind=PORT
            )
    outside = []
    for link in wiring.uplinks(namespace):
        id = _link_id(namespace, link.index)
        end = End(namespace=namespace.inode, index=link.index)
        outside.append(id)
        if not found.pair(end) and not found.below(end) and link.kind != "bridge":
            yield Edge(left=WORLD, right=id, kind=WAY)
    for number, (_, bridges) in enumerate(_translated(namespace)):
        nat = _nat_id(namespace, number)
        yield from (Edge(left=id, right=nat, kind=WAY) for id in outside)
        for bridge in bridges:
            yield Edge(left=nat, right=_link_id(namespace, bridge.index), kind=WAY)


def _translated(namespace: Namespace) -> list[tuple[tuple[Nat, ...], list[Link]]]:
    groups: dict[tuple[Nat, ...], list[Link]] = {}
    for link in namespace.links:
        nats = wiring.translations(namespace, link) if link.kind == "bridge" else ()
        if nats:
            groups.setdefault(nats, []).append(link)
    return list(groups.items())


def _id(end: End) -> str:
    return f"i{end.namespace}_{end.index}"


def _link_id(namespace: Namespace, index: int) -> str:
    return _id(End(namespace=namespace.inode, index=index))


def _nat_id(namespace: Namespace, number: int) -> str:
    return f"nat{namespace.inode}_{number}"
