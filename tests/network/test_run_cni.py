"""`run --network cni:NAME` with the real plugins: reached, called by name, and gone without a trace.

Each test has a host of its own (cni_host.py). What goes wrong is in test_run_cni_faults.py.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.leaks import wait_for
from tests.lifecycle.test_start_cost import imported
from tests.needs import needs
from tests.network.cni_host import PORTMAP, Host, has_plugins, links, on_a_host, run
from tests.network.test_run_network import fetched

pytestmark = [needs("root", "overlay", "ip", "iptables", "nft"), has_plugins]


@on_a_host
def test_the_stack_of_a_container(host: Host) -> None:
    """Its address from the plugins, in the kernel as in `inspect`; the host; and nothing of minirun's own."""
    host.usual()
    (endpoint,) = host.start("one", "--network", "cni:net")["networks"]
    assert (endpoint["network"], endpoint["driver"]) == ("net", "cni")
    assert (endpoint["addresses"], endpoint["gateways"]) == (["10.245.1.2/24"], ["10.245.1.1"])
    script = "ip -o -4 addr show dev eth0; ip route; cat /sys/class/net/eth0/address; grep netns /proc/mounts"
    look = host("exec", "one", "sh", "-c", script).stdout
    assert "inet 10.245.1.2/24" in look and "default via 10.245.1.1 dev eth0" in look
    assert look.splitlines()[-1] == endpoint["mac"]
    assert host("exec", "one", "ping", "-c", "1", "-W", "5", "10.245.1.1").returncode == 0
    assert [name for name in links() if name.startswith(("mr", "minirun"))] == []
    assert "minirun" not in run("nft", "list", "tables")
    assert host("gc", check=True).stdout == ""
    assert host("exec", "one", "ping", "-c", "1", "-W", "5", "10.245.1.1").returncode == 0
    host("rm", "-f", "one", check=True)
    assert host.traces() == set()


@on_a_host
def test_the_plan_tells(host: Host) -> None:
    """`explain` takes nothing; `--trace` has the plugins with the path that they got."""
    host.usual()
    said = host("explain", "--network", "cni:net", "-p", "80", "busybox", check=True).stdout
    assert "execve(bridge, portmap, firewall; CNI_COMMAND=ADD CNI_NETNS=" in said
    assert not (host.root / "cni").exists() and host.traces() == set()
    said = host("run", "--rm", "--trace", "--network", "cni:net", "busybox", "true", check=True).stderr
    (line,) = [line for line in said.splitlines() if "CNI_COMMAND=ADD" in line]
    assert "/netns CNI_IFNAME=eth0) = 0" in line and " us " in line
    assert any("hosts" in line and "10.245.1.2" in line for line in said.splitlines())
    assert host.traces() == set()


@on_a_host
def test_names_and_neighbours(host: Host) -> None:
    """By name, alias, hostname and domain, both ways, on that network alone; gone with the container."""
    host.usual("net", 1)
    host.usual("other", 2)
    address = host.serve("web", "--network", "cni:net", "--network-alias", "shop", "-h", "fish")
    host.start("client", "--network", "cni:net", "--hostname", "cat", "--domainname", "example.org")
    host.start("stranger", "--network", "cni:other", "--userns", "private")
    for name in ("web", "shop", "fish", "web.net", address):
        assert host("exec", "client", "wget", "-q", "-O", "-", f"http://{name}/").stdout == "page\n", name
    assert host("exec", "web", "ping", "-c", "1", "-W", "5", "client").returncode == 0
    hosts = host("exec", "client", "cat", "/etc/hosts").stdout
    assert (
        "10.245.1.3\tcat.example.org cat\n" in hosts and "10.245.1.3\tclient client.net cat cat.net" in hosts
    )
    hosts = host("exec", "stranger", "cat", "/etc/hosts").stdout
    assert "web" not in hosts and "10.245.2.2\tstranger" in hosts
    host("rm", "-f", "web", check=True)
    assert "shop" not in host("exec", "client", "cat", "/etc/hosts").stdout


