"""What a network is, on disk; nothing here speaks to the kernel but to ask what it has."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minirun.errors import Conflict, InvalidInput, MinirunError, NotFound, Unsupported, UsageError
from minirun.network import addresses, host, names, networks
from minirun.network.bridge import mac_of
from minirun.network.networks import Subnet

#: Somebody's documentation (RFC 5737, RFC 3849): no host has a route there.
NET4, NET6 = "198.51.100.0/24", "2001:db8:77::/64"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    root = str(tmp_path)
    made = networks.create(
        root,
        "web.1",
        subnets=[NET4, NET6],
        gateways=["198.51.100.254"],
        ip_range="198.51.100.128/25",
        internal=True,
        mtu=1400,
        labels={"purpose": "test"},
    )
    assert made.subnets == (
        Subnet(cidr=NET4, gateway="198.51.100.254", ip_range="198.51.100.128/25"),
        Subnet(cidr=NET6, gateway="2001:db8:77::1"),
    )
    assert networks.load(root, "web.1") == made
    assert networks.networks(root) == [made]
    assert (made.driver, made.internal, made.mtu, made.labels) == ("bridge", True, 1400, {"purpose": "test"})
    assert len(made.id) == 64
    assert len(made.bridge) == 11
    assert made.bridge.startswith("mr-")


def test_the_default_network_is_made_once(tmp_path: Path) -> None:
    made = networks.default(str(tmp_path))
    assert made.name == "minirun"
    assert networks.default(str(tmp_path)) == made
    assert ipaddress.ip_network(made.subnets[0].cidr).num_addresses >= 4096


def test_fifty_first_starts_at_once(tmp_path: Path) -> None:
    """One makes the default network, all have it."""
    reading, writing = os.pipe()
    pids = []
    for number in range(50):
        pid = os.fork()
        if pid == 0:
            try:
                os.close(writing)
                os.read(reading, 1)
                found = networks.default(str(tmp_path))
                (tmp_path / f"saw{number}").write_text(found.id)
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    os.close(reading)
    os.close(writing)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 50
    assert {file.read_text() for file in tmp_path.glob("saw*")} == {networks.default(str(tmp_path)).id}


def test_what_minirun_chooses_overlaps_with_nothing_that_the_host_has(tmp_path: Path) -> None:
    """Nor with its other networks."""
    found = [networks.default(str(tmp_path)), *(networks.create(str(tmp_path), f"net{n}") for n in range(3))]
    mine = [ipaddress.ip_network(subnet.cidr) for network in found for subnet in network.subnets]
    theirs = []
    for family in ("-4", "-6"):
        done = subprocess.run(["ip", "-j", family, "route"], capture_output=True, text=True, check=True)
        theirs += [entry["dst"] for entry in json.loads(done.stdout) if entry["dst"] != "default"]
    others = [ipaddress.ip_network(route) for route in theirs]
    for place, net in enumerate(mine):
        assert not any(net.overlaps(other) for other in [*mine[:place], *others])


def test_names_are_given_once(tmp_path: Path) -> None:
    networks.create(str(tmp_path), "web", subnets=[NET4])
    with pytest.raises(Conflict, match="there is a network 'web' already"):
        networks.create(str(tmp_path), "web")
    with pytest.raises(Conflict, match=r"198\.51\.100\.128/25 overlaps with 198\.51\.100\.0/24") as caught:
        networks.create(str(tmp_path), "other", subnets=["198.51.100.128/25"])
    assert "network web" in caught.value.why
    assert [network.name for network in networks.networks(str(tmp_path))] == ["web"]


def test_a_subnet_of_the_hosts(tmp_path: Path) -> None:
    """Whose it is, the error says."""
    with pytest.raises(InvalidInput, match=r"127\.0\.0\.0/8"):
        networks.create(str(tmp_path), "web", subnets=["127.0.0.0/8"])
    done = subprocess.run(["ip", "-j", "-4", "route"], capture_output=True, text=True, check=True)
    routes = [route for route in json.loads(done.stdout) if "/" in route["dst"]]
    if not routes:
        pytest.skip("this machine lacks: a route")
    with pytest.raises(Conflict, match="overlaps") as caught:
        networks.create(str(tmp_path), "web", subnets=[routes[0]["dst"]])
    assert routes[0]["dev"] in caught.value.why
    assert networks.networks(str(tmp_path)) == []


@pytest.mark.parametrize(
    "name", ["", "-x", "a/b", "../x", "a b", "none", "host", "bridge", "ä", "x" * 64, "a:b"]
)
def test_what_cannot_be_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a network's name"):
        networks.create(str(tmp_path), name)
    with pytest.raises(NotFound):
        networks.load(str(tmp_path), name)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"driver": "overlay"}, Unsupported, "no network driver 'overlay'"),
        ({"parent": "eth0"}, UsageError, "a bridge has no parent"),
        ({"driver": "macvlan"}, UsageError, "needs a parent"),
        ({"driver": "macvlan", "parent": "nosuch0"}, NotFound, "no interface nosuch0"),
        ({"driver": "macvlan", "parent": "lo", "bridge": "br0"}, UsageError, "has no bridge"),
        ({"driver": "macvlan", "parent": "lo"}, UsageError, "it is the loopback"),
        ({"bridge": "a-name-too-long-"}, InvalidInput, "at most 15 bytes"),
        ({"bridge": "a name"}, InvalidInput, "cannot be an interface's name"),
        ({"bridge": "br%d"}, InvalidInput, "cannot be an interface's name"),
        ({"bridge": "lo"}, Conflict, "there is an interface lo"),
        ({"ipv4": False, "ipv6": False}, UsageError, "without addresses"),
        ({"ipv4": False, "subnets": [NET4]}, UsageError, "no IPv4"),
        ({"ipv6": False, "subnets": [NET6]}, UsageError, "no IPv6"),
        ({"mtu": 67, "ipv6": False}, InvalidInput, "68 to 65535"),
        ({"mtu": 65536}, InvalidInput, "to 65535"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path, options: dict[str, object], kind: type[MinirunError], says: str
) -> None:
    with pytest.raises(kind) as caught:
        networks.create(str(tmp_path), "web", **options)
    assert says in str(caught.value)
    assert caught.value.why
    assert caught.value.remedy
    assert networks.networks(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("options", "versions"),
    [
        ({"ipv6": False}, [4]),
        ({"ipv4": False}, [6]),
        ({}, [4, 6]),
        ({"subnets": [NET6]}, [4, 6]),
        ({"subnets": [NET6], "ipv4": False}, [6]),
        ({"driver": "macvlan", "parent": "lo", "subnets": [NET4]}, [4]),
        ({"driver": "macvlan", "parent": "lo", "subnets": [NET4], "ipv6": True}, [4, 6]),
    ],
)
def test_families(
    tmp_path: Path, options: dict[str, object], versions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_LOOPBACK", 0)  # it is the one interface that every machine has
    if 6 in versions and not host.has_ipv6():
        pytest.skip("this machine lacks: IPv6")
    made = networks.create(str(tmp_path), "web", **options)
    assert [ipaddress.ip_network(subnet.cidr).version for subnet in made.subnets] == versions


def test_ipv6_needs_larger_packets(tmp_path: Path) -> None:
    if not host.has_ipv6():
        pytest.skip("this machine lacks: IPv6")
    with pytest.raises(InvalidInput, match="1279 bytes cannot be the MTU") as caught:
        networks.create(str(tmp_path), "web", mtu=1279)
    assert "1280 to 65535" in caught.value.why
    assert networks.create(str(tmp_path), "web", mtu=1279, ipv6=False).mtu == 1279


def test_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    root = str(tmp_path)
    made = networks.create(root, "web")
    assert networks.find(root, made.id[:6]) == networks.find(root, "web") == made
    for nobody in ("", "no", "../web"):
        with pytest.raises(NotFound):
            networks.find(root, nobody)


def test_confirm(tmp_path: Path) -> None:
    """Another network of the same name is another network."""
    root = str(tmp_path)
    first = networks.create(root, "web")
    networks.confirm(root, first)
    networks.forget(root, str(tmp_path / "state"), first)
    with pytest.raises(NotFound):
        networks.confirm(root, first)
    networks.create(root, "web")
    with pytest.raises(NotFound):
        networks.confirm(root, first)


def test_a_damaged_file(tmp_path: Path) -> None:
    networks.create(str(tmp_path), "web")
    for rubbish in ("", "{", "[]", '{"name": 1', '{"subnets": 3}', "null"):
        (tmp_path / "networks/web.json").write_text(rubbish)
        with pytest.raises(InvalidInput, match="is damaged"):
            networks.load(str(tmp_path), "web")


def test_one_in_use_stays(tmp_path: Path) -> None:
    """Whoever has an address of it, or is on it."""
    root, state = str(tmp_path / "root"), str(tmp_path / "state")
    made = networks.create(root, "web")
    addresses.take(state, made, "1" * 64)
    names.join(state, "web", names.Member(id="2" * 64, names=("two",)))
    assert networks.used_by(state, "web") == ["1" * 64, "2" * 64]
    with pytest.raises(Conflict, match="cannot remove network web") as caught:
        networks.remove(root, state, "web", {"1" * 64: "one", "2" * 64: "two"}.__getitem__)
    assert caught.value.why == "it is used by one, two"
    assert networks.load(root, "web") == made


@pytest.mark.parametrize(
    ("address", "mac"),
    [
        ("10.87.0.2/16", "02:42:0a:57:00:02"),
        ("192.0.2.255", "02:42:c0:00:02:ff"),
        ("fd00::1:2/64", "02:42:00:01:00:02"),
    ],
)
def test_the_hardware_address_follows_from_the_address(address: str, mac: str) -> None:
    assert mac_of(address) == mac


def test_a_start_imports_nothing_for_it() -> None:
    """What every start does costs no import of note."""
    program = "import sys; from minirun.network import networks, addresses, bridge; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    dear = {"ipaddress", "json", "re", "socket", "subprocess", "typing", "pathlib", "shutil"}
    assert dear.intersection(done.stdout.split()) == set()
