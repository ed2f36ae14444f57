"""A network in the kernel, made and taken back in network namespaces of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minirun.errors import Conflict, MinirunError, NotFound, Unsupported
from minirun.linux import netlink_route as route
from minirun.linux.mount import MountFlag, mount
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.trial import in_child
from minirun.network import bridge, networks
from minirun.steps import HOST, Call, Step, Walk
from tests.needs import needs

pytestmark = needs("root", "ip", "nft")


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "root")


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


def inside(function: Callable[[], Any]) -> Any:
    """What ``function`` gives in a network namespace of its own, which is gone afterwards."""

    def child() -> Any:
        unshare(CloneFlag.NEWNET)
        return function()

    return in_child(child)


def ip(*words: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-j", "-d", *words], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found


def link(name: str) -> dict[str, Any]:
    return next(one for one in ip("address", "show") if one["ifname"] == name)


def addresses_of(name: str) -> set[str]:
    """But for the link-local ones."""
    held = [one for one in link(name)["addr_info"] if one["scope"] == "global"]
    return {f"{one['local']}/{one['prefixlen']}" for one in held}


def link_names() -> list[str]:
    return sorted(one["ifname"] for one in ip("link", "show") if one["ifname"] != "lo")


def members(name: str) -> list[str]:
    """What is in a set of the table, as nft tells it; none where there is no table."""
    done = subprocess.run(
        ["nft", "-j", "list", "set", "inet", "minirun", name], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return []
    (found,) = [one["set"] for one in json.loads(done.stdout)["nftables"] if "set" in one]
    return sorted(found.get("elem", []))


def tables() -> list[str]:
    done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def sysctl(name: str) -> str:
    return Path("/proc/sys/net", name).read_text().strip()


def failure(function: Callable[[], object]) -> list[str]:
    """The kind of the error and its words, as a child can report them."""
    try:
        function()
    except MinirunError as error:
        return [type(error).__name__, str(error)]
    return ["nothing", ""]


def test_it_is_there_as_it_was_asked_for(root: str, state: str) -> None:
    def child() -> None:
        made = networks.create(
            root, "web", subnets=["10.1.0.0/24", "fd12::/64"], gateways=["10.1.0.9"], mtu=1400
        )
        assert bridge.ensure(made, state)
        found = link(made.bridge)
        assert found["linkinfo"]["info_kind"] == "bridge"
        assert "UP" in found["flags"]
        assert found["mtu"] == 1400
        assert addresses_of(made.bridge) == {"10.1.0.9/24", "fd12::1/64"}
        assert not any(one.get("tentative") for one in found["addr_info"] if one["scope"] == "global")
        assert found["ifalias"] == f"{state}/networks/web"
        assert sysctl(f"ipv4/conf/{made.bridge}/route_localnet") == "1"
        assert sysctl(f"ipv6/conf/{made.bridge}/accept_ra") == "0"
        assert sysctl("ipv4/ip_forward") == "1"
        assert members("bridges") == [made.bridge]
        assert members("internal") == []

    inside(child)


def test_the_second_time_there_is_nothing_to_do(root: str, state: str) -> None:
    def child() -> None:
        made = networks.default(root)
        assert bridge.ensure(made, state)
        before = link(made.bridge)["ifindex"], addresses_of(made.bridge), members("bridges")
        assert not bridge.ensure(made, state)
        assert bridge.ensure(made, state, force=True)
        assert (link(made.bridge)["ifindex"], addresses_of(made.bridge), members("bridges")) == before
        assert not bridge.ensure(made, state)

    inside(child)


def test_one_family_alone(root: str, state: str) -> None:
    """What has no IPv6 subnet has no link-local addresses either."""

    def child() -> None:
        v4 = networks.create(root, "v4", ipv6=False)
        v6 = networks.create(root, "v6", ipv4=False)
        for made in (v4, v6):
            bridge.ensure(made, state)
        assert {one["family"] for one in link(v4.bridge)["addr_info"]} == {"inet"}
        assert {one["family"] for one in link(v6.bridge)["addr_info"]} == {"inet6"}

    inside(child)


def test_an_internal_network_is_not_forwarded_for(root: str, state: str) -> None:
    def child() -> None:
        made = networks.create(root, "web", internal=True)
        before = sysctl("ipv4/ip_forward"), sysctl("ipv6/conf/all/forwarding")
        bridge.ensure(made, state)
        assert members("internal") == [made.bridge]
        assert (sysctl("ipv4/ip_forward"), sysctl("ipv6/conf/all/forwarding")) == before

    inside(child)


def test_the_uplinks_mtu(root: str, state: str) -> None:
    def child() -> None:
        for words in (
            "link add up0 mtu 1280 type bridge",
            "address add 192.0.2.2/24 dev up0",
            "link set up0 up",
            "route add default via 192.0.2.1",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        made = networks.default(root)
        bridge.ensure(made, state)
        assert link(made.bridge)["mtu"] == 1280

    inside(child)


def test_it_is_made_again_when_it_is_gone(root: str, state: str) -> None:
    """Removed by hand, or at a reboot."""

    def child() -> None:
        made = networks.default(root)
        bridge.ensure(made, state)
        before = link(made.bridge)
        route.delete_link(made.bridge)
        assert bridge.ensure(made, state)
        after = link(made.bridge)
        assert after["ifindex"] != before["ifindex"]
        assert after["address"] == before["address"]

    inside(child)


@pytest.mark.parametrize("how", ["flush ruleset", "delete table inet minirun"])
def test_the_table_is_made_again_when_it_is_gone(root: str, state: str, how: str) -> None:
    """For all networks, since the containers of the others run as well."""

    def child() -> None:
        web, db = networks.create(root, "web"), networks.create(root, "db", internal=True)
        for made in (web, db):
            bridge.ensure(made, state)
        subprocess.run(["nft", *how.split()], check=True)
        assert bridge.ensure(web, state)
        assert members("bridges") == sorted([web.bridge, db.bridge])
        assert members("internal") == [db.bridge]
        assert not bridge.ensure(db, state)

    inside(child)


def test_another_network_namespace_is_another_place(root: str, state: str) -> None:
    """What was noted there says nothing here, where the numbers may be the same."""

    def child() -> list[Any]:
        made = networks.default(root)
        return [bridge.ensure(made, state), link(made.bridge)["ifindex"]]

    assert inside(child)[0] is True
    assert inside(child)[0] is True


def test_removal(root: str, state: str) -> None:
    """The last network takes the table along; the tables of others stay."""

    def child() -> None:
        subprocess.run(["nft", "add table inet others"], check=True)
        web, db = networks.create(root, "web"), networks.create(root, "db")
        for made in (web, db):
            bridge.ensure(made, state)
        networks.remove(root, state, "web")
        assert link_names() == [db.bridge]
        assert members("bridges") == [db.bridge]
        networks.remove(root, state, "db")
        assert link_names() == []
        assert tables() == ["table inet others"]

    inside(child)
    assert os.listdir(f"{root}/networks") == []
    assert os.listdir(f"{state}/networks") == []


def test_removal_of_what_is_not_there(root: str, state: str) -> None:
    """Never made in the kernel, or gone from it already."""

    def child() -> None:
        networks.create(root, "web")
        networks.remove(root, state, "web")
        db = networks.create(root, "db")
        bridge.ensure(db, state)
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        route.delete_link(db.bridge)
        networks.remove(root, state, "db")
        assert (link_names(), tables()) == ([], [])

    inside(child)
    assert os.listdir(f"{root}/networks") == []


def test_a_removal_leaves_the_bridge_of_another_store_alone(root: str, state: str) -> None:
    """Both have chosen the name, and one has made it: it is that one's, in the table too."""

    def child() -> None:
        networks.default(f"{root}2")
        mine = networks.default(root)
        assert mine.bridge == networks.load(f"{root}2", "minirun").bridge == "minirun0"
        bridge.ensure(mine, state)
        networks.remove(f"{root}2", f"{state}2", "minirun")
        assert link_names() == members("bridges") == ["minirun0"]

    inside(child)


