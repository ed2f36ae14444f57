"""The nftables table, with real packets: who reaches whom, and as whom."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minirun.errors import Conflict, NotFound, Unsupported
from minirun.linux import netlink_nftables as nftables
from minirun.linux import netlink_route as route
from minirun.network import table
from minirun.spec import Port
from tests.kernel.wires import Place, World
from tests.needs import needs

pytestmark = needs("root", "nft", "ip")
BR_NETFILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
both = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
each_protocol = pytest.mark.parametrize("protocol", ["tcp", "udp"])


@pytest.fixture(scope="module", params=[False, True], ids=["", "br_netfilter"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Everybody's wires; with br_netfilter, packets within a bridge meet the rules as well."""
    if request.param and not BR_NETFILTER.exists():
        pytest.skip("this machine lacks: br_netfilter")
    made = World(br_netfilter=request.param)
    yield made
    made.close()


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty network namespace."""
    made = Place()
    yield made
    made.close()


@contextmanager
def published(world: World, port: Port, *names: str, bridge: str = "") -> Iterator[None]:
    """``port`` leads to somebody meanwhile."""
    addresses = [world.address(name, family, bridge) for name in names for family in (4, 6)]
    with world.host.inside():
        table.publish([port], addresses)
    try:
        yield
    finally:
        with world.host.inside():
            table.unpublish([port], addresses)
            assert table.published() == []


def anywhere(family: int) -> str:
    return "::" if family == 6 else "0.0.0.0"


# --- published ports ---------------------------------------------------------


@both
@each_protocol
def test_from_outside_with_the_callers_address(world: World, family: int, protocol: str) -> None:
    address = world.address("host", family)
    with (
        published(world, Port(protocol=protocol, host_port=8080, port=80), "a1"),
        world["a1"].listen(anywhere(family), 80, protocol) as server,
    ):
        seen = world.seen("outside", address, 8080, server, protocol)
    assert seen == world.address("outside", family)


@both
def test_sctp(world: World, family: int) -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
    except OSError:
        pytest.skip("this machine lacks: SCTP")
    with (
        published(world, Port(protocol="sctp", host_port=8080, port=80), "a1"),
        world["a1"].listen(anywhere(family), 80, "sctp") as server,
    ):
        seen = world.seen("outside", world.address("host", family), 8080, server, "sctp")
    assert seen == world.address("outside", family)


@both
@each_protocol
def test_from_the_hosts_own_addresses(world: World, family: int, protocol: str) -> None:
    address = world.address("host", family)
    with (
        published(world, Port(protocol=protocol, host_port=8080, port=80), "a1"),
        world["a1"].listen(anywhere(family), 80, protocol) as server,
    ):
        seen = world.seen("host", address, 8080, server, protocol)
    assert seen == world.address("host", family, "minirun0")


@each_protocol
def test_from_the_hosts_loopback(world: World, protocol: str) -> None:
    with (
        published(world, Port(protocol=protocol, host_port=8080, port=80), "a1"),
        world["a1"].listen("::", 80, protocol) as server,
    ):
        seen = world.seen("host", "127.0.0.1", 8080, server, protocol)
    assert seen == "::ffff:" + world.address("host", 4, "minirun0")


def test_from_the_hosts_ipv6_loopback(world: World) -> None:
    """Refused at once, so that who says "localhost" goes on to 127.0.0.1."""
    with (
        published(world, Port(host_port=8080, port=80), "a1"),
        world["a1"].listen("::", 80),
        world.host.socket("::1") as caller,
        pytest.raises(ConnectionRefusedError),
    ):
        caller.connect(("::1", 8080))


@both
@each_protocol
@pytest.mark.parametrize("client", ["a1", "a2", "b1", "ab"])
def test_from_containers_through_the_host(world: World, client: str, family: int, protocol: str) -> None:
    """From the container itself, from one beside it, from another network, and from both at once."""
    address = world.address("host", family)
    with (
        published(world, Port(protocol=protocol, host_port=8080, port=80), "a1"),
        world["a1"].listen(anywhere(family), 80, protocol) as server,
    ):
        seen = world.seen(client, address, 8080, server, protocol)
    assert seen == world.address("host", family, "minirun0")


@both
def test_a_container_on_two_networks_answers_the_way_it_was_asked(world: World, family: int) -> None:
    with (
        published(world, Port(host_port=8080, port=80), "ab", bridge="mr-b"),
        world["ab"].listen(anywhere(family), 80) as server,
    ):
        seen = world.seen("a1", world.address("host", family), 8080, server)
    assert seen == world.address("host", family, "mr-b")


@both
def test_an_address_of_the_host_alone(world: World, family: int) -> None:
    address = world.address("host", family)
    port = Port(host_address=address, host_port=8080, port=80)
    with published(world, port, "a1"), world["a1"].listen(anywhere(family), 80) as server:
        assert world.seen("outside", address, 8080, server) == world.address("outside", family)
        assert not world.reaches("a2", world.address("host", family, "minirun0"), 8080)
        assert not world.reaches("host", "::1" if family == 6 else "127.0.0.1", 8080)


def test_the_hosts_loopback_alone(world: World) -> None:
    """Not even a neighbour who sends packets to 127.0.0.1 over the wire gets there."""
    port = Port(host_address="127.0.0.1", host_port=8080, port=80)
    with published(world, port, "a1"), world["a1"].listen("0.0.0.0", 80) as server:
        assert world.seen("host", "127.0.0.1", 8080, server) == world.address("host", 4, "minirun0")
        assert not world.reaches("outside", world.address("host", 4), 8080)
        with loopback_by_wire(world["outside"], world.address("host", 4)):
            assert not world.reaches("outside", "127.0.0.1", 8080)
            # The wire is there, and only the rule is in the way.
            handle = rule_handle(world.host, "prerouting", "127.0.0.0")
            world.host.run("nft", f"delete rule inet minirun prerouting handle {handle}")
            try:
                assert world.seen("outside", "127.0.0.1", 8080, server) == world.address("outside", 4)
            finally:
                world.host.run("nft", "insert rule inet minirun prerouting ip daddr 127.0.0.0/8 return")
            assert not world.reaches("outside", "127.0.0.1", 8080)


def rule_handle(place: Place, chain: str, word: str) -> str:
    """By which nft knows the rule of a chain that has ``word`` in it."""
    lines = place.run("nft", "-a", f"list chain inet minirun {chain}").splitlines()
    return next(line.rpartition(" handle ")[2] for line in lines if word in line)


def test_host_addresses_are_looked_at_before_any(world: World) -> None:
    address = world.address("host", 4)
    with (
        published(world, Port(host_port=8080, port=80), "a1"),
        published_beside(world, Port(host_address=address, host_port=8080, port=80), "a2"),
        world["a2"].listen("0.0.0.0", 80) as server,
    ):
        assert world.seen("outside", address, 8080, server) == world.address("outside", 4)


@contextmanager
def published_beside(world: World, port: Port, name: str) -> Iterator[None]:
    addresses = [world.address(name, 4)]
    with world.host.inside():
        table.publish([port], addresses)
    yield
    with world.host.inside():
        table.unpublish([port], addresses)


@both
def test_packets_in_pieces(world: World, family: int) -> None:
    """Only the first piece of a packet has ports in it; conntrack puts it together before NAT."""
    address, piece = world.address("host", family), b"x" * 5000
    with (
        published(world, Port(protocol="udp", host_port=8080, port=80), "a1"),
        world["a1"].listen(anywhere(family), 80, "udp") as server,
        world["outside"].socket(address, "udp") as caller,
    ):
        caller.sendto(piece, (address, 8080))
        said, who = server.recvfrom(8000)
        server.sendto(said, who)
        assert caller.recv(8000) == piece


# --- walls -------------------------------------------------------------------


@contextmanager
def loopback_by_wire(place: Place, gateway: str) -> Iterator[None]:
    """Who is in ``place`` sends what is for 127.0.0.1 to ``gateway``."""
    place.sysctl("net/ipv4/conf/eth0/route_localnet", "1")
    place.run("ip", "rule", "add", "pref", "10", "to", "127.0.0.0/8", "lookup", "9")
    place.run("ip", "rule", "add", "pref", "11", "lookup", "local")
    place.run("ip", "rule", "del", "pref", "0")
    place.run("ip", "route", "add", "127.0.0.0/8", "via", gateway, "dev", "eth0", "table", "9")
    try:
        yield
    finally:
        place.run("ip", "rule", "add", "pref", "0", "lookup", "local")
        place.run("ip", "rule", "del", "pref", "10")
        place.run("ip", "rule", "del", "pref", "11")
        place.run("ip", "route", "del", "127.0.0.0/8", "table", "9")
        place.sysctl("net/ipv4/conf/eth0/route_localnet", "0")


def test_a_container_does_not_reach_the_hosts_loopback(world: World) -> None:
    """CVE-2020-8558: what listens on the host's 127.0.0.1 is the host's own."""
    gateway = world.address("host", 4, "minirun0")
    with world.host.listen("127.0.0.1", 99), world.host.listen("0.0.0.0", 98) as server:
        with loopback_by_wire(world["a1"], gateway):
            assert not world.reaches("a1", "127.0.0.1", 99)
            # The wire is there, and only the wall is in the way.
            world.host.run("nft", "flush chain inet minirun loopback_wall")
            try:
                assert world.reaches("a1", "127.0.0.1", 99)
            finally:
                put_back_the_wall(world)
            assert not world.reaches("a1", "127.0.0.1", 99)
        assert world.seen("a1", gateway, 98, server)


def put_back_the_wall(world: World) -> None:
    for what in ("daddr", "saddr"):
        rule = f"add rule inet minirun loopback_wall iifname @bridges ip {what} 127.0.0.0/8 drop"
        world.host.run("nft", rule)


@both
@each_protocol
def test_the_same_network(world: World, family: int, protocol: str) -> None:
    with world["a2"].listen(anywhere(family), 80, protocol) as server:
        seen = world.seen("a1", world.address("a2", family), 80, server, protocol)
    assert seen == world.address("a1", family)


@both
def test_another_network(world: World, family: int) -> None:
    with world["b1"].listen(anywhere(family), 80):
        assert not world.reaches("a1", world.address("b1", family), 80)
        assert world.reaches("host", world.address("b1", family), 80)


def test_another_network_is_refused_at_once(world: World) -> None:
    """With words of the kernel's, and not after minutes."""
    with world["a1"].socket("10.89.0.2") as caller, pytest.raises(OSError, match="No route to host"):
        caller.connect((world.address("b1", 4), 80))


