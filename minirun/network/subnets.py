"""Which addresses a network may have: inside nobody else's, and well formed.

Layer ``network``. A subnet that overlaps with another of the host's routes takes
the host's packets for that other place away. So what the user asks for is
checked, and where he leaves it to us we take the first that nobody has:

    10.87.0.0/16, 10.86 ... 10.64     the default network: many containers
    10.86.0.0/20, 10.86.16.0/20 ...   any other, 368 of them
    172.31.0.0/16 ..., 192.168 ...    where a VPN has all of 10.0.0.0/8
    fdXX:XXXX:XXXX::/64               IPv6: forty random bits, so that two hosts
                                      which meet one day do not collide (RFC 4193)

10.88 and above are podman's, 172.17 and above docker's, whose bridges come and go.
Pure, apart from the random bits; ``networks.py`` has who has what.
Not imported by a start, except the first one.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from minirun.errors import Conflict, InvalidInput, UsageError
from minirun.network.networks import Subnet

_Net = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Below this a route is the way to everywhere, and takes no address away: the
#: default route, or the two halves of it that a VPN lays above it.
_EVERYWHERE = 8
_NOBODYS = ("0.0.0.0/8", "240.0.0.0/4")


def wide_candidates() -> Iterator[str]:
    """What the default network may be: 65533 containers."""
    yield from (f"10.{second}.0.0/16" for second in range(87, 63, -1))
    yield from (f"172.{second}.0.0/16" for second in range(31, 15, -1))
    yield from (f"192.168.{third}.0/20" for third in range(240, -1, -16))


def narrow_candidates() -> Iterator[str]:
    """What another network may be: 4093 containers."""
    for head in (*(f"10.{second}" for second in range(86, 63, -1)), "172.31", "172.30", "192.168"):
        yield from (f"{head}.{third}.0/20" for third in range(0, 256, 16))


def given(cidrs: Sequence[str], gateways: Sequence[str], ip_range: str) -> list[Subnet]:
    """What a user asked for, put together. Raises InvalidInput, UsageError."""
    for family in (4, 6):
        if len(same := [cidr for cidr in cidrs if version(cidr) == family]) > 1:
            raise UsageError(
                f"{' and '.join(same)} are two subnets of IPv{family}",
                "a network has at most one of each family",
                "make two networks: a container can be on both",
            )
    for gateway in gateways:
        _address(gateway, "gateway")
    for inner, flag in [*((gateway, "--gateway") for gateway in gateways), (ip_range, "--ip-range")]:
        if inner and not any(contains(cidr, inner) for cidr in cidrs):
            raise UsageError(
                f"{flag} {inner} is in no subnet of the network",
                f"its subnets are {' and '.join(cidrs)}" if cidrs else "it has no --subnet",
                "add the --subnet that it is in",
            )
    for cidr in cidrs:
        if len(doors := [gateway for gateway in gateways if contains(cidr, gateway)]) > 1:
            raise UsageError(
                f"{' and '.join(doors)} are two gateways of {cidr}",
                "the gateway is the host's own address there, and it needs one",
                "give one --gateway for each subnet",
            )
    return [
        check(
            cidr,
            next((gateway for gateway in gateways if contains(cidr, gateway)), ""),
            ip_range if ip_range and contains(cidr, ip_range) else "",
        )
        for cidr in cidrs
    ]


def settle(
    asked: Sequence[Subnet], versions: Sequence[int], taken: Mapping[str, str], wide: bool = False
) -> tuple[Subnet, ...]:
    """A subnet for each IP version: the one that was asked for, or one that is free.

    ``taken`` says whose a subnet is. Raises Conflict.
    """
    for subnet in asked:
        for other, whose in taken.items():
            if overlaps(subnet.cidr, other):
                raise Conflict(
                    f"the subnet {subnet.cidr} overlaps with {other}",
                    f"that is {whose}",
                    "choose another --subnet, or leave it out: minirun finds one",
                )
    by_version = {version(subnet.cidr): subnet for subnet in asked}
    candidates = {4: lambda: choose(taken, wide_candidates() if wide else None), 6: lambda: ula(taken)}
    return tuple(by_version.get(number) or check(candidates[number]()) for number in versions)


def choose(taken: Iterable[str], candidates: Iterable[str] | None = None) -> str:
    """The first candidate that overlaps with nothing in ``taken``. Raises Conflict when none does."""
    nets = [net for net in map(_network, taken) if net.prefixlen >= _EVERYWHERE]
    for candidate in narrow_candidates() if candidates is None else candidates:
        if not any(map(_network(candidate).overlaps, nets)):
            return candidate
    raise Conflict(
        "no subnet is free",
        "the host's routes and the other networks cover all that minirun would choose",
        "choose one by --subnet, or remove a network: minirun network prune",
    )


def ula(taken: Iterable[str] = ()) -> str:
    """A unique local /64 that overlaps with nothing in ``taken`` (RFC 4193, 3.2)."""

    def candidates() -> Iterator[str]:
        while True:
            yield str(ipaddress.IPv6Network((bytes([0xFD]) + os.urandom(5) + bytes(10), 64)))

    return choose(taken, candidates())


def overlaps(one: str, other: str) -> bool:
    """Whether the two subnets have an address in common; a route to everywhere has with none."""
    a, b = _network(one), _network(other)
    return min(a.prefixlen, b.prefixlen) >= _EVERYWHERE and a.overlaps(b)


def check(cidr: str, gateway: str = "", ip_range: str = "") -> Subnet:
    """The subnet as it is written in full; the gateway is its first address if none is given.

    Raises InvalidInput.
    """
    net = _parsed(cidr)
    _check_kind(net)
    door = _address(gateway, "gateway") if gateway else net[1]
    if not _is_usable(door, net):
        raise InvalidInput(
            f"the gateway {door} is not in the subnet {net}",
            f"its addresses are {net[1]} to {_last(net)}",
            "choose one of these, or leave --gateway out",
        )
    if ip_range:
        part = _parsed(ip_range, "--ip-range")
        if part.version != net.version or not part.subnet_of(net):  # type: ignore[arg-type]  # same version
            raise InvalidInput(
                f"the range {part} is not in the subnet {net}",
                "addresses are handed out from a part of the subnet",
                f"choose a part of {net}, or leave --ip-range out",
            )
        ip_range = str(part)
    return Subnet(cidr=str(net), gateway=str(door), ip_range=ip_range)


def version(cidr: str) -> int:
    """4 or 6. Raises InvalidInput for what is no subnet."""
    return _parsed(cidr).version


def contains(cidr: str, inner: str) -> bool:
    """Whether an address or a subnet is inside ``cidr``. Raises InvalidInput if it is neither."""
    net, part = _parsed(cidr), _parsed(inner, "address or range")
    return part.version == net.version and part.subnet_of(net)  # type: ignore[arg-type]  # same version


def _check_kind(net: _Net) -> None:
    why = ""
    if net.prefixlen < _EVERYWHERE:
        why = "it would take half of the world's addresses away from the host"
    elif net.num_addresses < 4:
        why = "after its own address, the last one and the gateway's, none is left"
    elif any(net.version == 4 and net.overlaps(ipaddress.IPv4Network(other)) for other in _NOBODYS):
        why = "the kernel takes a packet from there for a forgery"
    elif net.is_multicast or net.is_loopback or net.is_link_local:
        why = "these addresses have a meaning of their own: loopback, link-local, multicast"
    if why:
        small = "10.86.0.0/24" if net.version == 4 else "fd12:3456:789a::/64"
        raise InvalidInput(f"{net} cannot be a network's subnet", why, f"choose one such as {small}")


def _is_usable(address: _Address, net: _Net) -> bool:
    if address.version != net.version or address not in net or address == net.network_address:
        return False
    return net.version == 6 or address != net.broadcast_address


def _last(net: _Net) -> _Address:
    return net[-2] if net.version == 4 else net[-1]


def _parsed(text: str, what: str = "subnet") -> _Net:
    """Raises InvalidInput; also where bits beyond the prefix are set, with what was meant."""
    try:
        net = ipaddress.ip_network(text, strict=False)
        exact = ipaddress.ip_network(text, strict=True) if "%" not in text else None
    except ValueError as error:
        if "host bits set" in str(error):
            raise InvalidInput(
                f"{text} is an address inside a subnet",
                f"the subnet itself is {net}",
                f"write {net}",
            ) from error
        raise InvalidInput(
            f"{text!r} is not a valid {what}",
            str(error).replace("\n", " "),
            "write it as 10.86.0.0/24 or fd12:3456:789a::/64",
        ) from error
    if exact is None:
        raise InvalidInput(f"{text!r} is not a valid {what}", "a subnet has no zone", "leave the '%' out")
    return exact


def _address(text: str, what: str) -> _Address:
    try:
        if "%" in text:
            raise ValueError("an address of a network has no zone")
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is not a valid {what}", str(error), "write it as 10.86.0.1 or fd12:3456:789a::1"
        ) from error


def _network(text: str) -> _Net:
    """A route or an address of the host's as the subnet that it is in."""
    return ipaddress.ip_network(text.partition("%")[0], strict=False)