def test_an_element_that_somebody_removed_comes_back(root: str, state: str) -> None:
    def child() -> None:
        web = networks.create(root, "web")
        bridge.ensure(web, state)
        subprocess.run(["nft", "flush", "set", "inet", "minirun", "bridges"], check=True)
        assert bridge.ensure(web, state)
        assert members("bridges") == [web.bridge]
        assert not bridge.ensure(web, state)

    inside(child)


def test_two_stores_share_a_table(root: str, state: str) -> None:
    """And the last network of both takes it along."""

    def child() -> None:
        mine = networks.default(root)
        bridge.ensure(mine, state)
        theirs = networks.default(f"{root}2")
        bridge.ensure(theirs, f"{state}2")
        assert mine.bridge == "minirun0"
        assert link_names() == sorted([mine.bridge, theirs.bridge])
        assert mine.subnets[0].cidr != theirs.subnets[0].cidr
        networks.remove(root, state, "minirun")
        assert members("bridges") == [theirs.bridge]
        networks.remove(f"{root}2", f"{state}2", "minirun")
        assert (link_names(), tables()) == ([], [])

    inside(child)


def test_the_bridge_of_another_is_left_alone(root: str, state: str) -> None:
    def child() -> list[str]:
        made = networks.create(root, "web", bridge="br-mine")
        subprocess.run(["ip", "link", "add", "br-mine", "type", "bridge"], check=True)
        before = link("br-mine")
        said = failure(lambda: bridge.ensure(made, state))
        networks.remove(root, state, "web")
        assert link("br-mine") == before
        assert tables() == []
        return said

    kind, words = inside(child)
    assert kind == Conflict.__name__
    assert "br-mine is not network web's" in words