@both
def test_a_port_that_is_not_published(world: World, family: int) -> None:
    """A neighbour of the host's who has a route to the containers does not get in by it."""
    with world["a1"].listen(anywhere(family), 80):
        assert not world.reaches("outside", world.address("a1", family), 80)


@both
@each_protocol
def test_the_way_out(world: World, family: int, protocol: str) -> None:
    with world["outside"].listen(anywhere(family), 80, protocol) as server:
        seen = world.seen("a1", world.address("outside", family), 80, server, protocol)
    assert seen == world.address("host", family)


@both
def test_the_host_is_reached_without_a_mask(world: World, family: int) -> None:
    with world.host.listen(anywhere(family), 80) as server:
        seen = world.seen("a1", world.address("host", family), 80, server)
    assert seen == world.address("a1", family)


@both
def test_an_internal_network(world: World, family: int) -> None:
    """Its members reach one another and the host, and nothing behind that, nor does it reach them."""
    with world["i2"].listen(anywhere(family), 80) as server:
        assert world.seen("i1", world.address("i2", family), 80, server) == world.address("i1", family)
        assert not world.reaches("a1", world.address("i2", family), 80)
        assert not world.reaches("outside", world.address("i2", family), 80)
        assert world.reaches("host", world.address("i2", family), 80)
    with world["outside"].listen(anywhere(family), 80), world["a1"].listen(anywhere(family), 80):
        assert not world.reaches("i1", world.address("outside", family), 80)
        assert not world.reaches("i1", world.address("a1", family), 80)
        with published(world, Port(host_port=8080, port=80), "a1"):
            assert not world.reaches("i1", world.address("host", family), 8080)
    with world.host.listen(anywhere(family), 80) as server:
        assert world.seen("i1", world.address("host", family, "mr-i"), 80, server)


