"""`minirun network`, in a network namespace of the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minirun.container.state import Record, Store
from minirun.linux.mount import MountFlag, mount
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.trial import in_child
from minirun.network import addresses, names, networks
from minirun.spec import Endpoint, Port, Process, Spec
from tests import leaks
from tests.conftest import Minirun
from tests.needs import needs

pytestmark = needs("root", "ip", "nft")
PLACE = f"mr-test-{os.getpid()}"


class Network(Minirun):
    """``network("ls")``: the command in the namespace PLACE."""

    def command(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", PLACE, *super().command("network", *words)]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    subprocess.run(["ip", "netns", "add", PLACE], check=True)
    try:
        yield Network(tmp_path / "root", tmp_path / "state")
    finally:
        subprocess.run(["ip", "netns", "del", PLACE], check=True)


def there(*words: str) -> str:
    """What a program says in the namespace."""
    done = subprocess.run(["ip", "netns", "exec", PLACE, *words], capture_output=True, text=True, check=True)
    return done.stdout


def interfaces() -> list[str]:
    return sorted(one["ifname"] for one in json.loads(there("ip", "-j", "link")) if one["ifname"] != "lo")


def nothing_is_left(network: Network) -> None:
    assert interfaces() == []
    assert there("nft", "list", "tables") == ""
    assert list(network.root.glob("networks/*")) == []
    assert list(network.state.glob("networks/*")) == []


def inspected(network: Network, name: str) -> dict[str, Any]:
    (found,) = json.loads(network("inspect", name, check=True).stdout)
    assert isinstance(found, dict)
    return found


def container(network: Network, name: str, id: str, *ports: Port, on: str) -> Store:
    """A container as the store has it."""
    store = Store(root=str(network.root), state=str(network.state))
    spec = Spec(process=Process(args=("true",)), endpoints=(Endpoint(network=on),), ports=ports)
    os.makedirs(store.container(id).data)
    store.container(id).write_record(Record(id=id, name=name, spec=spec))
    return store


def test_a_networks_life(network: Network) -> None:
    id = network("create", "--label", "purpose=test", "--mtu", "1400", "web", check=True).stdout.strip()
    assert len(id) == 64
    (row,) = json.loads(network("ls", "--format", "json", check=True).stdout)
    assert (row["name"], row["driver"], row["internal"], row["id"]) == ("web", "bridge", False, id)
    assert interfaces() == [row["bridge"]]

    found = inspected(network, "web")
    assert found["labels"] == {"purpose": "test"}
    assert found["interface"]["mtu"] == 1400
    assert found["interface"]["up"] is True
    assert {one["gateway"] for one in found["subnets"]} == {
        address.partition("/")[0] for address in found["interface"]["addresses"] if address[:4] != "fe80"
    }
    assert found["containers"] == []

    assert network("rm", id[:10], check=True).stdout == f"{id[:10]}\n"
    nothing_is_left(network)


def test_ls(network: Network) -> None:
    for words in (["--label", "a=1", "one"], ["--internal", "--subnet", "10.1.0.0/24", "--no-ipv6", "two"]):
        network("create", *words, check=True)
    head, one, two = network("ls", check=True).stdout.splitlines()
    assert head.split() == ["NAME", "DRIVER", "SUBNET", "BRIDGE", "INTERNAL"]
    assert one.split()[0] == "one"
    assert (two.split()[:3], two.split()[-1]) == (["two", "bridge", "10.1.0.0/24"], "yes")
    for text, expected in (
        ("name=tw", "two\n"),
        ("label=a", "one\n"),
        ("label=a=2", ""),
        ("driver=bridge", "one\ntwo\n"),
        ("driver=macvlan", ""),
    ):
        assert network("ls", "--filter", text, "--format", "{{.Name}}", check=True).stdout == expected
    ids = network("ls", "-q", check=True).stdout.split()
    assert network("ls", "-q", "-f", f"id={ids[1]}", check=True).stdout.split() == ids[1:]
    assert "there is no filter 'colour'" in network("ls", "-f", "colour=red").stderr


def test_networks_of_cni_are_listed_by_their_driver(network: Network, tmp_path: Path) -> None:
    """By the names that --network takes; a broken file is told of, and hides nothing."""
    plugin = {"type": "bridge", "bridge": "cni7"}
    whole = {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}
    (tmp_path / "10-pods.conflist").write_text(json.dumps(whole))
    (tmp_path / "20-bad.conflist").write_text("{")
    there = {"NETCONFPATH": str(tmp_path)}
    assert "cni:" not in network("ls", check=True, env=there).stdout
    done = network("ls", "-f", "driver=cni", check=True, env=there)
    assert [line.split()[:3] for line in done.stdout.splitlines()[1:]] == [["cni:pods", "cni", "cni7"]]
    assert "20-bad.conflist" in done.stderr
    assert network("ls", "-q", "-f", "driver=cni", check=True, env=there).stdout == "cni:pods\n"


def test_the_default_network_can_be_made_to_measure(network: Network) -> None:
    network("create", "--subnet", "10.1.0.0/24", "--no-ipv6", "minirun", check=True)
    assert interfaces() == ["minirun0"]
    made = networks.default(str(network.root))
    assert [subnet.cidr for subnet in made.subnets] == ["10.1.0.0/24"]
    network("rm", "minirun", check=True)
    nothing_is_left(network)


def test_a_macvlan(network: Network) -> None:
    there("ip", "link", "add", "up0", "type", "bridge")
    there("ip", "address", "add", "192.0.2.2/24", "dev", "up0")
    words = ["--driver", "macvlan", "-o", "parent=up0", "--subnet", "192.0.2.0/24", "--gateway", "192.0.2.1"]
    network("create", *words, "lan", check=True)
    found = inspected(network, "lan")
    assert (found["driver"], found["bridge"]) == ("macvlan", "up0")
    assert found["subnets"] == [{"subnet": "192.0.2.0/24", "gateway": "192.0.2.1", "ip_range": ""}]
    network("rm", "lan", check=True)
    assert interfaces() == ["up0"]


def test_docker_and_podmans_options(network: Network) -> None:
    network("create", "-o", "com.docker.network.bridge.name=br-web", "-o", "mtu=1450", "web", check=True)
    assert interfaces() == ["br-web"]
    assert inspected(network, "web")["interface"]["mtu"] == 1450


def test_who_is_on_it(network: Network) -> None:
    """By the names of the containers; and it stays as long as they are."""
    network("create", "--subnet", "10.1.0.0/24", "--no-ipv6", "web", check=True)
    id = "ab" * 32
    store = container(network, "shop", id, Port(host_port=8080, port=80), on="web")
    addresses.take(store.state, networks.load(store.root, "web"), id)
    names.join(store.state, "web", names.Member(id=id, names=("shop", "www"), addresses=("10.1.0.2",)))
    assert inspected(network, "web")["containers"] == [
        {
            "id": id,
            "name": "shop",
            "addresses": ["10.1.0.2"],
            "names": ["shop", "www"],
            "ports": ["0.0.0.0:8080->80/tcp"],
        }
    ]
    refused = network("rm", "web")
    assert refused.returncode == 125
    assert "it is used by shop" in refused.stderr
    assert network("prune", "-f", check=True).stdout == ""
    assert len(interfaces()) == 1

    addresses.release_all(store.state, id)
    names.leave(store.state, "web", id)
    network("rm", "web", check=True)
    nothing_is_left(network)


def test_prune(network: Network) -> None:
    """A stopped container's network stays, for it may be started again."""
    for name in ("web", "db", "minirun"):
        network("create", name, check=True)
    container(network, "shop", "ab" * 32, on="web")
    refused = network("prune", input="n\n")
    assert refused.returncode != 0
    assert "db, minirun" in refused.stderr
    assert network("prune", input="y\n", check=True).stdout == "db\nminirun\n"
    assert network("ls", "--format", "{{.Name}}", check=True).stdout == "web\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["host"], "'host' cannot be a network's name"),
        (["--subnet", "10.1.0.7/24", "web"], "the subnet itself is 10.1.0.0/24"),
        (["--subnet", "10.1.0.0/24", "--gateway", "10.2.0.1", "web"], "--gateway 10.2.0.1 is in no subnet"),
        (["--subnet", "10.1.0.0/24", "--subnet", "10.2.0.0/24", "web"], "two subnets of IPv4"),
        (["--ip-range", "10.1.0.0/25", "web"], "--ip-range 10.1.0.0/25 is in no subnet"),
        (["--driver", "overlay", "web"], "no network driver 'overlay'"),
        (["--driver", "macvlan", "web"], "a macvlan needs a parent"),
        (["--driver", "macvlan", "-o", "parent=nosuch0", "web"], "there is no interface nosuch0"),
        (["--mtu", "large", "web"], "--mtu 'large' is not understood"),
        (["--mtu", "20", "web"], "20 bytes cannot be the MTU"),
        (["-o", "colour=red", "web"], "-o colour=red is not supported"),
        (["-o", "com.docker.network.bridge.name=a-name-too-long-", "web"], "at most 15 bytes"),
        (["-o", "com.docker.network.bridge.name=lo", "web"], "there is an interface lo already"),
        (["--no-ipv4", "--no-ipv6", "web"], "a network without addresses"),
        (["--label", "=x", "web"], "--label has no key"),
    ],
)
def test_bad_input(network: Network, words: list[str], says: str) -> None:
    """What, why and what to do; and nothing is left."""
    done = network("create", *words)
    assert done.returncode == 125
    assert says in done.stderr
    assert "why:" in done.stderr
    assert "try:" in done.stderr
    nothing_is_left(network)


