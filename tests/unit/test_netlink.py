"""Netlink messages: what is written into one, what is read out of one, and how a plan tells of it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import reason
from minirun.linux import netlink, netlink_conntrack, netlink_nftables
from minirun.linux import netlink_route as route
from minirun.steps import Call, Ref


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=50))))
def test_attributes_are_read_as_they_were_written(given: list[tuple[int, bytes]]) -> None:
    raw = b"".join(netlink.attribute(kind, value) for kind, value in given)
    assert len(raw) % 4 == 0
    assert list(netlink.attributes(raw)) == given


@given(st.binary(max_size=200))
def test_rubbish_ends(raw: bytes) -> None:
    """Whatever the bytes are, reading them comes to an end."""
    assert len(list(netlink.attributes(raw))) <= len(raw)


def test_nested_and_plain_attributes_are_as_in_the_header() -> None:
    assert netlink.text(3, "lo") == struct.pack("=HH4s", 7, 3, b"lo\0\0")
    assert netlink.number(4, 1500) == struct.pack("=HHI", 8, 4, 1500)
    assert netlink.nested(18, netlink.text(1, "veth")) == struct.pack(
        "=HHHH8s", 16, 18 | 0x8000, 9, 1, b"veth"
    )


def test_flags_print_as_in_the_header() -> None:
    flags = netlink.MessageFlag.CREATE | netlink.MessageFlag.EXCL
    assert str(flags) == "NLM_F_EXCL|NLM_F_CREATE"


def test_many_elements_are_several_messages() -> None:
    """An attribute has 16 bits for its length; neighbours of one set stay together."""
    elements = [("a", bytes(8), bytes(8))] * 3000 + [("b", bytes(8), b"")] + [("a", bytes(8), b"")]
    parts = list(netlink_nftables._by_set(elements))
    assert [name for name, _ in parts] == ["a", "a", "a", "a", "b", "a"]
    assert sum(len(part) for _, part in parts) == len(elements)
    assert all(sum(map(len, part)) < 1 << 16 for _, part in parts)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (Call(route.create_bridge, "br0", 1500), 'RTM_NEWLINK, {bridge "br0", mtu 1500}'),
        (
            Call(route.create_bridge, "br0", 1500, "02:42:00:00:00:01"),
            'RTM_NEWLINK, {bridge "br0", mac "02:42:00:00:00:01", mtu 1500}',
        ),
        (
            Call(
                route.create_veth, "mr12ab", "minirun0", 1450, "eth0", "02:42:0a:58:00:02", Ref(name="init")
            ),
            (
                'RTM_NEWLINK, {veth "mr12ab", master "minirun0", mtu 1450, up; '
                'peer "eth0", mac "02:42:0a:58:00:02" in the network of <init>}'
            ),
        ),
        (
            Call(route.create_macvlan, "eth0", "lan", 1500, "02:42:0a:58:00:02", 12),
            (
                'RTM_NEWLINK, {macvlan "eth0", mac "02:42:0a:58:00:02", mtu 1500, mode bridge, '
                'on "lan", in the network of 12}'
            ),
        ),
        (Call(route.delete_link, "eth0"), 'RTM_DELLINK, {"eth0"}'),
        (Call(route.up, "eth0"), 'RTM_NEWLINK, {"eth0", up}'),
        (Call(route.rename, "eth0", "net1"), 'RTM_NEWLINK, {"eth0", name "net1"}'),
        (Call(route.set_mtu, "eth0", 9000), 'RTM_NEWLINK, {"eth0", mtu 9000}'),
        (Call(route.set_hairpin, "mr12ab"), 'RTM_SETLINK, {"mr12ab", hairpin}'),
        (Call(route.add_address, "eth0", "10.88.0.2/16"), 'RTM_NEWADDR, {10.88.0.2/16, dev "eth0"}'),
        (
            Call(route.add_route, "default", "10.88.0.1", "eth0"),
            'RTM_NEWROUTE, {default via 10.88.0.1, dev "eth0"}',
        ),
        (Call(route.add_route, "fd00::/64", "", "eth0"), 'RTM_NEWROUTE, {fd00::/64, dev "eth0"}'),
        (
            Call(netlink_conntrack.forget_asked, 17, [("10.0.0.1", 53), ("::1", 53)]),
            "IPCTNL_MSG_CT_DELETE, {asked 10.0.0.1 . 53 ::1 . 53}",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Call) else "",
)
def test_a_plan_tells_what_is_sent(call: Call, shown: str) -> None:
    assert str(call) == f"sendmsg({shown})"
    assert call.manual in ("rtnetlink(7)", "conntrack(8)")


@pytest.mark.parametrize("address", ["10.0.0.1/33", "10.0.0.1/-1", "fd00::/129", "fd00::/x"])
def test_a_prefix_that_is_none(address: str) -> None:
    with pytest.raises(ValueError):
        route.add_address("lo", address)


@pytest.mark.parametrize("address", ["10.0.0/8", "10.0.0.256/8", "fd00:::1/64", ""])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(OSError):
        route.add_address("lo", address)


@pytest.mark.parametrize("name", ["x" * 16, "ü" * 8])
def test_a_name_that_is_too_long(name: str) -> None:
    with pytest.raises(OSError, match="1 to 15 bytes") as caught:
        route.create_bridge(name, 1500)
    words = "File name too long: an interface has a name of 1 to 15 bytes"
    assert reason(caught.value) == f"ENAMETOOLONG ({words}): {name}"


def test_the_kernels_words_come_with_an_error() -> None:
    """struct nlmsgerr: errno, the header of what was sent, and then attributes."""
    said = struct.pack("=i16x", -22) + netlink.text(1, "Nexthop has invalid gateway")
    with pytest.raises(OSError) as caught:
        netlink._raise_if_error(0x200, said)
    assert reason(caught.value) == "EINVAL (Invalid argument: Nexthop has invalid gateway)"
    with pytest.raises(OSError) as caught:
        netlink._raise_if_error(0, said)
    assert reason(caught.value) == "EINVAL (Invalid argument)"
    netlink._raise_if_error(0x200, struct.pack("=i16x", 0))
