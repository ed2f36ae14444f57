"""What `run` gives without being asked: a network, names, and what the user says instead."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.leaks import wait_for
from tests.needs import needs

pytestmark = needs("root", "overlay", "nft", "ip")


@pytest.fixture
def net(minirun: Minirun) -> Iterator[Minirun]:
    """The command; what the test leaves of containers and networks goes after it."""
    yield minirun
    minirun.remove_all()
    minirun("network", "prune", "-f", check=True)


def said(net: Minirun, *words: str) -> str:
    """What a container that goes at once has printed."""
    return net("run", "--rm", *words, check=True).stdout


def detached(net: Minirun, name: str, *flags: str) -> None:
    net("run", "-d", "--name", name, *flags, "busybox", "sleep", "1000", check=True)


def taken(net: Minirun) -> list[str]:
    """Every address of every network that somebody has."""
    return [path.name for path in Path(net.state).glob("networks/*/addresses/[!.]*")]


def test_a_container_is_on_the_network_minirun(net: Minirun) -> None:
    text = said(net, "busybox", "sh", "-c", "ip -o address; ip route")
    assert "eth0" in text and "default via" in text
    (network,) = json.loads(net("network", "ls", "--format", "json", check=True).stdout)
    assert (network["name"], network["driver"]) == ("minirun", "bridge")


def test_it_outlives_the_containers_and_their_restart(net: Minirun) -> None:
    detached(net, "one")
    before = json.loads(net("network", "inspect", "minirun", check=True).stdout)[0]["id"]
    net("stop", "-t", "0", "one", check=True)
    net("start", "one", check=True)
    after = json.loads(net("network", "inspect", "minirun", check=True).stdout)[0]["id"]
    assert before == after and len(taken(net)) == 2  # of each family one


def test_a_restart_on_the_hosts_name(net: Minirun) -> None:
    """Its hostname is the host's, so there is none to be known by on the network."""
    detached(net, "one", "--uts", "host")
    net("stop", "-t", "0", "one", check=True)
    net("start", "one", check=True)
    assert "\tone one.minirun " in net("exec", "one", "cat", "/etc/hosts", check=True).stdout


def test_none_has_loopback_and_localhost_only(net: Minirun) -> None:
    text = said(
        net, "--network", "none", "busybox", "sh", "-c", "ip -o link; cat /etc/hosts; ping -c1 localhost"
    )
    assert "eth0" not in text and "127.0.0.1\tlocalhost" in text and "1 packets received" in text


def test_the_hosts_network_has_the_hosts_names(net: Minirun) -> None:
    text = said(
        net,
        "--network",
        "host",
        "--add-host",
        "db:10.9.9.9",
        "busybox",
        "cat",
        "/etc/resolv.conf",
        "/etc/hosts",
    )
    assert Path("/etc/resolv.conf").read_text().split("nameserver")[1].split()[0] in text
    assert Path("/etc/hosts").read_text().splitlines()[0] in text
    assert "10.9.9.9\tdb" in text


def test_who_shares_a_containers_network_shares_its_names(net: Minirun) -> None:
    detached(net, "lender", "--add-host", "db:10.9.9.9")
    own = net("exec", "lender", "cat", "/etc/hosts", "/etc/hostname", check=True).stdout
    text = said(net, "--network", "container:lender", "busybox", "cat", "/etc/hosts", "/etc/hostname")
    assert text == own and "10.9.9.9\tdb" in text
    detached(net, "borrower", "--network", "container:lender")
    assert text == said(
        net, "--network", "container:borrower", "busybox", "cat", "/etc/hosts", "/etc/hostname"
    )
    detached(net, "late")
    assert "late" in net("exec", "lender", "cat", "/etc/hosts", check=True).stdout