def test_overlapping_subnets(network: Network) -> None:
    there("ip", "link", "add", "vpn0", "type", "bridge")
    there("ip", "link", "set", "vpn0", "up")
    there("ip", "route", "add", "10.9.0.0/16", "dev", "vpn0")
    network("create", "--subnet", "10.1.0.0/16", "web", check=True)
    for subnet, whose in (("10.1.7.0/24", "network web"), ("10.9.7.0/24", "the host's route by vpn0")):
        done = network("create", "--subnet", subnet, "other")
        assert done.returncode == 125
        assert f"the subnet {subnet} overlaps with" in done.stderr
        assert whose in done.stderr
    assert network("ls", "--format", "{{.Name}}", check=True).stdout == "web\n"


def test_a_bridge_that_cannot_be_made_leaves_nothing(network: Network) -> None:
    """Here nft is no program; what was made before it is taken back."""
    hide = 'mount --bind /dev/null $(readlink -f $(PATH=$PATH:/usr/sbin command -v nft)) && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", hide, "sh", *network.command("create", "web")],
        capture_output=True,
        text=True,
        env=network.environment,
        check=False,
    )
    assert done.returncode == 125
    assert "nft" in done.stderr
    nothing_is_left(network)


def test_networks_that_are_not_there(network: Network) -> None:
    for words in (["inspect", "nosuch"], ["rm", "nosuch"]):
        done = network(*words)
        assert done.returncode == 125
        assert "no such network: nosuch" in done.stderr
    assert network("rm", "-f", "nosuch").returncode == 0
    network("create", "web", check=True)
    both = network("rm", "nosuch", "web")
    assert (both.returncode, both.stdout) == (125, "web\n")
    nothing_is_left(network)