@both
def test_what_an_internal_network_publishes_stays_there(world: World, family: int) -> None:
    with (
        published(world, Port(host_port=8080, port=80), "i1"),
        world["i1"].listen(anywhere(family), 80) as server,
    ):
        assert not world.reaches("outside", world.address("host", family), 8080)
        assert not world.reaches("a1", world.address("host", family), 8080)
        for bridge in ("lan", "minirun0", "mr-i"):
            address = world.address("host", family, bridge)
            assert world.seen("host", address, 8080, server) == world.address("host", family, "mr-i")


# --- connections that were there before --------------------------------------


@both
def test_udp_that_was_sent_before_the_port_was_published(world: World, family: int) -> None:
    address = world.address("host", family)
    with (
        world["outside"].socket(address, "udp") as caller,
        world["a1"].listen(anywhere(family), 80, "udp") as server,
        world.host.listen(anywhere(family), 8080, "udp") as other,
    ):
        caller.sendto(b"one", (address, 8080))
        assert other.recv(64) == b"one"
        with published(world, Port(protocol="udp", host_port=8080, port=80), "a1"):
            caller.sendto(b"two", (address, 8080))
            assert server.recv(64) == b"two"
        caller.sendto(b"three", (address, 8080))
        assert other.recv(64) == b"three"


