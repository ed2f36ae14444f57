"""Links, addresses and routes: the wiring of a network namespace, by rtnetlink.

Layer ``linux``, on ``netlink.py``. A link is an interface: a bridge is a switch,
a veth pair a cable whose ends may lie in two namespaces, a macvlan a second
address on somebody's card. Everything happens in the network namespace of the
caller, but for the far end of what is made for a container: that is born in the
container's. ``netlink_listing.py`` reads back what there is. See rtnetlink(7),
ip-link(8); <linux/if_link.h>. Read ``netlink_nftables.py`` next.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import errno
import os

from minirun.linux import netlink_listing as listing
from minirun.linux.netlink import NETLINK_ROUTE, MessageFlag, Socket, attribute, nested, number, text
from minirun.linux.netlink_listing import (
    ADDRESS,
    LINK,
    ROUTE,
    UP,
    Address,
    Link,
    Route,
    addresses,
    default_mtu,
    links,
    routes,
)
from minirun.steps import syscall

__all__ = ["Address", "Link", "Route", "addresses", "default_mtu", "links", "routes"]  # and what is below

_NEWLINK, _DELLINK, _SETLINK = 16, 17, 19
_NEWADDR, _NEWROUTE = 20, 24
_IFLA_PROTINFO, _IFLA_NET_NS_PID = 12, 19
_IFLA_BRPORT_MODE, _AF_BRIDGE = 4, 7
_IFLA_INFO_DATA, _VETH_INFO_PEER = 2, 1
_MACVLAN_MODE, _MACVLAN_MODE_BRIDGE = 1, 4
_IFA_BROADCAST, _IFA_FLAGS, _IFA_F_NODAD = 4, 8, 2
_RTPROT_STATIC, _SCOPE_UNIVERSE, _SCOPE_LINK = 4, 0, 253
_NAME_MAX = 15  # IFNAMSIZ without the zero byte
_NEW = MessageFlag.CREATE | MessageFlag.EXCL


def _show(message: str, words: str) -> str:
    return f"sendmsg({message}, {{{words}}})"


def _quoted(**words: object) -> str:
    return "".join(f', {key} "{value}"' for key, value in words.items() if value)


@syscall(
    "sendmsg",
    "rtnetlink(7)",
    show=lambda name, mtu, mac="": _show("RTM_NEWLINK", f'bridge "{name}"{_quoted(mac=mac)}, mtu {mtu}'),
)
def create_bridge(name: str, mtu: int, mac: str = "") -> bool:
    """Makes a bridge, still down; False if it is there.

    A ``mac`` of its own keeps it from taking over the lowest of its ports', which
    come and go. Raises OSError; FileExistsError where something else has the name.
    """
    try:
        _change(_NEWLINK, _NEW, _new_link(name, mtu, mac) + _of_kind("bridge"), name)
    except FileExistsError:
        there = index(name)
        if there and listing.link(there).kind == "bridge":
            return False
        raise
    return True


@syscall(
    "sendmsg",
    "rtnetlink(7)",
    show=lambda name, bridge, mtu, peer, mac, pid: _show(
        "RTM_NEWLINK",
        f'veth "{name}", master "{bridge}", mtu {mtu}, up; '
        f'peer "{peer}"{_quoted(mac=mac)} in the network of {pid}',
    ),
)
def create_veth(name: str, bridge: str, mtu: int, peer: str, mac: str, pid: int) -> None:
    """Makes a veth pair: ``name`` here, up, on ``bridge``; ``peer`` in the network namespace of ``pid``.

    One message, so there is no moment at which half of it exists. Raises OSError.
    """
    # The peer stays down: it cannot be up before its other end is (ENOTCONN).
    far = _new_link(peer, mtu, mac) + number(_IFLA_NET_NS_PID, pid)
    body = _new_link(name, mtu, "", UP) + number(listing.IFLA_MASTER, _existing(bridge))
    _change(_NEWLINK, _NEW, body + _of_kind("veth", nested(_VETH_INFO_PEER, far)), name)


@syscall(
    "sendmsg",
    "rtnetlink(7)",
    show=lambda name, parent, mtu, mac, pid: _show(
        "RTM_NEWLINK",
        f'macvlan "{name}"{_quoted(mac=mac)}, mtu {mtu}, mode bridge, on "{parent}", in the network of {pid}',
    ),
)
def create_macvlan(name: str, parent: str, mtu: int, mac: str, pid: int) -> None:
    """Makes a macvlan on ``parent``, mode bridge, in the network namespace of ``pid``. Raises OSError."""
    body = _new_link(name, mtu, mac) + number(listing.IFLA_LINK, _existing(parent))
    body += number(_IFLA_NET_NS_PID, pid)
    body += _of_kind("macvlan", number(_MACVLAN_MODE, _MACVLAN_MODE_BRIDGE))
    _change(_NEWLINK, _NEW, body, name)


@syscall("sendmsg", "rtnetlink(7)", show=lambda name: _show("RTM_DELLINK", f'"{name}"'))
def delete_link(name: str) -> bool:
    """Removes an interface, of a veth pair both ends; False if there is none. Raises OSError.

    Waits 10 to 30 ms for what still reads the interface: on the way of a
    container let its network namespace die, and the pair goes with it.
    """
    found = index(name)
    if not found:
        return False
    try:
        _change(_DELLINK, MessageFlag(0), LINK.pack(0, 0, found, 0, 0), name)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return False
    return True


@syscall("sendmsg", "rtnetlink(7)", show=lambda name: _show("RTM_NEWLINK", f'"{name}", up'))
def up(name: str) -> None:
    """Raises an interface. Raises OSError."""
    _set(name, b"", UP)


@syscall("sendmsg", "rtnetlink(7)", show=lambda old, new: _show("RTM_NEWLINK", f'"{old}", name "{new}"'))
def rename(old: str, new: str) -> None:
    """Gives an interface another name; it has to be down before Linux 6.2. Raises OSError."""
    _set(old, _named(new))


@syscall("sendmsg", "rtnetlink(7)", show=lambda name, mtu: _show("RTM_NEWLINK", f'"{name}", mtu {mtu}'))
def set_mtu(name: str, mtu: int) -> None:
    """Sets the largest packet of an interface, in bytes. Raises OSError."""
    _set(name, number(listing.IFLA_MTU, mtu))


@syscall(
    "sendmsg", "rtnetlink(7)", show=lambda name, alias: _show("RTM_NEWLINK", f'"{name}", alias "{alias}"')
)
def set_alias(name: str, alias: str) -> None:
    """Notes up to 255 bytes on an interface, which `ip link` shows. Raises OSError."""
    _set(name, text(listing.IFLA_IFALIAS, alias))


@syscall("sendmsg", "rtnetlink(7)", show=lambda name: _show("RTM_SETLINK", f'"{name}", hairpin'))
def set_hairpin(name: str) -> None:
    """Has a bridge send packets back by the port ``name`` that they came in by. Raises OSError."""
    body = LINK.pack(_AF_BRIDGE, 0, _existing(name), 0, 0)
    body += nested(_IFLA_PROTINFO, attribute(_IFLA_BRPORT_MODE, b"\1"))
    _change(_SETLINK, MessageFlag(0), body, name)


@syscall(
    "sendmsg", "rtnetlink(7)", show=lambda name, address: _show("RTM_NEWADDR", f'{address}, dev "{name}"')
)
def add_address(name: str, address: str) -> bool:
    """Gives an interface ``address`` ("10.88.0.2/16"); False if it has it. Raises OSError, ValueError."""
    family, raw, prefix = _cidr(address)
    body = ADDRESS.pack(family, prefix, 0, _SCOPE_UNIVERSE, _existing(name))
    body += attribute(listing.IFA_LOCAL, raw) + attribute(listing.IFA_ADDRESS, raw)
    if family == _socket.AF_INET6:
        # Nobody else can have it, and looking for a duplicate makes it useless for a second.
        body += number(_IFA_FLAGS, _IFA_F_NODAD)
    elif prefix < 31:
        everybody = int.from_bytes(raw, "big") | (1 << 32 - prefix) - 1
        body += attribute(_IFA_BROADCAST, everybody.to_bytes(4, "big"))
    return _unless_there(_NEWADDR, body, name)


@syscall(
    "sendmsg",
    "rtnetlink(7)",
    show=lambda destination, gateway, name, instead=False: _show(
        "RTM_NEWROUTE",
        f'{destination}{" via " + gateway if gateway else ""}, dev "{name}"{", NLM_F_REPLACE" * instead}',
    ),
)
def add_route(destination: str, gateway: str, name: str, instead: bool = False) -> bool:
    """Adds a route to ``destination`` (a CIDR, or "default"); False if one is there.

    With ``instead`` it takes that one's place.

    No ``gateway`` means that who is there answers on the link itself; "default"
    then is that of IPv4. Raises OSError, ValueError.
    """
    if destination == "default":
        destination = "::/0" if ":" in gateway else "0.0.0.0/0"
    family, raw, prefix = _cidr(destination)
    scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
    body = ROUTE.pack(
        family, prefix, 0, 0, listing.RT_TABLE_MAIN, _RTPROT_STATIC, scope, listing.RTN_UNICAST, 0
    )
    body += attribute(listing.RTA_DST, raw) if prefix else b""
    body += attribute(listing.RTA_GATEWAY, _socket.inet_pton(family, gateway)) if gateway else b""
    body += number(listing.RTA_OIF, _existing(name))
    if instead:
        _change(_NEWROUTE, MessageFlag.CREATE | MessageFlag.REPLACE, body, name)
        return True
    return _unless_there(_NEWROUTE, body, name)


def index(name: str) -> int:
    """The number of the interface ``name``, 0 if there is none; if_nametoindex(3)."""
    try:
        return _socket.if_nametoindex(name)
    except OSError:
        return 0


# --- messages ----------------------------------------------------------------


def _change(kind: int, flags: MessageFlag, body: bytes, name: str = "") -> None:
    with Socket(NETLINK_ROUTE) as sock:
        try:
            sock.request(kind, flags, body)
        except OSError as error:
            error.filename = name or None
            raise


def _set(name: str, what: bytes, flags: int = 0) -> None:
    _change(_NEWLINK, MessageFlag(0), LINK.pack(0, 0, _existing(name), flags, flags) + what, name)


def _unless_there(kind: int, body: bytes, name: str) -> bool:
    try:
        _change(kind, _NEW, body, name)
    except FileExistsError:
        return False
    return True


def _new_link(name: str, mtu: int, mac: str, flags: int = 0) -> bytes:
    body = LINK.pack(0, 0, 0, flags, flags) + _named(name) + number(listing.IFLA_MTU, mtu)
    return body + attribute(listing.IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else body


def _of_kind(kind: str, data: bytes = b"") -> bytes:
    inner = nested(_IFLA_INFO_DATA, data) if data else b""
    return nested(listing.IFLA_LINKINFO, text(listing.IFLA_INFO_KIND, kind), inner)


def _named(name: str) -> bytes:
    if not 0 < len(name.encode()) <= _NAME_MAX:
        number_ = errno.ENAMETOOLONG if name else errno.EINVAL
        words = f"{os.strerror(number_)}: an interface has a name of 1 to {_NAME_MAX} bytes"
        raise OSError(number_, words, name)
    return text(listing.IFLA_IFNAME, name)


def _existing(name: str) -> int:
    found = index(name)
    if not found:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)
    return found


def _cidr(words: str) -> tuple[int, bytes, int]:
    """Family, address and prefix length of "10.88.0.2/16"."""
    address, _, prefix = words.partition("/")
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    raw = _socket.inet_pton(family, address)
    length = int(prefix or 8 * len(raw))
    if not 0 <= length <= 8 * len(raw):
        raise ValueError(f"{words}: a prefix has 0 to {8 * len(raw)} bits")
    return family, raw, length
