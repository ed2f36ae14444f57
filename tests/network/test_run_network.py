"""Containers on a network, as a user has them: reached, called by name, and gone without a trace."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.linux import netlink_route
from tests.conftest import Minirun
from tests.leaks import wait_for
from tests.needs import needs

pytestmark = needs("root", "overlay", "nft", "ip")

SERVER = "mkdir /w; echo page > /w/index.html; httpd -p 80 -h /w; echo ready; exec sleep 1000"


@pytest.fixture
def net(minirun: Minirun) -> Iterator[Minirun]:
    """The command; what the test leaves of containers and networks goes after it."""
    yield minirun
    minirun.remove_all()
    minirun("network", "prune", "-f", check=True)


def start(net: Minirun, name: str, *flags: str) -> str:
    """A web server that answers already; its IPv4 address."""
    net("run", "-d", "--name", name, *flags, "busybox", "sh", "-c", SERVER, check=True)
    log = subprocess.Popen(net.command("logs", "-f", name), env=net.environment, stdout=subprocess.PIPE)
    assert log.stdout and log.stdout.readline() == b"ready\n"
    log.kill()
    log.communicate()
    return str(inspected(net, name)["networks"][0]["addresses"][0]).partition("/")[0]


def inspected(net: Minirun, name: str) -> dict:
    """`inspect` of one container."""
    found: dict = json.loads(net("inspect", name, check=True).stdout)[0]
    return found


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        content: bytes = answer.read()
        return content


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def addresses_taken(net: Minirun) -> set[str]:
    return {path.name for path in (net.state / "networks").glob("*/addresses/[0-9a-f]*")}


@pytest.mark.bed
def test_the_stack_of_a_container(net: Minirun) -> None:
    """An interface with an address of the network, up, its gateway, and nothing else."""
    script = "ip -o -4 addr show dev eth0; ip route; cat /sys/class/net/eth0/mtu; ls /sys/class/net; hostname"
    said = net("run", "--rm", "--network", "minirun", "-h", "fish", "busybox", "sh", "-c", script, check=True)
    network = json.loads(net("network", "inspect", "minirun", check=True).stdout)[0]
    gateway = network["subnets"][0]["gateway"]
    lines = said.stdout.splitlines()
    assert f"inet {gateway.rpartition('.')[0]}." in lines[0]
    assert lines[1] == f"default via {gateway} dev eth0 "
    assert lines[-3:] == ["eth0", "lo", "fish"]
    assert lines[-4] == str(netlink_route.default_mtu())


@pytest.mark.bed
def test_a_published_port_leads_to_the_container(net: Minirun) -> None:
    """From the host's loopback and addresses, and from containers through the host's; `port` tells it."""
    number = free_port()
    address = start(net, "web", "-p", f"{number}:80")
    gateway = inspected(net, "web")["networks"][0]["gateways"][0]
    assert fetched(address) == b"page\n"
    assert fetched(f"127.0.0.1:{number}") == b"page\n"
    assert fetched(f"{gateway}:{number}") == b"page\n"
    assert net("port", "web", "80/tcp").stdout == f"0.0.0.0:{number}\n"
    assert f"0.0.0.0:{number}->80/tcp" in net("ps").stdout
    for flags in ((), ("--network", "minirun")):
        words = ("exec", "web") if not flags else ("run", "--rm", *flags, "busybox")
        assert net(*words, "wget", "-q", "-O", "-", f"http://{gateway}:{number}/").stdout == "page\n"


def test_a_port_that_is_in_use_is_an_error_before_anything_starts(net: Minirun) -> None:
    """By a process of the host's, and by another container; nothing is left of the attempt."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        number = listener.getsockname()[1]
        refused = net("run", "-p", f"{number}:80", "busybox", "true")
        assert refused.returncode == 125 and str(number) in refused.stderr and "try:" in refused.stderr
    number = free_port()
    start(net, "first", "-p", f"{number}:80")
    before = addresses_taken(net)
    refused = net("run", "--name", "second", "-p", f"{number}:80", "busybox", "true")
    assert refused.returncode == 125 and "first" not in net("ps", "-a", "--filter", "name=second").stdout
    assert addresses_taken(net) == before
    assert net("ps", "-a", "-q").stdout.count("\n") == 1


@pytest.mark.bed
@pytest.mark.slow
def test_names_come_and_go(net: Minirun) -> None:
    """One finds another by name, alias, and with the network's domain, also one that came later."""
    start(net, "web", "--network", "minirun", "--network-alias", "shop")
    look = ("exec", "client", "wget", "-q", "-O", "-")
    net("run", "-d", "--name", "client", "--network", "minirun", "busybox", "sleep", "1000", check=True)
    for name in ("web", "shop", "web.minirun"):
        assert net(*look, f"http://{name}/", check=True).stdout == "page\n"
    start(net, "late", "--network", "minirun")
    assert net(*look, "http://late/", check=True).stdout == "page\n"
    net("rm", "-f", "late", check=True)
    hosts = net("exec", "client", "cat", "/etc/hosts", check=True).stdout
    assert "late" not in hosts and "web" in hosts


def test_networks_are_walls(net: Minirun) -> None:
    """Containers on different networks do not reach one another; an internal one has no way out."""
    net("network", "create", "blue", check=True)
    net("network", "create", "--internal", "cell", check=True)
    address = start(net, "web", "--network", "blue")
    for network in ("minirun", "cell"):
        words = (
            "run",
            "--rm",
            "--network",
            network,
            "busybox",
            "wget",
            "-q",
            "-O",
            "-",
            f"http://{address}/",
        )
        assert net(*words).returncode != 0, network
    assert (
        net(
            "run", "--rm", "--network", "blue", "busybox", "wget", "-q", "-O", "-", f"http://{address}/"
        ).returncode
        == 0
    )
    routes = net("run", "--rm", "--network", "cell", "busybox", "ip", "route", check=True).stdout
    assert "default" not in routes and "dev eth0" in routes
    refused = net("network", "rm", "blue")
    assert refused.returncode == 125 and "web" in refused.stderr


