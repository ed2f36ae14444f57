"""What links, addresses and routes there are in a network namespace, by rtnetlink.

Layer ``linux``, beside ``netlink_route.py``, which makes them, and where the
words are explained. A dump asks for a whole table. See rtnetlink(7).
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import struct
import sys

from minirun.linux.netlink import NETLINK_ROUTE, Socket, attribute, attributes
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

_GETLINK, _GETADDR, _GETROUTE = 18, 22, 26
LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix, flags, scope, index
ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, prefixes, tos, table, protocol, scope, type
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_INFO_KIND = 18, 20, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
_RTA_PRIORITY, _RTA_MULTIPATH, _RTA_TABLE = 6, 9, 15
RT_TABLE_MAIN, RTN_UNICAST, UP = 254, 1, 1
_RTM_F_CLONED = 0x200
_ORDINARY_MTU = 1500


class Link(Value):
    """A network interface. ``master`` and ``parent`` are indexes, 0 for none."""

    index: int
    name: str
    kind: str = ""
    """``bridge``, ``veth``, ``macvlan`` ...; empty for hardware and the loopback."""
    mac: str = ""
    mtu: int = 0
    up: bool = False
    master: int = 0
    """The bridge that it is a port of."""
    alias: str = ""
    parent: int = 0
    """What a macvlan sits on, the other end of a veth pair; maybe in another namespace."""


class Address(Value):
    """An address with its prefix length, ``10.88.0.1/16``, of the interface ``index``."""

    index: int
    address: str


class Route(Value):
    """A unicast route. ``destination`` is a CIDR, ``0.0.0.0/0`` for the default one."""

    destination: str
    gateway: str = ""
    index: int = 0
    """The interface; of a multipath route the first."""
    table: int = RT_TABLE_MAIN
    metric: int = 0


def links() -> list[Link]:
    """Every interface of this network namespace."""
    with Socket(NETLINK_ROUTE) as sock:
        return [_link(body) for _, body in sock.dump(_GETLINK, LINK.pack(0, 0, 0, 0, 0))]


def link(index: int) -> Link:
    """The interface of that number. Raises OSError."""
    with Socket(NETLINK_ROUTE) as sock:
        return _link(sock.ask(_GETLINK, LINK.pack(0, 0, index, 0, 0)))


def addresses() -> list[Address]:
    """Every address of this network namespace."""
    with Socket(NETLINK_ROUTE) as sock:
        return [_address(body) for _, body in sock.dump(_GETADDR, ADDRESS.pack(0, 0, 0, 0, 0))]


def routes() -> list[Route]:
    """Every unicast route of this network namespace, of all tables but the local one."""
    with Socket(NETLINK_ROUTE) as sock:
        entries = sock.dump(_GETROUTE, ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0))
    return [route for _, body in entries for route in _route(body)]


def default_mtu() -> int:
    """The MTU of the interface that the default route leads to; 1500 where there is none."""
    # Asked for the way to addresses that nobody may have (RFC 1112, RFC 9637):
    # only the default route leads there. The whole table may be of any length.
    for family, nowhere in ((_socket.AF_INET, "240.0.0.1"), (_socket.AF_INET6, "3fff:fff0::1")):
        raw = _socket.inet_pton(family, nowhere)
        question = ROUTE.pack(family, 8 * len(raw), 0, 0, 0, 0, 0, 0, 0) + attribute(RTA_DST, raw)
        try:
            with Socket(NETLINK_ROUTE) as sock:
                way = _attributes(sock.ask(_GETROUTE, question), ROUTE)
                out = _integer(way.get(RTA_OIF, b""))
            return link(out).mtu or _ORDINARY_MTU
        except OSError:
            continue  # no route, or no such family
    return _ORDINARY_MTU


def _link(body: bytes) -> Link:
    _, _, found, flags, _ = LINK.unpack_from(body)
    said = _attributes(body, LINK)
    info = dict(attributes(said.get(IFLA_LINKINFO, b"")))
    return Link(
        index=found,
        name=_words(said.get(IFLA_IFNAME, b"")),
        kind=_words(info.get(IFLA_INFO_KIND, b"")),
        mac=said.get(IFLA_ADDRESS, b"").hex(":"),
        mtu=_integer(said.get(IFLA_MTU, b"")),
        up=bool(flags & UP),
        master=_integer(said.get(IFLA_MASTER, b"")),
        alias=_words(said.get(IFLA_IFALIAS, b"")),
        parent=_integer(said.get(IFLA_LINK, b"")),
    )


def _address(body: bytes) -> Address:
    family, prefix, _, _, found = ADDRESS.unpack_from(body)
    said = _attributes(body, ADDRESS)
    # Of a link between two points IFA_ADDRESS is the other one's.
    raw = said.get(IFA_LOCAL, said.get(IFA_ADDRESS, b""))
    return Address(index=found, address=f"{_socket.inet_ntop(family, raw)}/{prefix}")


def _route(body: bytes) -> Iterator[Route]:
    family, prefix, _, _, table, _, _, kind, flags = ROUTE.unpack_from(body)
    if kind != RTN_UNICAST or flags & _RTM_F_CLONED or family not in (_socket.AF_INET, _socket.AF_INET6):
        return
    said = _attributes(body, ROUTE)
    size = 4 if family == _socket.AF_INET else 16
    # struct rtnexthop: length(2) flags(1) hops(1) interface(4), and attributes
    hop = said.get(_RTA_MULTIPATH, b"")
    length, _, out = struct.unpack_from("=HHi", hop) if hop else (8, 0, 0)
    gateway = said.get(RTA_GATEWAY) or dict(attributes(hop[8:length])).get(RTA_GATEWAY, b"")
    yield Route(
        destination=f"{_socket.inet_ntop(family, said.get(RTA_DST, bytes(size)))}/{prefix}",
        gateway=_socket.inet_ntop(family, gateway) if gateway else "",
        index=_integer(said.get(RTA_OIF, b"")) or out,
        table=_integer(said.get(_RTA_TABLE, b"")) or table,
        metric=_integer(said.get(_RTA_PRIORITY, b"")),
    )


def _attributes(body: bytes, header: struct.Struct) -> dict[int, bytes]:
    return dict(attributes(body[header.size :]))


def _words(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")


def _integer(raw: bytes) -> int:
    return int.from_bytes(raw[:4], sys.byteorder)