def test_two_networks_at_once(net: Minirun) -> None:
    """eth0 and eth1 in the order of the words; the first leads out, and each has its neighbours."""
    for name, subnet in (("front", "10.201.1.0/24"), ("back", "10.201.2.0/24")):
        net("network", "create", "--subnet", subnet, "--no-ipv6", name, check=True)
    detached(net, "db", "--network", "back")
    detached(net, "proxy", "--network", "front")
    detached(
        net,
        "web",
        "--network",
        "front",
        "--network",
        "name=back,ip=10.201.2.99,alias=site",
        "--network-alias",
        "w",
    )
    text = net("exec", "web", "sh", "-c", "ip -o -4 address; ip route", check=True).stdout
    assert "eth0    inet 10.201.1." in text and "eth1    inet 10.201.2.99/24" in text
    assert "default via 10.201.1.1 dev eth0" in text
    net("exec", "db", "ping", "-c1", "site.back", check=True)
    net("exec", "db", "ping", "-c1", "w", check=True)
    net("exec", "proxy", "ping", "-c1", "web", check=True)
    net("exec", "web", "ping", "-c1", "db", check=True)
    assert net("exec", "proxy", "ping", "-c1", "-W1", "10.201.2.99").returncode == 1
    net("rm", "-f", "web", check=True)
    assert len(taken(net)) == 2


def test_every_user_may_bind_a_low_port_and_ping(net: Minirun) -> None:
    script = "cat /proc/sys/net/ipv4/ping_group_range; timeout 1 nc -l -p 80; echo $?"
    assert said(net, "-u", "1000", "--cap-drop", "ALL", "busybox", "sh", "-c", script).split() == [
        "0",
        "2147483647",
        "143",
    ]


def test_a_start_after_a_reboot_finds_its_files_again(net: Minirun) -> None:
    """What lies below the state directory a reboot takes: the names of others, too."""
    detached(net, "other")
    detached(net, "web", "--hostname", "web", "--domainname", "example.org", "--dns", "9.9.9.9")
    net("stop", "-t", "0", "web", "other", check=True)
    # What the monitors become at the end is over, too.
    find = ("pgrep", "-f", str(net.state))
    assert not wait_for(lambda: set(subprocess.run(find, capture_output=True, text=True).stdout.split()))
    shutil.rmtree(net.state)
    net("start", "web", check=True)
    text = net("exec", "web", "cat", "/etc/hosts", "/etc/resolv.conf", check=True).stdout
    assert "web.example.org web" in text and "nameserver 9.9.9.9" in text and "other" not in text
    assert net("exec", "web", "hostname", "-f", check=True).stdout == "web.example.org\n"


def test_in_a_user_namespace_root_may_write_to_its_hosts_file(net: Minirun) -> None:
    script = "echo 10.9.9.9 db >> /etc/hosts && grep 10.9.9.9 /etc/hosts"
    assert said(net, "--userns", "private", "busybox", "sh", "-c", script) == "10.9.9.9 db\n"


def test_who_is_connected_while_it_runs_gives_the_address_back(net: Minirun) -> None:
    """Its monitor has not heard of networks when the container was made."""
    net("run", "-d", "--name", "late", "--network", "none", "busybox", "sleep", "1000", check=True)
    net("network", "create", "web", check=True)
    net("network", "connect", "web", "late", check=True)
    assert taken(net)
    net("kill", "late", check=True)
    assert not wait_for(lambda: set(taken(net)))


def test_what_was_set_for_the_whole_machine_is_said_once(net: Minirun) -> None:
    """The state directory keeps the word until a command says it."""
    detached(net, "first")
    news = Path(net.state, "networks.news")
    news.write_text("net.ipv4.ip_forward=1\n")
    done = net("run", "--rm", "busybox", "true", check=True)
    assert "this machine now forwards packets" in done.stderr and "net.ipv4.ip_forward=1" in done.stderr
    assert net("run", "--rm", "busybox", "true", check=True).stderr == "" and not news.exists()


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (("--network", "web", "--network", "host"), "--network host and another --network contradict"),
        (("--network", "none", "--ip", "10.0.0.1"), "--ip and --network none contradict"),
        (("--network", "minirun", "--network", "bridge"), "said twice"),
        (("--network", "name=web,color=red"), "is not understood"),
        (("--network", "minirun", "--network", "nowhere"), "no such network: nowhere"),
    ],
)
def test_bad_input(net: Minirun, flags: tuple[str, ...], what: str) -> None:
    done = net("run", "--rm", *flags, "busybox", "true")
    assert done.returncode == 125 and what in done.stderr
    assert len(done.stderr.splitlines()) == 3 and not taken(net)
