"""What can be asked of a network, looked at before anything is made.

Layer ``network``. The subnets have a file of their own, ``subnets.py``; what the
host has, another, ``host.py``. Not on the way of a start, except the first one.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported, UsageError
from minirun.network import host
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DRIVERS = ("bridge", "macvlan")


def check_driver(driver: str, parent: str, bridge: str, mtu: int) -> None:
    """A driver that there is, with what it needs: a parent, or maybe a name for the bridge.

    Raises Unsupported, UsageError, InvalidInput, NotFound, Conflict.
    """
    if driver not in DRIVERS:
        raise Unsupported(
            f"there is no network driver '{driver}'",
            f"minirun has {' and '.join(DRIVERS)}",
            "take one of these; the plugins of others are for --network cni:NAME",
        )
    if driver == "bridge" and parent:
        raise UsageError("a bridge has no parent", "-o parent= is for a macvlan", "add --driver macvlan")
    if driver == "macvlan" and bridge:
        raise UsageError("a macvlan has no bridge", "it sits on its parent", "give -o parent= instead")
    if driver == "macvlan":
        host.check_parent(parent, mtu)
    elif bridge:
        host.check_new_interface(bridge)


def families(driver: str, asked: set[int], ipv4: bool, ipv6: bool | None) -> list[int]:
    """The IP versions that a network shall have, of those that were ``asked`` for by a subnet.

    Raises UsageError, Unsupported.
    """
    for version, on in ((4, ipv4), (6, ipv6 is not False)):
        if version in asked and not on:
            raise UsageError(
                f"a subnet of IPv{version}, and no IPv{version}", "they exclude each other", "leave one out"
            )
    if (ipv6 or 6 in asked) and not host.has_ipv6():
        raise Unsupported("this host has no IPv6", "the kernel has it switched off", "add --no-ipv6")
    if driver == "macvlan":
        if not asked:
            raise UsageError(
                "a macvlan needs --subnet",
                "its containers are neighbours of its parent's",
                "give the parent's subnet",
            )
        wanted = asked | ({6} if ipv6 else set())
    else:
        wanted = (
            asked | ({4} if ipv4 else set()) | ({6} if ipv6 or (ipv6 is None and host.has_ipv6()) else set())
        )
    if not wanted:
        raise UsageError("a network without addresses", "IPv4 and IPv6 are both off", "leave one of them on")
    return sorted(wanted)


def check_mtu(mtu: int, families: Sequence[int]) -> None:
    """A size in bytes that the families can live with; 0 is none. Raises InvalidInput."""
    least = 1280 if 6 in families else 68  # RFC 8200, 5; RFC 791
    if mtu and not least <= mtu <= 65535:
        raise InvalidInput(
            f"{mtu} bytes cannot be the MTU",
            f"with IPv{max(families)} it is {least} to 65535",
            "choose another --mtu" + (", or --no-ipv6" if 68 <= mtu < least else ""),
        )
