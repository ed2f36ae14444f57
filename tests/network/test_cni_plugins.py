"""CNI with the real plugins of Debian's containernetworking-plugins.

They change the host's bridges, addresses and iptables. So the "host" is a forked
child with network and mount namespaces of its own, in which /run is empty; the
containers are network namespaces made there by ip-netns(8). All of it goes with
the child. What the plugins did is read with ``ip -j``, ``iptables-save`` and tc.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from minirun.errors import MinirunError
from minirun.linux import mount, namespace
from minirun.linux.mount import MountFlag
from minirun.linux.namespace import CloneFlag
from minirun.linux.trial import in_child
from minirun.network import cni
from minirun.spec import Port
from tests.needs import needs

PLUGINS = "/usr/lib/cni"
pytestmark = [
    needs("root", "ip", "iptables", "tc"),
    pytest.mark.skipif(
        not os.path.exists(f"{PLUGINS}/bridge"), reason="this machine lacks: containernetworking-plugins"
    ),
]


class Host:
    """A host of the test's own, and its containers."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.state = str(place / "state")
        self.addresses = place / "addresses"
        namespace.unshare(CloneFlag.NEWNET | CloneFlag.NEWNS)
        mount.mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        mount.mount("tmpfs", "/run", "tmpfs", MountFlag(0), None)
        run("ip", "link", "set", "lo", "up")

    def container(self, id: str) -> str:
        """A network namespace for the container ``id``; its path."""
        run("ip", "netns", "add", id)
        return f"/run/netns/{id}"

    def config(self, *plugins: dict[str, Any], version: str = "1.0.0") -> cni.NetworkConfig:
        """A network ``net`` of these plugins."""
        directory = self.place / "net.d"
        directory.mkdir(exist_ok=True)
        whole = {"cniVersion": version, "name": "net", "plugins": plugins}
        (directory / "net.conflist").write_text(json.dumps(whole))
        return cni.load("net", str(directory))

    def host_local(self, subnet: str = "10.77.0.0/24") -> dict[str, Any]:
        """The part ``ipam``, which keeps its addresses in the test's directory."""
        return {
            "type": "host-local",
            "ranges": [[{"subnet": subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(self.addresses),
        }

    def taken(self) -> list[str]:
        """The addresses that host-local has given away."""
        place = self.addresses / "net"
        return sorted(name for name in os.listdir(place) if name[0].isdigit()) if place.is_dir() else []

    def add(self, config: cni.NetworkConfig, id: str, netns: str, **options: Any) -> cni.Result:
        """ADD."""
        return cni.add(config, id, netns, "eth0", state=self.state, paths=[PLUGINS], **options)

    def delete(self, id: str, netns: str = "", network: str = "net") -> None:
        """DEL with what is on record."""
        cni.delete(network, id, netns, "eth0", self.state, [PLUGINS])

    def check(self, id: str, netns: str) -> None:
        """CHECK."""
        cni.check("net", id, netns, "eth0", self.state, [PLUGINS])


def on_a_host(test: Callable[[Host], object]) -> Callable[[Path], None]:
    """Runs a test in a forked child whose host it may spoil. The child's exception fails the test."""

    def wrapped(tmp_path: Path) -> None:
        in_child(lambda: told(tmp_path))

    def told(tmp_path: Path) -> None:
        try:
            test(Host(tmp_path))
        except BaseException:
            traceback.print_exc()  # of which the parent gets the last line only
            raise

    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@on_a_host
def test_bridge_with_everything(host: Host) -> None:
    """bridge, host-local, portmap, firewall and bandwidth: made, used, and taken away."""
    config = host.config(
        {"type": "bridge", "bridge": "cni7", "isGateway": True, "ipMasq": True, "ipam": host.host_local()},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "firewall", "backend": "iptables"},
        {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    )
    netns = host.container("c1")
    rules = iptables()
    asked = cni.RuntimeConfig(bandwidth=cni.Bandwidth(ingressRate=8_000_000, ingressBurst=8_000_000))
    result = host.add(config, "c1", netns, ports=[Port(host_port=8080, port=80)], asked=asked)

    (address,) = result.addresses("eth0")
    assert (address.address, address.gateway) == ("10.77.0.2/24", "10.77.0.1")
    assert addresses("eth0", "c1") == ["10.77.0.2/24"]
    assert addresses("cni7") == ["10.77.0.1/24"]
    assert host.taken() == ["10.77.0.2"]
    with listening(netns, "10.77.0.2", 80) as server:
        assert exchange(server, ("10.77.0.2", 80)) == b"hello"
        assert exchange(server, ("10.77.0.1", 8080)) == b"hello"
    assert "rate 8Mbit" in run("tc", "qdisc", "show")
    new = iptables() - rules
    assert any("10.77.0.2:80" in rule for rule in new)
    assert any("10.77.0.2/32" in rule and "ACCEPT" in rule for rule in new)

    # No CHECK here: portmap 1.1.1 misses its IPv6 chain where there is no IPv6 address.
    host.delete("c1", netns)
    assert addresses("eth0", "c1") == []
    assert host.taken() == []
    assert [rule for rule in iptables() if "10.77.0.2" in rule] == []
    assert [link for link in links() if link.startswith(("veth", "bwp"))] == []
    assert cni.cached(host.state) == ([], [])


@on_a_host
def test_check_sees_what_somebody_deleted(host: Host) -> None:
    """The interface, or a rule of the firewall."""
    config = host.config(
        {"type": "bridge", "bridge": "cni7", "isGateway": True, "ipam": host.host_local()},
        {"type": "firewall", "backend": "iptables"},
        {"type": "bandwidth", "ingressRate": 8_000_000, "ingressBurst": 8_000_000},
    )
    one, two = host.container("c1"), host.container("c2")
    host.add(config, "c1", one)
    host.add(config, "c2", two)
    host.check("c1", one)
    host.check("c2", two)
    run("ip", "-n", "c1", "link", "delete", "eth0")
    run("iptables", "-F", "CNI-FORWARD")
    with pytest.raises(cni.PluginFailed, match="plugin bridge failed at CHECK"):
        host.check("c1", one)
    with pytest.raises(cni.PluginFailed, match="plugin firewall failed at CHECK"):
        host.check("c2", two)
    host.delete("c1", one)
    host.delete("c2", two)
    assert host.taken() == []


@on_a_host
def test_delete_after_the_namespace_is_gone(host: Host) -> None:
    """As after a crash: the address and the rules are given back nevertheless."""
    config = host.config(
        {"type": "bridge", "bridge": "cni7", "isGateway": True, "ipam": host.host_local()},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "firewall", "backend": "iptables"},
    )
    for id in ("dead", "alive"):
        number = 8080 if id == "dead" else 8081
        host.add(config, id, host.container(id), ports=[Port(host_port=number, port=80)])
    assert host.taken() == ["10.77.0.2", "10.77.0.3"]
    run("ip", "netns", "delete", "dead")
    removed, errors = cni.collect(host.state, lambda one: one.container_id == "alive", [PLUGINS])
    assert ([one.container_id for one in removed], errors) == (["dead"], [])
    assert host.taken() == ["10.77.0.3"]
    assert [rule for rule in iptables() if "10.77.0.2" in rule or "8080" in rule] == []
    assert [rule for rule in iptables() if "8081" in rule]


@on_a_host
def test_a_list_that_fails_at_its_end_leaves_nothing(host: Host) -> None:
    """bandwidth refuses its configuration; what bridge and firewall made is gone again."""
    config = host.config(
        {"type": "bridge", "bridge": "cni7", "isGateway": True, "ipam": host.host_local()},
        {"type": "firewall", "backend": "iptables"},
        {"type": "bandwidth", "ingressRate": 1000},
    )
    netns = host.container("c1")
    with pytest.raises(MinirunError, match="plugin bandwidth failed at ADD") as caught:
        host.add(config, "c1", netns)
    assert "burst" in caught.value.why
    assert host.taken() == []
    assert addresses("eth0", "c1") == []
    assert [rule for rule in iptables() if "10.77.0.2" in rule] == []
    assert [link for link in links() if link.startswith("veth")] == []


@on_a_host
def test_many_at_once(host: Host) -> None:
    """Eight containers on one network, from none to all: no address twice, none left."""
    config = host.config(
        {"type": "bridge", "bridge": "cni7", "isGateway": True, "ipMasq": True, "ipam": host.host_local()},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "firewall", "backend": "iptables"},
    )
    ids = [f"c{number}" for number in range(8)]
    namespaces = {id: host.container(id) for id in ids}
    given: dict[str, str] = {}

    def come(id: str) -> None:
        ports = [Port(host_port=9000 + int(id[1:]), port=80)]
        given[id] = host.add(config, id, namespaces[id], ports=ports).addresses("eth0")[0].address

    at_once(come, ids)
    assert len(set(given.values())) == 8
    assert {id: addresses("eth0", id)[0] for id in ids} == given
    at_once(lambda id: host.delete(id, namespaces[id]), ids)
    assert host.taken() == []
    assert [rule for rule in iptables() if "10.77.0." in rule and "/32" in rule] == []
    assert cni.cached(host.state) == ([], [])


@on_a_host
def test_point_to_point(host: Host) -> None:
    """ptp: a veth pair and routes, no bridge."""
    config = host.config({"type": "ptp", "ipMasq": True, "mtu": 1400, "ipam": host.host_local()})
    netns = host.container("c1")
    result = host.add(config, "c1", netns)
    assert [ip.address for ip in result.addresses("eth0")] == ["10.77.0.2/24"]
    with listening(netns, "10.77.0.2", 80) as server:
        assert exchange(server, ("10.77.0.2", 80)) == b"hello"
    assert show("link", "show", "eth0", netns="c1")[0]["mtu"] == 1400
    host.check("c1", netns)
    host.delete("c1", netns)
    assert host.taken() == []
    assert links() == ["lo"]


@on_a_host
def test_macvlan(host: Host) -> None:
    """Two containers on one interface of the host's reach each other; a mac that was asked for is used."""
    run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "other")
    run("ip", "link", "set", "wire", "up")
    run("ip", "link", "set", "other", "up")
    config = host.config(
        {
            "type": "macvlan",
            "master": "wire",
            "mode": "bridge",
            "capabilities": {"mac": True, "ips": True},
            "ipam": host.host_local(),
        }
    )
    one, two = host.container("c1"), host.container("c2")
    mac = "02:42:00:00:00:07"
    result = host.add(config, "c1", one, asked=cni.RuntimeConfig(mac=mac, ips=("10.77.0.50",)))
    host.add(config, "c2", two)
    assert result.interfaces[0].mac == mac
    assert show("link", "show", "eth0", netns="c1")[0]["address"] == mac
    assert addresses("eth0", "c1") == ["10.77.0.50/24"]
    with listening(one, "10.77.0.50", 80) as server:
        assert exchange(server, ("10.77.0.50", 80), netns=two) == b"hello"
    host.check("c1", one)
    host.delete("c1", one)
    host.delete("c2", two)
    assert host.taken() == []