def test_somebody_has_taken_the_subnet_meanwhile(root: str, state: str) -> None:
    def child() -> list[str]:
        made = networks.create(root, "web", subnets=["10.1.0.0/24"])
        for words in ("link add vpn0 type bridge", "link set vpn0 up", "route add 10.1.0.0/24 dev vpn0"):
            subprocess.run(["ip", *words.split()], check=True)
        said = failure(lambda: bridge.ensure(made, state))
        assert link_names() == ["vpn0"]
        assert tables() == []
        return said

    kind, words = inside(child)
    assert kind == Conflict.__name__
    assert "10.1.0.0/24" in words
    assert "vpn0" in words
    assert not os.path.exists(f"{state}/networks/web/ready")


def test_without_nftables_nothing_is_left(root: str, state: str) -> None:
    def child() -> list[str]:
        unshare(CloneFlag.NEWNS)
        mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        for place in ("/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"):
            if os.path.exists(place):
                mount("/dev/null", place, None, MountFlag.BIND, None)
        said = failure(lambda: bridge.ensure(networks.default(root), state))
        assert link_names() == []
        return said

    kind, words = inside(child)
    assert kind == Unsupported.__name__
    assert "nft" in words


def test_ten_first_starts_at_once(root: str, state: str) -> None:
    """One of them makes the bridge, and nobody goes on before it is there."""

    def child() -> None:
        made = networks.default(root)
        reading, writing = os.pipe()
        pids = []
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                try:
                    os.close(writing)
                    os.read(reading, 1)
                    did = bridge.ensure(made, state)
                    there = members("bridges") == [made.bridge] and "UP" in link(made.bridge)["flags"]
                    os._exit(int(did) if there else 9)
                finally:
                    os._exit(8)
            pids.append(pid)
        os.close(reading)
        os.close(writing)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        assert sorted(codes) == [0] * 9 + [1]

    inside(child)


def test_a_macvlan_needs_its_parent(root: str, state: str) -> None:
    def child() -> list[str]:
        subprocess.run(["ip", "link", "add", "up0", "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", "192.0.2.2/24", "dev", "up0"], check=True)
        subprocess.run(["ip", "link", "set", "up0", "up"], check=True)
        # Its parent's own subnet: a macvlan is a guest there.
        made = networks.create(root, "lan", driver="macvlan", parent="up0", subnets=["192.0.2.0/24"])
        assert not bridge.ensure(made, state)
        assert (link_names(), tables()) == (["up0"], [])
        route.delete_link("up0")
        said = failure(lambda: bridge.ensure(made, state))
        networks.remove(root, state, "lan")
        return said

    kind, words = inside(child)
    assert kind == NotFound.__name__
    assert "up0" in words
    assert "lan" in words


def test_a_plan_can_hold_it(root: str, state: str) -> None:
    """Planning shows it, walking does it, and the second walk says that it skipped it."""

    def child() -> list[str]:
        made = networks.default(root)
        call = Call(bridge.ensure, made, state)
        step = Step("make sure of the network", call, why="it is there for all", side=HOST)
        told: list[str] = []
        for _ in range(2):
            Walk([step], HOST, trace=lambda *what: told.append(f"{what[2]} = {what[3]}")).run()
        return told

    shown = 'sendmsg(RTM_NEWLINK, {bridge "minirun0"}), if it is not there'
    assert inside(child) == [f"{shown} = 0", f"{shown} = skipped"]
