"""Which addresses a network may have."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

from minirun.errors import Conflict, InvalidInput, MinirunError, UsageError
from minirun.network import subnets
from minirun.network.networks import Subnet

addresses = some.one_of(some.ip_addresses(v=4), some.ip_addresses(v=6))
routes = some.builds(
    lambda address, prefix: str(
        ipaddress.ip_network(f"{address}/{prefix * address.max_prefixlen // 32}", strict=False)
    ),
    addresses,
    some.integers(0, 32),
)


def test_the_first_that_nobody_has() -> None:
    assert subnets.choose([]) == "10.86.0.0/20"
    assert subnets.choose(["192.0.2.0/24", "fd00::/64"]) == "10.86.0.0/20"
    assert subnets.choose(["10.86.0.0/20"]) == "10.86.16.0/20"
    assert subnets.choose(["10.86.3.1"]) == "10.86.16.0/20"  # one host's route is enough
    assert subnets.choose(["10.86.0.0/16"]) == "10.85.0.0/20"
    assert subnets.choose([], subnets.wide_candidates()) == "10.87.0.0/16"


def test_where_a_vpn_has_all_of_10() -> None:
    assert subnets.choose(["10.0.0.0/8"]) == "172.31.0.0/20"
    assert subnets.choose(["10.0.0.0/8", "172.16.0.0/12"], subnets.wide_candidates()) == "192.168.240.0/20"


@pytest.mark.parametrize("everywhere", ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "2000::/3"])
def test_a_route_to_everywhere_takes_nothing(everywhere: str) -> None:
    """The default route, and the halves that a VPN lays above it."""
    assert subnets.choose([everywhere]) == "10.86.0.0/20"
    assert not subnets.overlaps("10.86.0.0/20", everywhere)


def test_nothing_is_left() -> None:
    with pytest.raises(Conflict, match="no subnet is free"):
        subnets.choose(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])


@given(some.lists(routes, max_size=8))
def test_what_is_chosen_overlaps_with_nothing(taken: list[str]) -> None:
    try:
        chosen = [subnets.choose(taken), subnets.choose(taken, subnets.wide_candidates()), subnets.ula(taken)]
    except Conflict:
        return
    for mine, theirs in itertools.product(chosen, taken):
        if ipaddress.ip_network(theirs).prefixlen >= 8:
            assert not ipaddress.ip_network(mine).overlaps(ipaddress.ip_network(theirs))


def test_the_candidates_are_of_their_size_and_no_two_overlap() -> None:
    narrow = [ipaddress.ip_network(cidr) for cidr in subnets.narrow_candidates()]
    assert len(narrow) == 26 * 16
    assert all(net.prefixlen == 20 and net.is_private for net in narrow)
    together = ipaddress.collapse_addresses(narrow)
    assert sum(net.num_addresses for net in together) == sum(net.num_addresses for net in narrow)
    assert all(ipaddress.ip_network(cidr).is_private for cidr in subnets.wide_candidates())


def test_a_ula_is_local_and_random() -> None:
    """RFC 4193: fd, forty random bits, subnet 0."""
    found = {subnets.ula() for _ in range(20)}
    assert len(found) == 20
    for net in map(ipaddress.ip_network, found):
        assert net.prefixlen == 64
        assert net.subnet_of(ipaddress.ip_network("fd00::/8"))
        assert int(net.network_address) >> 64 & 0xFFFF == 0


def test_check_writes_out_what_was_left_out() -> None:
    assert subnets.check("10.1.0.0/24") == Subnet(cidr="10.1.0.0/24", gateway="10.1.0.1")
    assert subnets.check("FD12:0::/64") == Subnet(cidr="fd12::/64", gateway="fd12::1")
    assert subnets.check("10.1.0.0/24", "10.1.0.254", "10.1.0.128/25") == Subnet(
        cidr="10.1.0.0/24", gateway="10.1.0.254", ip_range="10.1.0.128/25"
    )
    assert subnets.check("10.1.0.0/30").gateway == "10.1.0.1"


@pytest.mark.parametrize(
    ("cidr", "says"),
    [
        ("10.1.0.7/24", "the subnet itself is 10.1.0.0/24"),
        ("fd12::1/64", "the subnet itself is fd12::/64"),
        ("10.1.0.0/33", "not a valid subnet"),
        ("10.1.0.0/31", "none is left"),
        ("10.1.0.0", "none is left"),
        ("fd12::/127", "none is left"),
        ("0.0.0.0/0", "half of the world"),
        ("10.0.0.0/7", "half of the world"),
        ("127.0.0.0/8", "forgery|loopback"),
        ("224.0.0.0/24", "multicast"),
        ("169.254.0.0/16", "link-local"),
        ("fe80::/64", "link-local"),
        ("fe80::%eth0/64", "not a valid subnet"),
        ("0.1.0.0/16", "forgery"),
        ("240.1.0.0/16", "forgery"),
        ("", "not a valid subnet"),
        ("web", "not a valid subnet"),
    ],
)
def test_what_cannot_be_a_subnet(cidr: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        subnets.check(cidr)
    assert caught.value.why
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("gateway", "says"),
    [
        ("10.2.0.1", "not in the subnet"),
        ("10.1.0.0", "not in the subnet"),
        ("10.1.0.255", "10.1.0.1 to 10.1.0.254"),
        ("fd12::1", "not in the subnet"),
        ("10.1.0.1%eth0", "not a valid gateway"),
        ("first", "not a valid gateway"),
    ],
)
def test_what_cannot_be_a_gateway(gateway: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        subnets.check("10.1.0.0/24", gateway)


@pytest.mark.parametrize("ip_range", ["10.2.0.0/25", "10.1.0.0/16", "fd12::/65", "10.1.0.3/25", "some"])
def test_what_cannot_be_a_range(ip_range: str) -> None:
    with pytest.raises(InvalidInput):
        subnets.check("10.1.0.0/24", "", ip_range)


def test_gateways_and_the_range_find_their_subnet() -> None:
    assert subnets.given(["10.1.0.0/24", "fd12::/64"], ["fd12::9", "10.1.0.9"], "10.1.0.128/25") == [
        Subnet(cidr="10.1.0.0/24", gateway="10.1.0.9", ip_range="10.1.0.128/25"),
        Subnet(cidr="fd12::/64", gateway="fd12::9"),
    ]


@pytest.mark.parametrize(
    ("cidrs", "gateways", "ip_range", "says"),
    [
        (["10.1.0.0/24", "10.2.0.0/24"], [], "", "two subnets of IPv4"),
        (["fd12::/64", "fd13::/64"], [], "", "two subnets of IPv6"),
        ([], ["10.1.0.1"], "", "no --subnet"),
        ([], [], "10.1.0.0/25", "no --subnet"),
        (["10.1.0.0/24"], ["10.2.0.1"], "", "--gateway 10.2.0.1 is in no subnet"),
        (["10.1.0.0/24"], [], "10.2.0.0/25", "--ip-range 10.2.0.0/25 is in no subnet"),
    ],
)
def test_what_does_not_go_together(cidrs: list[str], gateways: list[str], ip_range: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        subnets.given(cidrs, gateways, ip_range)


def test_settle_says_with_whom_a_subnet_overlaps() -> None:
    taken = {"10.1.0.0/16": "network web", "192.0.2.0/24": "the host's route by eth0"}
    with pytest.raises(MinirunError, match=r"10\.1\.4\.0/24 overlaps with 10\.1\.0\.0/16") as caught:
        subnets.settle([subnets.check("10.1.4.0/24")], [4], taken)
    assert "network web" in caught.value.why
    with pytest.raises(Conflict, match=r"192\.0\.2\.0/24"):
        subnets.settle([subnets.check("192.0.2.128/25")], [4], taken)


def test_settle_finds_what_was_not_asked_for() -> None:
    asked = subnets.check("10.1.0.0/24")
    v4, v6 = subnets.settle([asked], [4, 6], {})
    assert v4 == asked
    assert v6.cidr.startswith("fd")
    assert v6.gateway == v6.cidr.replace("/64", "1")
    assert [one.cidr for one in subnets.settle([], [4], {}, wide=True)] == ["10.87.0.0/16"]