@on_a_host
def test_loopback(host: Host) -> None:
    """A .conf of one plugin, in the version of old: lo is up."""
    path = host.place / "lo.conf"
    path.write_text(json.dumps({"cniVersion": "0.2.0", "name": "lo", "type": "loopback"}))
    netns = host.container("c1")
    config = cni.load("lo", str(host.place))
    cni.add(config, "c1", netns, "lo", state=host.state, paths=[PLUGINS])
    assert "127.0.0.1/8" in addresses("lo", "c1")
    cni.delete("lo", "c1", netns, "lo", host.state, [PLUGINS])
    assert show("link", "show", "lo", netns="c1")[0]["operstate"] == "DOWN"


@on_a_host
def test_both_families_in_every_version(host: Host) -> None:
    """0.3.1, 0.4.0 and 1.0.0 write their answers differently."""
    for version in ("0.3.1", "0.4.0", "1.0.0"):
        id = f"c{version}"
        ipam = host.host_local()
        ipam["ranges"].append([{"subnet": "fd77::/64"}])
        config = host.config(
            {"type": "bridge", "bridge": "cni7", "isGateway": True, "ipam": ipam}, version=version
        )
        netns = host.container(id)
        result = host.add(config, id, netns)
        found = [ip.address for ip in result.addresses("eth0")]
        assert len(found) == 2
        assert set(found) <= set(addresses("eth0", id))
        host.delete(id, netns)
    assert host.taken() == []


