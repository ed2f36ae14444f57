"""From the kernel's tables to a Map. Pure: the same tables give the same map.

Layer ``network``. A pair is believed when each end names the other one: by its
index, in its namespace. One that only names is a wire too, as the other side
could not be asked; one that is contradicted leads nowhere known, because the
world moved while it was read. See veth(4); ``firewall.py`` next.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

from minirun.network.map import firewall
from minirun.network.map.find import NETNS_DIRECTORIES
from minirun.network.map.model import (
    PAIRS,
    End,
    Found,
    Link,
    Map,
    Names,
    Namespace,
    Place,
    Published,
    Tables,
    Wire,
)
from minirun.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Links = Mapping[tuple[int, int], Link]
    NSIDs = Mapping[int, Mapping[str, int]]


def build(found: Found, answers: Iterable[Tables], names: Names) -> Map:
    """The map of what was found, and of what the kernel answered for each."""
    tables = {one.inode: one for one in answers}
    # What has no tables was gone when it was to be read.
    places = [place for place in found.places if place.inode in tables]
    namespaces = [_namespace(place, tables[place.inode], found.here, names) for place in places]
    wires = tuple(wires_of(namespaces, {inode: one.nsids for inode, one in tables.items()}))
    owners = _owners_of_addresses(namespaces, wires)
    return Map(
        here=found.here,
        namespaces=tuple(_with_targets(one, owners) for one in namespaces),
        wires=wires,
        networks=names.networks,
        missing=(*found.missing, *(f"{one.title}: {one.problem}" for one in namespaces if one.problem)),
    )


def _namespace(place: Place, tables: Tables, here: int, names: Names) -> Namespace:
    kind, name, pid = _called(place, here, names)
    nat, published = firewall.read(tables.firewall)
    return Namespace(
        inode=place.inode,
        kind=kind,
        name=name,
        pid=pid,
        paths=place.paths,
        links=tables.links,
        routes=tables.routes,
        nat=nat,
        published=published,
        internal=firewall.internal(tables.firewall),
        problem=tables.problem,
    )


def _called(place: Place, here: int, names: Names) -> tuple[str, str, int]:
    """The kind of a namespace, its name, and the process that stands for it."""
    first = min(place.pids, default=0)
    inside = [pid for pid in place.pids if pid in names.containers]
    if inside:
        return "container", ", ".join(names.containers[pid] for pid in inside), inside[0]
    if 1 in place.pids or place.comm == "kthreadd":  # the kernel's own threads are where it began
        return "host", "host", first
    if place.engine:
        engine, _, id = place.engine.partition(" ")
        return engine, id, first
    by_ip = [path for path in place.paths if os.path.dirname(path) in NETNS_DIRECTORIES]
    if by_ip:
        return "netns", os.path.basename(by_ip[0]), first
    if place.inode == here:
        return "host", "host", first
    if place.pids:
        return "process", place.comm, first
    return "pinned", place.paths[0] if place.paths else str(place.inode), 0


def wires_of(namespaces: Iterable[Namespace], nsids: NSIDs) -> Iterator[Wire]:
    """Every cable once, from the lower end (namespace, index) to the higher, or from below upwards."""
    links = {(one.inode, link.index): link for one in namespaces for link in one.links}
    plugged: set[tuple[int, int]] = set()
    loose = []
    for place, link in sorted(links.items(), key=lambda item: item[0]):
        far = _far(place, link, nsids)
        if not far or place in plugged:
            continue
        if link.kind not in PAIRS:
            yield Wire(kind=link.kind, left=_end(far), right=_end(place))
            continue
        back = _far(far, links[far], nsids) if far in links and links[far].kind in PAIRS else None
        if back in (place, (0, place[1])):
            plugged |= {place, far}
            yield Wire(kind=link.kind, left=_end(place), right=_end(far), both=back == place)
        else:
            # In a namespace that could not be read, or in none that is known.
            unread = far[0] and not any(inode == far[0] for inode, _ in links)
            loose.append((place, far if unread else (0, far[1])))
    for place, far in loose:
        if place not in plugged:
            yield Wire(kind=links[place].kind, left=_end(place), right=_end(far), both=False)


def _far(place: tuple[int, int], link: Link, nsids: NSIDs) -> tuple[int, int] | None:
    """Namespace and index of what the link says is at its other end, or below it."""
    if link.other_netnsid is None:
        return (place[0], link.other) if link.other not in (0, link.index) else None
    # Before Linux 5.17 IFLA_LINK was left out where both ends have the same index.
    return nsids.get(place[0], {}).get(str(link.other_netnsid), 0), link.other or link.index


def _end(place: tuple[int, int]) -> End:
    return End(namespace=place[0], index=place[1])


def _owners_of_addresses(
    namespaces: Iterable[Namespace], wires: Iterable[Wire]
) -> dict[tuple[int, str], int]:
    """(router, address) -> the namespace that has the address, at the end of one of the router's wires.

    The same address may be in several places that know nothing of one another.
    """
    links = {(one.inode, link.index): link for one in namespaces for link in one.links}
    owners = {}
    for wire in wires:
        for near, far in ((wire.left, wire.right), (wire.right, wire.left)):
            link = links.get((far.namespace, far.index))
            for address in link.addresses if link else ():
                owners[near.namespace, _plain(address)] = far.namespace
    return owners


def _with_targets(namespace: Namespace, owners: Mapping[tuple[int, str], int]) -> Namespace:
    return replace(
        namespace, published=tuple(_aimed(one, namespace.inode, owners) for one in namespace.published)
    )


def _aimed(port: Published, router: int, owners: Mapping[tuple[int, str], int]) -> Published:
    if not port.address:
        return port
    return replace(port, target=owners.get((router, _plain(port.address)), 0))


def _plain(address: str) -> str:
    """An address in its one form, without the length of its prefix."""
    try:
        return str(ipaddress.ip_interface(address).ip)
    except ValueError:
        return address