@both
def test_udp_to_a_port_that_has_moved(world: World, family: int) -> None:
    address = world.address("host", family)
    port = Port(protocol="udp", host_port=8080, port=80)
    with world["outside"].socket(address, "udp") as caller:
        for name in ("a1", "a2", "b1"):
            with published(world, port, name), world[name].listen(anywhere(family), 80, "udp") as server:
                caller.sendto(name.encode(), (address, 8080))
                assert server.recv(64) == name.encode()


def test_udp_of_others_is_not_forgotten(world: World) -> None:
    """What a container asked an outside server on the same port number goes on."""
    outside = world.address("outside", 4)
    with (
        world["outside"].listen("0.0.0.0", 53, "udp") as server,
        world["a2"].socket(outside, "udp") as caller,
    ):
        caller.sendto(b"who?", (outside, 53))
        _, asker = server.recvfrom(64)
        with published(world, Port(protocol="udp", host_port=53, port=53), "a1"):
            server.sendto(b"me", asker)
            assert caller.recv(64) == b"me"
        server.sendto(b"still", asker)
        assert caller.recv(64) == b"still"


# --- the table itself --------------------------------------------------------


def listed(place: Place, what: str = "table inet minirun") -> list[dict[str, dict[str, object]]]:
    """What nft makes of the table."""
    objects: list[dict[str, dict[str, object]]] = json.loads(place.run("nft", "-j", "list " + what))[
        "nftables"
    ]
    return objects


def elements(place: Place, name: str) -> object:
    """The elements of a set or map, as nft reads them back."""
    kind = "map" if name.startswith("publish") else "set"
    return listed(place, f"{kind} inet minirun {name}")[1][kind].get("elem", [])


def concat(*parts: object) -> dict[str, object]:
    return {"concat": list(parts)}


def test_nft_reads_back_what_was_meant(place: Place) -> None:
    ports = [
        Port(host_port=8080, port=80),
        Port(protocol="udp", host_address="192.0.2.1", host_port=53, port=5353),
        Port(protocol="sctp", host_address="2001:db8::1", host_port=65535, port=1),
        Port(host_address="::", host_port=1, port=2),
    ]
    with place.inside():
        assert table.ensure()
        table.add_network("minirun0", ["10.88.0.0/16", "fd00::/64"], False)
        table.add_network("mr-0123abcd", ["10.89.0.0/24"], True)
        table.publish(ports, ["10.88.0.2", "fd00::2"])
        back = table.published()
    assert elements(place, "bridges") == ["minirun0", "mr-0123abcd"]
    assert elements(place, "internal") == ["mr-0123abcd"]
    assert elements(place, "same_bridge") == [concat(n, n) for n in ("minirun0", "mr-0123abcd")]
    assert elements(place, "publish_any4") == [[concat("tcp", 8080), concat("10.88.0.2", 80)]]
    assert elements(place, "publish_any6") == [
        [concat("tcp", 1), concat("fd00::2", 2)],
        [concat("tcp", 8080), concat("fd00::2", 80)],
    ]
    assert elements(place, "publish_host4") == [[concat("192.0.2.1", "udp", 53), concat("10.88.0.2", 5353)]]
    assert elements(place, "publish_host6") == [[concat("2001:db8::1", "sctp", 65535), concat("fd00::2", 1)]]
    assert back == [
        (ports[2], "fd00::2"),
        (Port(host_port=1, port=2), "fd00::2"),
        (Port(host_port=8080, port=80), "10.88.0.2"),
        (Port(host_port=8080, port=80), "fd00::2"),
        (ports[1], "10.88.0.2"),
    ]