def test_one_more_network_for_a_running_container(net: Minirun) -> None:
    """eth1 with an address, names both ways, the same default route; gone again after disconnect."""
    net("network", "create", "blue", check=True)
    net("run", "-d", "--name", "client", "--network", "minirun", "busybox", "sleep", "1000", check=True)
    start(net, "web", "--network", "blue")
    net("network", "connect", "--alias", "guest", "blue", "client", check=True)
    look = ("exec", "client", "sh", "-c")
    assert net(*look, "wget -q -O - http://web/", check=True).stdout == "page\n"
    assert net("exec", "web", "ping", "-c", "1", "-W", "2", "guest").returncode == 0
    assert net(*look, "ip route | grep default; ls /sys/class/net", check=True).stdout.split()[-3:] == [
        "eth0",
        "eth1",
        "lo",
    ]
    again = net("network", "connect", "blue", "client")
    assert again.returncode == 125 and "already" in again.stderr
    net("stop", "-t", "0", "client", check=True)
    net("start", "client", check=True)
    assert net(*look, "wget -q -O - http://web/", check=True).stdout == "page\n"
    net("network", "disconnect", "blue", "client", check=True)
    assert "eth1" not in net(*look, "ls /sys/class/net; cat /etc/hosts", check=True).stdout
    assert len(list((net.state / "networks/blue/addresses").glob("[0-9]*"))) == 1


def test_an_ended_container_has_no_address_and_gets_one_again(net: Minirun) -> None:
    """What it had is free when it has ended; `start` takes it anew, and its port works again."""
    number = free_port()
    address = start(net, "web", "-p", f"{number}:80")
    net("stop", "-t", "0", "web", check=True)
    assert not wait_for(lambda: addresses_taken(net))
    assert not wait_for(lambda: set(map(str, (net.state / "ports").glob("*-*"))))
    with pytest.raises(OSError):
        fetched(f"127.0.0.1:{number}")
    net("start", "web", check=True)
    assert str(inspected(net, "web")["networks"][0]["addresses"][0]).startswith(f"{address}/")

    def refused() -> set[str]:
        try:
            return set() if fetched(f"127.0.0.1:{number}") == b"page\n" else {"another page"}
        except OSError as error:
            return {"no answer" if error else ""}

    assert not wait_for(refused)


@pytest.mark.parametrize("flags", [("--userns", "private"), ("--read-only",), ("--privileged",)])
def test_other_promises_hold_beside_it(net: Minirun, flags: tuple[str, ...]) -> None:
    script = "ip -o -4 addr show dev eth0 | wc -l; grep -c eth0 /proc/net/route; grep -c localhost /etc/hosts"
    said = net("run", "--rm", "--network", "minirun", *flags, "busybox", "sh", "-c", script, check=True)
    assert said.stdout.split()[:2] == ["1", "2"], said


def test_twenty_at_once_and_nothing_is_left(net: Minirun) -> None:
    """Each has an address of its own; after them there is no address, name or element.

    That no interface is left either is what the look for leaks sees to.
    """
    running = [
        net.popen(
            *("run", "--rm", "--network", "minirun", "-p", "80", "busybox", "hostname", "-i"),
            stdout=subprocess.PIPE,
        )
        for _ in range(20)
    ]
    said = [process.communicate(timeout=100)[0].split() for process in running]
    assert all(process.returncode == 0 for process in running)
    assert len({words[0] for words in said}) == 20
    assert not wait_for(lambda: addresses_taken(net))
    listed = subprocess.check_output(["nft", "list", "map", "inet", "minirun", "publish_any4"], text=True)
    # The table is everybody's on this machine; a network's addresses are its own.
    assert not [words[0] for words in said if f" {words[0]} . " in listed]
    assert (net.state / "networks/minirun/names").read_text().strip() == ""


def test_a_killed_command_leaves_nothing(net: Minirun) -> None:
    """kill -9 of the monitor: the next gc gives the address, the port and the name back."""
    start(net, "web", "-p", "80")
    monitor = inspected(net, "web")["state"]["monitor_pid"]
    subprocess.run(["kill", "-9", str(monitor)], check=True)
    assert not wait_for(lambda: {str(monitor)} if Path(f"/proc/{monitor}/exe").exists() else set())
    net("gc", check=True)
    assert not addresses_taken(net) and not list((net.state / "ports").glob("*-*"))
    assert (net.state / "networks/minirun/names").read_text().strip() == ""


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (("--network", "nowhere"), "nowhere"),
        (("--network", "minirun", "--ip", "192.0.2.1"), "192.0.2.1"),
        (("--network", "none", "-p", "80"), "--publish"),
        (("-p", "99999:80"), "99999"),
        (("-p", "80:80:80:80"), "80:80:80:80"),
        (("--network", "cni:x"), "no CNI network x"),
        (("--ip", "10.0.0.1"), "is not in network minirun"),
        (("--network", "minirun", "--mac-address", "01:02:03:04:05:06"), "01:02:03:04:05:06"),
    ],
)
def test_bad_input(net: Minirun, flags: tuple[str, ...], what: str) -> None:
    refused = net("run", "--rm", *flags, "busybox", "true")
    assert refused.returncode == 125
    assert what in refused.stderr and "why:" in refused.stderr and "try:" in refused.stderr
    assert not addresses_taken(net)