def test_the_look_for_leaks_finds_bridges_and_tables(tmp_path: Path) -> None:
    """A bridge of a test's own store, and what is plugged into it; the table, when no bridge is left."""
    places = (str(tmp_path / "session"), str(tmp_path))

    def run(words: str) -> None:
        subprocess.run(words.split(), check=True)

    def child() -> list[list[str]]:
        unshare(CloneFlag.NEWNET | CloneFlag.NEWNS)
        mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        mount("sysfs", "/sys", "sysfs", MountFlag(0), None)  # that of this network namespace
        run("ip link add mr-11111111 type bridge")
        run(f"ip link set mr-11111111 alias {tmp_path}/state/networks/web")
        run("ip link add mr-22222222 type bridge")
        run("ip link set mr-22222222 alias /elsewhere/networks/web")
        run("ip link add mrtest0 master mr-11111111 type veth peer name mrtest1")
        run("ip link set mrtest1 master mr-22222222")
        run("nft add table inet minirun")
        first = sorted(leaks.links(places) | leaks.tables())
        for name in ("mr-11111111", "mr-22222222", "mrtest0"):
            run(f"ip link del {name}")
        return [first, sorted(leaks.links(places) | leaks.tables())]

    home = f"{tmp_path}/state/networks/web"
    assert in_child(child) == [
        [f"interface mr-11111111 {home}", f"interface mrtest0 {home}"],
        ["nftables table inet minirun"],
    ]