def test_fifty_published_ports_are_no_more_rules(place: Place) -> None:
    with place.inside():
        table.ensure()
    before = [kind for one in listed(place) for kind in one]
    with place.inside():
        for number in range(50):
            table.publish([Port(host_port=8000 + number, port=80)], [f"10.88.0.{number + 2}", "fd00::2"])
    assert [kind for one in listed(place) for kind in one] == before
    assert before.count("rule") < 30
    assert len(place(table.published)) == 100


def test_a_whole_range(place: Place) -> None:
    """More than one message holds, and more acknowledgements than a socket holds."""
    ports = [Port(host_port=number, port=number) for number in range(10000, 20000)]
    with place.inside():
        table.ensure()
        table.publish(ports, ["10.88.0.2", "fd00::2"])
        assert len(table.published()) == 20000
        with pytest.raises(Conflict, match="cannot publish 15000/tcp"):
            table.publish([Port(host_port=9, port=9), Port(host_port=15000, port=80)], ["10.88.0.3"])
        table.unpublish(ports, ["10.88.0.2", "fd00::2"])
        assert table.published() == []


def test_a_port_that_is_taken(place: Place) -> None:
    taken = Port(host_port=8080, port=80)
    with place.inside():
        table.ensure()
        table.publish([taken], ["10.88.0.2"])
        with pytest.raises(Conflict) as caught:
            table.publish([Port(host_port=81, port=80), taken], ["10.88.0.3"])
        assert table.published() == [(taken, "10.88.0.2")], "all or nothing"
        table.unpublish([taken], ["10.88.0.3"])
        assert table.published() == [(taken, "10.88.0.2")], "it belongs to another"
        table.unpublish([taken], ["10.88.0.2"])
        table.unpublish([taken], ["10.88.0.2"])
        assert table.published() == []
    assert "8080/tcp" in caught.value.what
    assert "10.88.0.2 port 80" in caught.value.why


@pytest.mark.parametrize(
    ("host", "address"), [("2001:db8::1", "10.88.0.2"), ("::1", "fd00::2"), ("0.0.0.0", "fd00::2"), ("", "")]
)
def test_what_cannot_be_published(place: Place, host: str, address: str) -> None:
    with place.inside():
        table.ensure()
        with pytest.raises(Unsupported, match="cannot publish"):
            table.publish([Port(host_address=host, host_port=80, port=80)], [address] if address else [])
        assert table.published() == []


def test_ensure_leaves_a_table_of_this_version_alone(place: Place) -> None:
    with place.inside():
        assert table.ensure()
        table.publish([Port(host_port=8080, port=80)], ["10.88.0.2"])
        found = nftables.find_table("minirun")
        assert not table.ensure()
        assert nftables.find_table("minirun") == found
        assert len(table.published()) == 1


def test_ensure_replaces_another_version_and_keeps_the_elements(place: Place) -> None:
    place.run(
        "nft",
        """
        create table inet minirun { comment "minirun, version 0" ; }
        add set inet minirun bridges { type ifname; elements = { "minirun0" }; }
        add map inet minirun publish_any4 { type inet_proto . inet_service : ipv4_addr . inet_service ; }
        add element inet minirun publish_any4 { tcp . 8080 : 10.88.0.2 . 80 }
        add chain inet minirun old
        """,
    )
    with place.inside():
        assert table.ensure()
        assert table.published() == [(Port(host_port=8080, port=80), "10.88.0.2")]
        assert not table.ensure()
    assert elements(place, "bridges") == ["minirun0"]
    chains = {one["chain"]["name"] for one in listed(place) if "chain" in one}
    assert "old" not in chains
    assert "postrouting" in chains


def at_once(place: Place, number: int, function: Callable[[int], bool]) -> list[bool]:
    """What ``function`` gives to so many processes that call it at the same time."""
    gate, open_gate = os.pipe()
    pids = []
    for each in range(number):
        pids.append(os.fork())
        if pids[-1] == 0:
            status = 2
            try:
                os.close(open_gate)
                with place.inside():
                    os.read(gate, 1)
                    status = int(function(each))
            finally:
                os._exit(status)
    os.close(gate)
    os.close(open_gate)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert set(codes) <= {0, 1}, codes
    return [bool(code) for code in codes]


