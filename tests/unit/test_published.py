"""Published ports as elements of maps, without a kernel."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import Unsupported
from minirun.network import published, table
from minirun.network.port_words import check_address
from minirun.spec import Port
from minirun.steps import Call

V4, V6 = "10.88.0.2", "fd00::2"
PORTS = st.integers(1, 65535)
#: As the C library spells them: Python has ::ffff:0:0 for its ::ffff:0.0.0.0.
V6_ADDRESSES = st.ip_addresses(v=6).map(lambda one: socket.inet_ntop(socket.AF_INET6, one.packed))
ADDRESSES = st.ip_addresses(v=4).map(str) | V6_ADDRESSES


def is_one_of_a_host(address: str) -> bool:
    """One, not all of them; and one that can be published on."""
    try:
        check_address(address, "")
    except Unsupported:
        return False
    return address not in ("0.0.0.0", "::")


@given(
    st.sampled_from(["tcp", "udp", "sctp"]),
    ADDRESSES.filter(is_one_of_a_host) | st.just(""),
    PORTS,
    PORTS,
    st.tuples(st.ip_addresses(v=4).map(str), V6_ADDRESSES),
)
def test_elements_are_read_as_they_were_written(
    protocol: str, host: str, host_port: int, port: int, addresses: tuple[str, str]
) -> None:
    given_port = Port(protocol=protocol, host_address=host, host_port=host_port, port=port)
    pairs = list(published._pairs([given_port], addresses))
    assert [published._read(*published._element(*pair)) for pair in pairs] == [
        (given_port, address) for _, _, address in pairs
    ]
    assert len(pairs) == (1 if host else 2)


@pytest.mark.parametrize(
    ("host", "maps"),
    [
        ("", {"publish_any4": V4, "publish_any6": V6}),
        ("0.0.0.0", {"publish_any4": V4}),
        ("::", {"publish_any6": V6}),
        ("192.0.2.1", {"publish_host4": V4}),
        ("2001:db8::1", {"publish_host6": V6}),
    ],
)
def test_which_map(host: str, maps: dict[str, str]) -> None:
    port = Port(host_address=host, host_port=80, port=80)
    pairs = published._pairs([port], [V4, "10.89.0.2", V6, "fd01::2"])
    assert {name: address for name, _, address in pairs} == maps


@pytest.mark.parametrize(
    ("host", "addresses", "why"),
    [
        ("192.0.2.1", [V6], "no IPv4 address"),
        ("::", [V4], "no IPv6 address"),
        ("", [], "no IP address"),
        ("::1", [V4, V6], "drops packets to ::1"),
    ],
)
def test_what_cannot_be_published(host: str, addresses: list[str], why: str) -> None:
    with pytest.raises(Unsupported, match=r"cannot publish .*80/tcp") as caught:
        list(published._pairs([Port(host_address=host, host_port=80, port=80)], addresses))
    assert why in caught.value.why
    assert caught.value.remedy


def test_a_plan_tells_of_elements() -> None:
    ports = [Port(host_port=8080, port=80), Port(protocol="udp", host_address="::2", host_port=53, port=53)]
    assert str(Call(table.publish, ports[:1], [V4])) == (
        "sendmsg(NFT_MSG_NEWSETELEM, {minirun publish_any4: tcp . 8080 : 10.88.0.2 . 80})"
    )
    assert str(Call(table.unpublish, ports, [V4, V6])) == (
        "sendmsg(NFT_MSG_DELSETELEM, {minirun publish_any4: tcp . 8080 : 10.88.0.2 . 80, "
        "publish_any6: tcp . 8080 : fd00::2 . 80, publish_host6: ::2 . udp . 53 : fd00::2 . 53})"
    )
    many = [Port(host_port=number, port=number) for number in range(1, 11)]
    assert str(Call(table.publish, many, [V4])).endswith(", 7 more})")
    assert str(Call(table.turn_back, "mr12ab")) == 'sendmsg(RTM_SETLINK, {"mr12ab", hairpin})'


def test_a_plan_tells_of_what_will_fail_too() -> None:
    """``explain`` shows the step; doing it is what raises."""
    port = Port(host_address="::", host_port=80, port=80)
    assert str(Call(table.publish, [port], [V4])) == "sendmsg(NFT_MSG_NEWSETELEM, {minirun})"