@on_a_host
def test_published_ports_are_the_plugins_business(host: Host) -> None:
    """portmap leads there from the host's addresses; nobody else gets the port; it works after a restart."""
    host.usual()
    host.serve("web", "--network", "cni:net", "-p", "8080:80", "-p", "127.0.0.1:8081:80")
    for place in ("127.0.0.1:8080", "10.245.1.1:8080", "127.0.0.1:8081"):
        assert fetched(place) == b"page\n", place
    assert host("port", "web", "80/tcp").stdout.split() == ["0.0.0.0:8080", "127.0.0.1:8081"]
    refused = host("run", "--rm", "--network", "cni:net", "-p", "8080:80", "busybox", "true")
    assert refused.returncode == 125 and "8080" in refused.stderr
    assert "minirun" not in run("nft", "list", "tables")
    host("stop", "-t", "0", "web", check=True)
    assert wait_for(host.traces) == set()
    host("start", "web", check=True)
    answers = "until wget -q -O /dev/null http://127.0.0.1/; do sleep 0.1; done"
    host("exec", "web", "sh", "-c", answers, check=True)
    assert fetched("127.0.0.1:8080") == b"page\n"


@on_a_host
def test_an_address_of_ones_choice(host: Host) -> None:
    """--ip and --mac-address become capabilities, and hold for the next start; what is taken is refused."""
    host.usual()
    mac = "02:42:00:00:00:07"
    flags = ("--network", "cni:net", "--ip", "10.245.1.77")
    (endpoint,) = host.start("one", *flags, "--mac-address", mac)["networks"]
    assert (endpoint["addresses"], endpoint["mac"]) == (["10.245.1.77/24"], mac)
    assert mac in host("exec", "one", "cat", "/sys/class/net/eth0/address").stdout
    taken = host("run", "--rm", *flags, "busybox", "true")
    assert (
        taken.returncode == 125 and "10.245.1.77" in taken.stderr and "bridge failed at ADD" in taken.stderr
    )
    host("stop", "-t", "0", "one", check=True)
    assert wait_for(host.traces) == set()
    host("start", "one", check=True)
    assert host.inspected("one")["networks"][0]["addresses"] == ["10.245.1.77/24"]


@on_a_host
def test_an_ended_container_gives_all_back(host: Host) -> None:
    """Whoever is left to do it: the attached command, the monitor, a `stop`; each start is named anew."""
    host.usual()
    host("run", "--rm", "--network", "cni:net", "busybox", "true", check=True)
    assert host.traces() == set()
    host("run", "-d", "--rm", "--network", "cni:net", "busybox", "true", check=True)
    assert wait_for(host.traces) == set()
    host("run", "-d", "--name", "one", "--network", "cni:net", "busybox", "sleep", "1000", check=True)
    for _ in range(2):
        host("stop", "-t", "0", "one", check=True)
        assert wait_for(host.traces) == set()
        host("start", "one", check=True)
        address = host.inspected("one")["networks"][0]["addresses"][0].partition("/")[0]
        hosts = host("exec", "one", "cat", "/etc/hosts", check=True).stdout
        assert [line.split()[0] for line in hosts.splitlines() if "one" in line.split()] == [address]


@on_a_host
def test_created_and_never_started(host: Host) -> None:
    """`create` has the address already; `rm` gives it back."""
    host.usual()
    host("create", "--name", "one", "--network", "cni:net", "busybox", "true", check=True)
    assert host.inspected("one")["networks"][0]["addresses"] == ["10.245.1.2/24"]
    host("rm", "-f", "one", check=True)
    assert host.traces() == set()