@pytest.mark.parametrize("older", [False, True], ids=["none", "older"])
def test_ensure_by_many_at_once(place: Place, older: bool) -> None:
    """One makes or replaces the table, and nobody takes away what another has put in."""
    if older:
        place.run("nft", """create table inet minirun { comment "minirun, version 0" ; }""")

    def start(number: int) -> bool:
        made = table.ensure()
        table.publish([Port(host_port=8000 + number, port=80)], [f"10.88.0.{number + 2}"])
        return made

    made = at_once(place, 8, start)
    assert made.count(True) == 1
    assert len(place(table.published)) == 8


def test_a_port_is_had_by_one(place: Place) -> None:
    def take(number: int) -> bool:
        try:
            table.publish([Port(host_port=8080, port=80)], [f"10.88.0.{number + 2}", "fd00::2"])
        except Conflict:
            return False
        return True

    place(table.ensure)
    assert at_once(place, 8, take).count(True) == 1
    assert len(place(table.published)) == 2


def test_tables_of_others_are_left_alone(place: Place) -> None:
    place.run("nft", "add table ip docker; add chain ip docker FORWARD; add table ip minirun")
    with place.inside():
        table.ensure()
        assert table.remove()
        assert not table.remove()
        assert table.published() == []
    assert place.run("nft", "list tables").split("\n") == ["table ip docker", "table ip minirun", ""]


def test_networks_come_and_go_any_number_of_times(place: Place) -> None:
    with place.inside():
        table.ensure()
        for _ in range(2):
            table.add_network("minirun0", ["10.88.0.0/16"], True)
        for _ in range(2):
            table.remove_network("minirun0", ["10.88.0.0/16"], True)
    assert [elements(place, name) for name in ("bridges", "same_bridge", "internal")] == [[], [], []]


def test_without_a_table(place: Place) -> None:
    with place.inside():
        with pytest.raises(NotFound, match="cannot publish"):
            table.publish([Port(host_port=8080, port=80)], ["10.88.0.2"])
        with pytest.raises(NotFound, match="cannot add minirun0"):
            table.add_network("minirun0", ["10.88.0.0/16"], False)
        table.unpublish([Port(host_port=8080, port=80)], ["10.88.0.2"])
        table.remove_network("minirun0", ["10.88.0.0/16"], False)


def test_without_nft(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with place.inside(), pytest.raises(Unsupported, match="there is no program nft"):
        table.ensure()


def test_forwarding_is_switched_on_where_it_is_needed(place: Place) -> None:
    names = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"]
    for name in names:
        place.sysctl(name, "0")

    def add(subnets: list[str], internal: bool) -> tuple[str, ...]:
        return place(lambda: table.add_network("minirun0", subnets, internal))

    with place.inside():
        table.ensure()
    assert add(["10.88.0.0/16", "fd00::/64"], True) == ()
    assert [place.read_sysctl(name) for name in names] == ["0", "0"]
    assert add(["10.88.0.0/16"], False) == ("net.ipv4.ip_forward=1",)
    assert [place.read_sysctl(name) for name in names] == ["1", "0"]
    assert "net.ipv6.conf.all.forwarding=1" in add(["fd00::/64"], False)
    assert [place.read_sysctl(name) for name in names] == ["1", "1"]
    assert add(["10.88.0.0/16", "fd00::/64"], False) == ()


def test_the_hosts_own_router_is_still_listened_to(place: Place) -> None:
    """A default route that came by router advertisement survives the switch to forwarding."""
    with place.inside():
        route.create_bridge("eth0", 1500)
        route.create_bridge("eth1", 1500)
        table.ensure()
    place.sysctl("net/ipv6/conf/all/forwarding", "0")
    place.sysctl("net/ipv6/conf/eth0/accept_ra", "1")
    place.sysctl("net/ipv6/conf/eth1/accept_ra", "0")
    done = place(lambda: table.add_network("minirun0", ["fd00::/64"], False))
    assert "net.ipv6.conf.eth0.accept_ra=2" in done
    assert done[-1] == "net.ipv6.conf.all.forwarding=1"
    assert place.read_sysctl("net/ipv6/conf/eth0/accept_ra") == "2"
    assert place.read_sysctl("net/ipv6/conf/eth1/accept_ra") == "0"
