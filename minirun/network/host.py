"""What the host has already: subnets, interfaces, families.

Layer ``network``, on ``linux/netlink_listing.py``. Asked when a network is made,
which must not take from the host what it has. Not on the way of a start, except
the first one. Read ``subnets.py`` next.
"""

from __future__ import annotations

import os

from minirun.errors import Conflict, InvalidInput, NotFound, UsageError
from minirun.linux import netlink_listing as listing
from minirun.linux.netlink_route import index
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_DEFAULT_BRIDGE = "minirun0"
_LOOPBACK = 1  # LOOPBACK_IFINDEX: the first interface of every network namespace
_LONGEST_INTERFACE = 15  # IFNAMSIZ without the zero byte, netdevice(7)


def subnets(parent: str = "") -> dict[str, str]:
    """Every subnet that the host has a route to or an address in, and whose it is.

    Those by the interface ``parent`` are left out: a macvlan is a guest there.
    """
    names = {link.index: link.name for link in listing.links()}
    found: dict[str, str] = {}
    for way in listing.routes():
        name = names.get(way.index, "")
        if name != parent or not parent:
            found[way.destination] = f"the host's route by {name}" if name else "a route of the host's"
    for address in listing.addresses():
        name = names.get(address.index, "")
        if name != parent or not parent:
            found.setdefault(address.address, f"the host's address on {name}")
    return found


def has_ipv6() -> bool:
    """Whether a new interface will speak IPv6."""
    try:
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6") as file:
            return file.read().strip() == "0"
    except FileNotFoundError:
        return False


def bridge_name(is_default: bool, taken: Collection[str]) -> str:
    """A name for a bridge that no interface has and no other network wants."""
    name = _DEFAULT_BRIDGE if is_default else ""
    while not name or name in taken or index(name):
        name = f"mr-{os.urandom(4).hex()}"
    return name


def check_new_interface(name: str) -> None:
    """Raises InvalidInput unless an interface can be called ``name``, Conflict if one is."""
    check_interface(name)
    if index(name):
        raise Conflict(
            f"there is an interface {name} already",
            "a network makes its bridge itself, and removes it",
            "choose another name for it, or leave it out",
        )


def check_parent(name: str, mtu: int) -> None:
    """Raises UsageError, InvalidInput, NotFound or Conflict unless ``name`` can be a macvlan's parent.

    For packets of ``mtu`` bytes; 0 is as large as the parent's.
    """
    if not name:
        raise UsageError(
            "a macvlan needs a parent",
            "it is one more address on an interface of the host's",
            "-o parent=INTERFACE",
        )
    check_interface(name)
    if not index(name):
        raise NotFound(
            f"there is no interface {name}",
            "a macvlan sits on one of the host's",
            "ip link lists what there is",
        )
    parent = listing.link(index(name))
    if parent.index == _LOOPBACK:
        raise UsageError(
            f"{name} cannot be a macvlan's parent",
            "it is the loopback, and there are no neighbours",
            "give -o parent= an interface that has some",
        )
    if parent.master:
        owner = next((link.name for link in listing.links() if link.index == parent.master), "another")
        raise Conflict(
            f"{name} cannot be a macvlan's parent",
            f"it is a port of {owner}, which gets all that it receives",
            f"give -o parent={owner}, or take {name} out: ip link set {name} nomaster",
        )
    if mtu > parent.mtu:
        raise InvalidInput(
            f"{mtu} bytes cannot be the MTU",
            f"its parent {name} passes on {parent.mtu}",
            "choose a smaller --mtu, or leave it out",
        )


def check_interface(name: str) -> None:
    """Raises InvalidInput unless the kernel would let an interface be called ``name``."""
    why = ""
    if len(name.encode(errors="surrogateescape")) > _LONGEST_INTERFACE:
        why = f"an interface's name has at most {_LONGEST_INTERFACE} bytes"
    elif name in ("", ".", "..") or any(letter.isspace() or letter in "/:%\0" for letter in name):
        why = "it may not be '.' or '..', and has no space, '/', ':' or '%' in it"
    if why:
        raise InvalidInput(f"{name!r} cannot be an interface's name", why, "choose a name such as mr-web")