@on_a_host
def test_several_at_once(host: Host) -> None:
    """From none to all on a bridge that nobody has made yet: an address each."""
    host.usual()
    words = ("run", "--rm", "--network", "cni:net", "-p", "80", "busybox", "hostname", "-i")
    running = [host.minirun.popen(*words, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    said = [process.communicate(timeout=100)[0].split() for process in running]
    assert all(process.returncode == 0 for process in running)
    assert len({words[0] for words in said}) == 5
    assert host.traces() == set()


@pytest.mark.parametrize("order", [("blue", "cni:net"), ("cni:net", "blue")], ids=" ".join)
def test_beside_a_network_of_minirun(order: tuple[str, str], loaded_minirun: Minirun, test_dir: Path) -> None:
    """eth0 and eth1 in the order asked for; the first has the way out and publishes; names on both."""

    @on_a_host
    def test(host: Host) -> None:
        host.usual()
        host("network", "create", "--subnet", "10.246.0.0/24", "blue", check=True)
        flags = [word for network in order for word in ("--network", network)]
        host.serve("web", *flags, "-p", "8080:80")
        shown = host.inspected("web")["networks"]
        numbers = [1 if network == "cni:net" else 0 for network in order]
        prefixes = ["10.246.0.", "10.245.1."]
        for endpoint, number, interface in zip(shown, numbers, ("eth0", "eth1"), strict=True):
            assert endpoint["interface"] == interface if interface != "eth0" else "interface" not in endpoint
            assert endpoint["addresses"][0].startswith(prefixes[number])
        routes = host("exec", "web", "ip", "route").stdout.splitlines()
        assert [line for line in routes if line.startswith("default")] == [
            f"default via {prefixes[numbers[0]]}1 dev eth0 "
        ]
        assert fetched("127.0.0.1:8080") == b"page\n"
        for network in order:
            look = ("run", "--rm", "--network", network, "busybox", "wget", "-q", "-O", "-", "http://web/")
            assert host(*look).stdout == "page\n", network
        host("stop", "-t", "0", "web", check=True)
        assert wait_for(host.traces) == set()
        host("start", "web", check=True)
        host("rm", "-f", "web", check=True)
        assert wait_for(host.traces) == set()
        host("network", "rm", "blue", check=True)

    test(loaded_minirun, test_dir)


@on_a_host
def test_the_networks_own_servers(host: Host) -> None:
    """What the plugins answer under "dns" is in resolv.conf, at each start; --dns comes before it."""
    host.usual("net", 1, dns={"nameservers": ["10.245.1.1"], "search": ["svc.example"]})
    words = ("run", "--network", "cni:net", "--name", "one", "busybox", "cat", "/etc/resolv.conf")
    said = host(*words, check=True).stdout
    assert [line for line in said.splitlines() if not line.startswith("options")] == [
        "nameserver 10.245.1.1",
        "search svc.example",
    ]
    assert host("start", "-a", "one", check=True).stdout == said
    said = host("run", "--rm", *words[1:3], "--dns", "192.0.2.1", *words[5:], check=True).stdout
    assert "nameserver 192.0.2.1\nsearch svc.example\n" in said and "10.245.1.1" not in said


@on_a_host
def test_what_plugins_are_told(host: Host) -> None:
    """--dns and aliases go to those that have the capability, ports to those of the first network alone."""
    able = {"dns": True, "aliases": True, "portMappings": True}
    spy = host.spy("spy", ADD="print(json.dumps(request['prevResult']))", capabilities=able)
    host.configure("net", host.bridge(1), spy)
    host.configure("two", host.bridge(2), {**spy})
    flags = ("--network", "cni:net", "--network", "cni:two", "--network-alias", "shop", "-p", "80:80")
    flags += ("--dns", "192.0.2.1", "--dns-search", "example.org", "--dns-option", "ndots:2")
    host("run", "--rm", *flags, "busybox", "true", check=True)
    first, second = (request["runtimeConfig"] for command, request in host.spied() if command == "ADD")
    mapping = {"hostPort": 80, "containerPort": 80, "protocol": "tcp"}
    dns = {"servers": ["192.0.2.1"], "searches": ["example.org"], "options": ["ndots:2"]}
    assert first == {"dns": dns, "aliases": ["shop"], "portMappings": [mapping]}
    assert second == {"dns": dns, "aliases": ["shop"]}
    host.log.unlink()
    host("run", "--rm", "--network", "cni:net", "busybox", "true", check=True)
    assert ["runtimeConfig" in request for _, request in host.spied()] == [False, False]


@on_a_host
def test_the_host_by_a_name(host: Host) -> None:
    """--add-host NAME:host-gateway is the gateway that the plugins told of."""
    host.usual()
    flags = ("--network", "cni:net", "--add-host", "home:host-gateway", "--add-host", "db:192.0.2.7")
    script = "grep -E 'home|db' /etc/hosts; ping -c 1 -W 5 home >/dev/null && echo there"
    said = host("run", "--rm", *flags, "busybox", "sh", "-c", script, check=True).stdout.splitlines()
    assert sorted(map(str.rstrip, said)) == ["10.245.1.1\thome", "192.0.2.7\tdb", "there"]


@on_a_host
def test_one_more_network_for_a_running_container(host: Host) -> None:
    """connect and disconnect, of one that had no network of CNI's before; the next start has it, too."""
    host.usual()
    host.serve("web", "--network", "cni:net")
    host.start("client", "--network", "none")
    host("network", "connect", "--ip", "10.245.1.50", "--alias", "guest", "cni:net", "client", check=True)
    look = ("exec", "client", "wget", "-q", "-O", "-", "http://10.245.1.2/")
    assert host(*look).stdout == "page\n"
    assert host("exec", "web", "ping", "-c", "1", "-W", "5", "guest").returncode == 0
    assert host.inspected("client")["networks"][0]["addresses"] == ["10.245.1.50/24"]
    again = host("network", "connect", "cni:net", "client")
    assert again.returncode == 125 and "already" in again.stderr
    assert host("gc", check=True).stdout == ""
    host("stop", "-t", "0", "client", check=True)
    assert not wait_for(lambda: {one for one in host.traces() if "10.245.1.50" in one})
    host("start", "client", check=True)
    assert host(*look).stdout == "page\n"
    host("network", "disconnect", "cni:net", "client", check=True)
    assert "eth0" not in host("exec", "client", "ls", "/sys/class/net", check=True).stdout
    assert not [one for one in host.traces() if "10.245.1.50" in one]
    unknown = host("network", "connect", "cni:nowhere", "client")
    assert unknown.returncode == 125 and "nowhere" in unknown.stderr


@on_a_host
def test_other_kinds(host: Host) -> None:
    """ptp with a rate; macvlan on an interface of the host's: what an /etc/cni/net.d may have."""
    run("ip", "link", "add", "cniwire", "type", "veth", "peer", "name", "cniother")
    for name in ("cniwire", "cniother"):
        run("ip", "link", "set", name, "up")
    rate = {"type": "bandwidth", "ingressRate": 8_000_000, "ingressBurst": 8_000_000}
    host.configure("point", {"type": "ptp", "ipMasq": True, "ipam": host.host_local(1)}, rate, PORTMAP)
    card = {"type": "macvlan", "master": "cniwire", "mode": "bridge", "ipam": host.host_local(2)}
    host.configure("card", card)
    host.serve("one", "--network", "cni:point", "-p", "8080:80")
    assert fetched("127.0.0.1:8080") == b"page\n"
    assert "rate 8Mbit" in run("tc", "qdisc", "show")
    host.serve("two", "--network", "cni:card")
    look = ("run", "--rm", "--network", "cni:card", "busybox", "wget", "-q", "-O", "-", "http://two/")
    assert host(*look).stdout == "page\n"
    host("rm", "-f", "one", "two", check=True)
    assert host.traces() == set()


def test_a_container_without_cni_knows_nothing_of_it(minirun: Minirun) -> None:
    """Neither a start nor its end imports any of it."""
    found = imported(minirun, "run", "--rm", "busybox", "true")
    assert "minirun.container.wiring" in found
    assert [name for name in found if "cni" in name] == []