@on_a_host
def test_a_version_that_the_plugins_do_not_speak(host: Host) -> None:
    """Debian's plugins know 1.0.0: alone, 1.1.0 is refused by them; beside 1.0.0 it is not used."""
    plugin = {"type": "bridge", "bridge": "cni7", "ipam": host.host_local()}
    config = host.config(plugin, version="1.1.0")
    netns = host.container("c1")
    with pytest.raises(cni.PluginFailed, match="plugin bridge failed at ADD") as caught:
        host.add(config, "c1", netns)
    assert caught.value.code == 1
    assert '"1.0.0"' in caught.value.why
    path = host.place / "net.d" / "net.conflist"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cniVersions": ["1.0.0", "1.1.0"]}))
    host.add(cni.load("net", str(path.parent)), "c1", netns)
    (attachment,), _ = cni.cached(host.state)
    assert attachment.version == "1.0.0"
    host.delete("c1", netns)


def run(*words: str) -> str:
    """What a command prints."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def show(*words: str, netns: str = "") -> list[dict[str, Any]]:
    """``ip -j``, perhaps in the namespace of a container; nothing for an interface that is not there."""
    where = ["-n", netns] if netns else []
    done = subprocess.run(["ip", "-j", *where, *words], capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found


def addresses(interface: str, netns: str = "") -> list[str]:
    """Those of an interface, without the one that IPv6 gives every link."""
    found = show("address", "show", interface, netns=netns)
    every = [info for link in found for info in link.get("addr_info", [])]
    return [f"{info['local']}/{info['prefixlen']}" for info in every if info["scope"] != "link"]


def links() -> list[str]:
    """The host's interfaces."""
    return [link["ifname"] for link in show("link", "show")]


def iptables() -> set[str]:
    """Every rule of the host."""
    return set(run("iptables-save").splitlines())


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """What opens a socket here opens it in ``netns``, where it stays."""
    if not netns:
        yield
        return
    home = namespace.open_namespace("/proc/thread-self/ns/net")
    namespace.join(netns, CloneFlag.NEWNET)
    try:
        yield
    finally:
        namespace.join_process(home, CloneFlag.NEWNET)
        os.close(home)


@contextmanager
def listening(netns: str, address: str, port: int) -> Iterator[socket.socket]:
    """A server in a container."""
    with inside(netns):
        server = socket.create_server((address, port))
    with server:
        yield server


def exchange(server: socket.socket, address: tuple[str, int], netns: str = "") -> bytes:
    """What the server gets from a client on the host (or in ``netns``) that connects to ``address``."""
    with inside(netns):
        client = socket.create_connection(address, timeout=10)
    with client:
        server.settimeout(10)
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"hello")
            return accepted.recv(5)


def at_once(what: Callable[[str], object], ids: list[str]) -> None:
    """Runs it for each, all at the same time; raises what the first of them raised."""
    failed: list[BaseException] = []

    def guarded(id: str) -> None:
        try:
            what(id)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
