"""Links, addresses and routes, read back by `ip` and by pyroute2."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from typing import Any

import pytest

from minirun.errors import reason
from minirun.linux import netlink_route as route
from tests.kernel.wires import Place
from tests.needs import needs

pytestmark = needs("root", "ip")
MAC = "02:42:0a:58:00:02"


@pytest.fixture
def host() -> Iterator[Place]:
    """A network namespace with a bridge in it."""
    made = Place()
    with made.inside():
        assert route.create_bridge("br0", 1450, "02:00:00:00:00:01")
        route.up("br0")
    yield made
    made.close()


@pytest.fixture
def guest() -> Iterator[Place]:
    """An empty one."""
    made = Place()
    yield made
    made.close()


def ip(place: Place, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(place.run("ip", "-j", "-d", *words))
    return found


def one(place: Place, name: str) -> dict[str, Any]:
    return next(link for link in ip(place, "link") if link["ifname"] == name)


def test_a_bridge(host: Place) -> None:
    found = one(host, "br0")
    assert found["linkinfo"]["info_kind"] == "bridge"
    assert (found["mtu"], found["address"]) == (1450, "02:00:00:00:00:01")
    assert "UP" in found["flags"]
    with host.inside():
        assert not route.create_bridge("br0", 1450)
        assert route.delete_link("br0")
        assert not route.delete_link("br0")
        assert route.index("br0") == 0


def test_a_veth_pair(host: Place, guest: Place) -> None:
    with host.inside():
        route.create_veth("mr12ab", "br0", 1450, "eth0", MAC, guest.pid)
    here, there = one(host, "mr12ab"), one(guest, "eth0")
    assert here["master"] == "br0"
    assert "UP" in here["flags"] and "UP" not in there["flags"]
    assert (here["mtu"], there["mtu"], there["address"]) == (1450, 1450, MAC)
    assert [link["ifname"] for link in ip(guest, "link")] == ["lo", "eth0"]
    assert (here["link_index"], there["link_index"]) == (there["ifindex"], here["ifindex"])
    with guest.inside():
        route.up("eth0")
    assert {"UP", "LOWER_UP"} <= set(one(guest, "eth0")["flags"])
    with host.inside():
        route.delete_link("mr12ab")
    assert [link["ifname"] for link in ip(guest, "link")] == ["lo"]


def test_a_veth_pair_that_fails_is_not_half_there(host: Place, guest: Place) -> None:
    with host.inside():
        route.create_veth("mr1", "br0", 1450, "eth0", MAC, guest.pid)
        with pytest.raises(FileExistsError):
            route.create_veth("mr2", "br0", 1450, "eth0", MAC, guest.pid)
        with pytest.raises(FileExistsError):
            route.create_veth("mr1", "br0", 1450, "eth1", MAC, guest.pid)
    assert {link["ifname"] for link in ip(host, "link")} == {"lo", "br0", "mr1"}
    assert {link["ifname"] for link in ip(guest, "link")} == {"lo", "eth0"}


def test_a_macvlan(host: Place, guest: Place) -> None:
    with host.inside():
        try:
            route.create_macvlan("eth0", "br0", 1400, MAC, guest.pid)
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                pytest.skip("this machine lacks: macvlan")
            raise
    found = one(guest, "eth0")
    assert found["linkinfo"] == {"info_kind": "macvlan", "info_data": found["linkinfo"]["info_data"]}
    assert found["linkinfo"]["info_data"]["mode"] == "bridge"
    assert (found["mtu"], found["address"]) == (1400, MAC)
    assert "eth0" not in {link["ifname"] for link in ip(host, "link")}


def test_what_can_be_set(host: Place, guest: Place) -> None:
    with host.inside():
        route.create_veth("mr1", "br0", 1450, "tmp0", "", guest.pid)
        route.set_hairpin("mr1")
        route.set_alias("br0", "network minirun")
    with guest.inside():
        route.rename("tmp0", "eth0")
        route.set_mtu("eth0", 1300)
    assert one(host, "mr1")["linkinfo"]["info_slave_data"]["hairpin"] is True
    assert one(host, "br0")["ifalias"] == "network minirun"
    assert one(guest, "eth0")["mtu"] == 1300


def test_addresses(host: Place) -> None:
    given = ["10.88.0.1/16", "192.0.2.1/32", "192.0.2.2/31", "fd00::1/64"]
    with host.inside():
        assert [route.add_address("br0", address) for address in given] == [True] * 4
        assert [route.add_address("br0", address) for address in given] == [False] * 4
    found = one_address(host, "br0")
    assert set(given) <= found.keys()
    assert found["10.88.0.1/16"]["broadcast"] == "10.88.255.255"
    assert "broadcast" not in found["192.0.2.1/32"].keys() | found["192.0.2.2/31"].keys()
    assert found["fd00::1/64"]["nodad"] is True
    assert "tentative" not in found["fd00::1/64"]


def one_address(place: Place, name: str) -> dict[str, dict[str, Any]]:
    infos = next(link["addr_info"] for link in ip(place, "addr") if link["ifname"] == name)
    return {f"{info['local']}/{info['prefixlen']}": info for info in infos}


def test_routes(host: Place) -> None:
    with host.inside():
        route.add_address("br0", "10.88.0.2/16")
        route.add_address("br0", "fd00::2/64")
        given = [
            ("default", "10.88.0.1"),
            ("default", "fd00::1"),
            ("198.51.100.0/24", "10.88.0.9"),
            ("203.0.113.0/24", ""),
            ("fd01::/48", ""),
        ]
        assert [route.add_route(to, by, "br0") for to, by in given] == [True] * 5
        assert [route.add_route(to, by, "br0") for to, by in given] == [False] * 5
    found = {
        (one["dst"], one.get("gateway", "")) for family in "46" for one in ip(host, f"-{family}", "route")
    }
    assert set(given) <= found


@pytest.mark.parametrize("prefix", ["10.88.0.", "fd00::"])
def test_one_way_out_instead_of_another(host: Place, prefix: str) -> None:
    family, length = ("-6", 64) if ":" in prefix else ("-4", 16)
    with host.inside():
        route.add_address("br0", f"{prefix}2/{length}")
        assert route.add_route("default", f"{prefix}1", "br0", True)
        assert not route.add_route("default", f"{prefix}9", "br0")
        assert route.add_route("default", f"{prefix}7", "br0", True)
    found = [one["gateway"] for one in ip(host, family, "route", "show", "default")]
    assert found == [f"{prefix}7"]


def test_what_is_read_is_what_pyroute2_reads(host: Place, guest: Place) -> None:
    import pyroute2  # the oracle takes a while to import

    with host.inside():
        route.create_veth("mr1", "br0", 1450, "eth0", MAC, guest.pid)
        route.add_address("br0", "10.88.0.1/16")
        route.add_address("br0", "fd00::1/64")
        route.add_route("default", "10.88.0.9", "br0")
        route.add_route("fd01::/48", "fd00::9", "br0")
    host.run("ip", "route", "add", "198.51.100.0/24", "via", "10.88.0.7", "table", "1000", "metric", "7")
    host.run(*"ip route add 203.0.113.0/24 nexthop via 10.88.0.5 nexthop via 10.88.0.6".split())
    host.run("ip", "route", "add", "blackhole", "192.0.2.0/24")
    with host.inside():
        links, addresses, routes = route.links(), route.addresses(), route.routes()
        with pyroute2.IPRoute() as oracle:
            told = [
                (link["index"], link.get_attr("IFLA_IFNAME"), link["state"]) for link in oracle.get_links()
            ]
            owned = {(a["index"], a.get_attr("IFA_ADDRESS"), a["prefixlen"]) for a in oracle.get_addr()}
            wanted = [one for one in oracle.get_routes() if one["type"] == 1 and one["table"] != 255]
            there = {(r.get_attr("RTA_DST") or "", r["dst_len"], r.get_attr("RTA_TABLE")) for r in wanted}
    assert [(link.index, link.name, "up" if link.up else "down") for link in links] == told
    assert {(a.index, *a.address.split("/")) for a in addresses} == {
        (i, address, str(bits)) for i, address, bits in owned
    }
    found = {(r.destination, r.table) for r in routes}
    assert found == {(f"{to or '0.0.0.0'}/{bits}", table) for to, bits, table in there}
    assert (
        route.Route(destination="198.51.100.0/24", gateway="10.88.0.7", index=2, table=1000, metric=7)
        in routes
    )
    assert route.Route(destination="203.0.113.0/24", gateway="10.88.0.5", index=2) in routes
    port = next(link for link in links if link.name == "mr1")
    assert (port.kind, port.mtu, port.master) == ("veth", 1450, 2)
    assert port.parent == one(guest, "eth0")["ifindex"]


def test_many_links_are_all_read(host: Place) -> None:
    """More than one packet of answers holds."""
    batch = "\n".join(f"link add v{number} type bridge" for number in range(100))
    host.run("ip", "-batch", "-", input=batch)
    with host.inside():
        assert len(route.links()) == 102


@pytest.mark.parametrize("family", [4, 6])
def test_the_mtu_of_the_way_out(host: Place, family: int) -> None:
    with host.inside():
        assert route.default_mtu() == 1500
        route.add_address("br0", "10.88.0.2/16" if family == 4 else "fd00::2/64")
        assert route.default_mtu() == 1500
        route.add_route("default", "10.88.0.1" if family == 4 else "fd00::1", "br0")
        assert route.default_mtu() == 1450


def test_no_way_out_is_no_way_out(host: Place) -> None:
    host.run("ip", "route", "add", "blackhole", "default")
    with host.inside():
        assert route.default_mtu() == 1500


def test_errors_have_the_kernels_words(host: Place, guest: Place) -> None:
    """Where it has any: they are put behind those of the errno."""
    with host.inside():
        for call, words in [
            (lambda: route.add_route("default", "10.9.9.9", "br0"), "Nexthop has invalid gateway"),
            (lambda: route.create_bridge("br1", 20), "mtu less than device minimum"),
            (lambda: route.create_bridge("br1", 1500, "02:42"), "EINVAL"),
        ]:
            with pytest.raises(OSError) as caught:
                call()
            assert words in reason(caught.value)


def test_errors_name_what_they_are_about(host: Place, guest: Place) -> None:
    missing = [
        lambda: route.create_veth("mr1", "br9", 1500, "eth0", MAC, guest.pid),
        lambda: route.create_macvlan("eth0", "br9", 1500, MAC, guest.pid),
        lambda: route.up("br9"),
        lambda: route.rename("br9", "br8"),
        lambda: route.set_mtu("br9", 1500),
        lambda: route.add_address("br9", "10.0.0.1/8"),
        lambda: route.add_route("default", "", "br9"),
    ]
    with host.inside():
        for call in missing:
            with pytest.raises(OSError, match="br9") as caught:
                call()
            assert caught.value.errno == errno.ENODEV
        with pytest.raises(FileExistsError, match="lo"):
            route.create_bridge("lo", 1500)
        with pytest.raises(ProcessLookupError):
            route.create_veth("mr1", "br0", 1500, "eth0", MAC, 0x7FFFFFFF)
        with pytest.raises(OSError, match="1 to 15 bytes"):
            route.create_veth("m" * 16, "br0", 1500, "eth0", MAC, guest.pid)
        with pytest.raises(OSError, match="1 to 15 bytes"):
            route.create_veth("mr1", "br0", 1500, "e" * 16, MAC, guest.pid)
    assert {link["ifname"] for link in ip(host, "link")} == {"lo", "br0"}
