"""What cannot be on a network is refused: what, why, what to do; 125; and nothing is left of it.

In a network namespace of the tests' own, with a store of its own. What
test_network_command.py and test_run_network.py refuse already is not said again.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.linux.namespace import CloneFlag, join
from minirun.linux.trial import in_child
from tests import leaks
from tests.needs import needs
from tests.network import inside
from tests.network.inside import Inside

pytestmark = needs("root", "overlay", "nft", "ip", "nsenter")


class Refusing(Inside):
    """``refused`` is what most of these tests ask of the command."""

    def refused(self, *words: str, said: str, before: tuple[str, ...] = (), timeout: float = 60) -> str:
        """Runs ``minirun WORDS`` (by the program ``before``), and sees that it only complains; of what."""
        there = self.everything()
        done = subprocess.run(
            [*before, *self.command(*words)],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=timeout,
            check=False,
        )
        assert (done.returncode, done.stdout) == (125, ""), done
        assert re.fullmatch(r"minirun: [^\n]+\n  why: [^\n]+\n  try: [^\n]+\n", done.stderr), done.stderr
        assert said in done.stderr
        assert "bug" not in done.stderr
        assert not leaks.wait_for(lambda: there ^ self.everything()), done.stderr
        return done.stderr

    def everything(self) -> set[str]:
        """All that a network or a container on one takes: on disk, of the kernel, of the table."""
        found = set()
        for place in ("root/networks", "root/containers", "root/names", "state"):
            for path in (self.root.parent / place).rglob("[!.]*"):
                if not path.is_dir() or path.parent.name == "containers":
                    found.add(f"{path} {os.readlink(path) if path.is_symlink() else ''}")
        found |= {f"interface {one['ifname']}" for one in json.loads(self.there("ip", "-j", "link"))}
        return found | {f"rule {line}" for line in self.there("nft", "list", "ruleset").splitlines()}


@pytest.fixture(scope="module")
def lab(test_dir: Path, busybox_archive: Path) -> Iterator[Refusing]:
    """Networks web (IPv4), six (IPv6), cell (internal) and the default one."""
    with inside.made(test_dir / "bad", busybox_archive, Refusing) as made:
        ports = "ip link add up0 mtu 1400 type bridge; ip link add plug0 mtu 1400 master up0 type veth"
        made.there("sh", "-c", ports)
        made("network", "create", "--subnet", "10.1.0.0/24", "--no-ipv6", "web", check=True)
        made("network", "create", "--no-ipv4", "six", check=True)
        made("network", "create", "--internal", "cell", check=True)
        macvlan = ("-d", "macvlan", "-o", "parent=up0", "--subnet", "192.0.2.0/24")
        made("network", "create", *macvlan, "lan", check=True)
        made("network", "create", "minirun", check=True)
        yield made


@pytest.fixture
def net(lab: Refusing) -> Iterator[Refusing]:
    """The same; what a test has run goes after it."""
    yield lab
    lab.remove_all()


def run(net: Refusing, name: str, *flags: str) -> str:
    """A container that stays; its id."""
    words = ("run", "-d", "--name", name, *flags, "busybox", "sleep", "1000")
    return net(*words, check=True).stdout.strip()


# --- addresses and networks of a container -----------------------------------


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--network", "web", "--ip", "10.1.0.1"], "it is its gateway"),
        (["--network", "web", "--ip", "10.1.0.0"], "it is the subnet itself"),
        (["--network", "web", "--ip", "10.1.0.255"], "the address 10.1.0.255 cannot be given"),
        (["--network", "web", "--ip", "10.1.1.9"], "its subnets are 10.1.0.0/24"),
        (["--network", "web", "--ip", "10.1.0.300"], "'10.1.0.300' is not an IP address"),
        (["--network", "web", "--ip6", "fd00::9"], "the address fd00::9 is not in network web"),
        (["--network", "six", "--ip", "10.1.0.9"], "the address 10.1.0.9 is not in network six"),
        (["--network", "none", "--ip", "10.1.0.9"], "--network none"),
        (["--network", "host", "--network-alias", "x"], "--network host"),
        (["--network", "a/b"], "--network 'a/b' is not understood"),
        (["--network", "web", "--mac-address", "02:42"], "02:42"),
        (["--network", "container:nobody"], "no such container: nobody"),
        (["--network", "ns:/no/such/place"], "/no/such/place"),
    ],
)
def test_run_refuses(net: Refusing, flags: list[str], said: str) -> None:
    net.refused("run", "--rm", *flags, "busybox", "true", said=said)


def test_an_address_that_is_taken(net: Refusing) -> None:
    """By whom is told; and it is still his."""
    id = run(net, "one", "--network", "web", "--ip", "10.1.0.9")
    said = net.refused(
        *("run", "--network", "web", "--ip", "10.1.0.9", "busybox", "true"), said="10.1.0.9 is taken"
    )
    assert f"container {id[:12]} has it" in said
    assert "10.1.0.9/24" in net("exec", "one", "ip", "-o", "addr", check=True).stdout


def test_connect_and_disconnect(net: Refusing) -> None:
    run(net, "one", "--network", "web", "--ip", "10.1.0.9", "-p", "8080:80")
    run(net, "other", "--network", "host")
    run(net, "third", "--network", "minirun")
    for words, said in (
        (["connect", "nosuch", "one"], "no such network: nosuch"),
        (["connect", "minirun", "nobody"], "no such container: nobody"),
        (["connect", "--ip", "10.1.0.9", "web", "third"], "10.1.0.9 is taken"),
        (["connect", "--ip", "10.2.0.9", "web", "third"], "10.2.0.9 is not in network web"),
        (["connect", "web", "other"], "it has no network of its own"),
        (["disconnect", "minirun", "one"], "it is on web"),
        (["disconnect", "nosuch", "one"], "container one is not on network nosuch"),
        (["disconnect", "web", "one"], "its published ports lead there"),
    ):
        net.refused("network", *words, said=said)


def test_a_network_in_use_and_one_that_is_gone(net: Refusing) -> None:
    """A container that has ended does not hold its network; started again, it misses it."""
    net("network", "create", "short", check=True)
    run(net, "one", "--network", "short")
    net.refused("network", "rm", "short", said="it is used by one")
    net("stop", "-t", "0", "one", check=True)
    net("network", "rm", "short", check=True)
    net.refused("start", "one", said="no such network: short")


# --- published ports ---------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["80:0"], "the container's port 0 is not between 1 and 65535"),
        (["80:65536"], "the container's port 65536 is not between 1 and 65535"),
        (["-1:80"], "the host's port is missing"),
        (["x:80"], "'x' is not a port's number"),
        (["8080:80/icmp"], "'icmp' is not a protocol"),
        (["8080:80-81"], "not equally many ports"),
        (["8081-8080:80-81"], "the host's range 8081-8080 ends before it begins"),
        (["localhost:8080:80"], "'localhost' is not an IP address"),
        (["[::1]:8080:80"], "cannot publish [::1]:8080:80"),
        (["[fe80::1]:8080:80"], "a link-local address"),
        (["224.0.0.1:8080:80"], "for several hosts"),
        (["192.0.2.9:8080:80"], "this host does not have the address 192.0.2.9"),
        (["8080:80", "8080:81"], "this container, for another of its ports, has 0.0.0.0:8080"),
        (["127.0.0.1:8080:80", "8080:81"], "this container, for another of its ports, has 127.0.0.1:8080"),
    ],
)
def test_ports_that_cannot_be(net: Refusing, words: list[str], said: str) -> None:
    flags = [flag for word in words for flag in ("-p", word)]
    net.refused("run", "--rm", *flags, "busybox", "true", said=said)


def test_the_same_port_said_twice_is_one(net: Refusing) -> None:
    net("run", "--rm", "-p", "8080:80", "-p", "8080:80/tcp", "busybox", "true", check=True)


@pytest.mark.parametrize(
    ("network", "word", "said"),
    [
        ("cell", "8080:80", "network cell is internal"),
        ("cell", "80", "network cell is internal"),
        ("lan", "8080:80", "a neighbour of the host's"),
        ("web", "[::]:8080:80", "network web has no IPv6"),
        ("six", "127.0.0.1:8080:80", "network six has no IPv4"),
    ],
)
def test_ports_that_would_lead_nowhere(net: Refusing, network: str, word: str, said: str) -> None:
    net.refused("run", "--rm", "--network", network, "-p", word, "busybox", "true", said=said)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_of_a_process_of_the_hosts(net: Refusing, protocol: str) -> None:
    """The process is named; also where it listens on one address, and all are asked for."""

    def held() -> str:
        join(net.place, CloneFlag.NEWNET)
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        Path("/proc/self/comm").write_text("holder")
        with socket.socket(type=kind) as holder:
            holder.bind(("127.0.0.1", 8080))
            if protocol == "tcp":
                holder.listen()
            flags = ("-p", f"8080:80/{protocol}")
            said = net.refused("run", "--rm", *flags, "busybox", "true", said="has that port")
            return said.replace(str(os.getpid()), "PID")

    assert "holder (pid PID) has that port" in in_child(held)


def test_a_port_of_another_container(net: Refusing) -> None:
    """Whatever address it is asked on; and the other one keeps it."""
    id = run(net, "first", "-p", "8080:80")
    for word in ("8080:80", "127.0.0.1:8080:81", "[::]:8080:80", "8080-8080:80"):
        said = net.refused("run", "--rm", "-p", word, "busybox", "true", said="8080")
        assert f"container {id[:12]} has 0.0.0.0:8080/tcp" in said
    run(net, "second", "-p", "8080-8081:80")
    assert net("port", "second", "80", check=True).stdout == "0.0.0.0:8081\n"
    said = "all of 8080 to 8081 are in use"
    net.refused("run", "--rm", "-p", "8080-8081:80", "busybox", "true", said=said)
    assert net("port", "first", check=True).stdout == "80/tcp -> 0.0.0.0:8080\n"
    for word, said in (("81", "port 81 of"), ("80/udp", "80/tcp -> 0.0.0.0:8080"), ("x", "port x of")):
        net.refused("port", "first", word, said=said)


@needs("setpriv")
def test_a_port_that_is_for_the_privileged(net: Refusing) -> None:
    """Root without CAP_NET_BIND_SERVICE is as good as anybody."""
    before = ("setpriv", "--bounding-set=-net_bind_service")
    words = ("run", "--rm", "-p", "80:80", "busybox", "true")
    net.refused(*words, said="net.ipv4.ip_unprivileged_port_start", before=before)


# --- networks that cannot be made --------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # subnets
        (["--subnet", "nonsense"], "'nonsense' is not a valid subnet"),
        (["--subnet", "10.5.0.0/31"], "10.5.0.0/31 cannot be a network's subnet"),
        (["--subnet", "10.5.0.0/33"], "'10.5.0.0/33' is not a valid subnet"),
        (["--subnet", "127.1.0.0/16"], "loopback, link-local, multicast"),
        (["--subnet", "ff05::/64"], "loopback, link-local, multicast"),
        (["--subnet", "0.0.0.0/0"], "half of the world's addresses"),
        (["--subnet", "10.1.0.128/25"], "the subnet 10.1.0.128/25 overlaps with 10.1.0.0/24"),
        (["--subnet", "10.0.0.0/8"], "overlaps with 10."),
        (["--subnet", "fd00::1/64"], "the subnet itself is fd00::/64"),
        (["--no-ipv6", "--subnet", "fd00::/64"], "a subnet of IPv6, and no IPv6"),
        (["--ipv6=false", "--subnet", "fd00::/64"], "a subnet of IPv6, and no IPv6"),
        (["--ipv4=false", "--subnet", "10.5.0.0/24"], "a subnet of IPv4, and no IPv4"),
        # gateways and ranges
        (["--subnet", "10.5.0.0/24", "--gateway", "nonsense"], "'nonsense' is not a valid gateway"),
        (["--subnet", "10.5.0.0/24", "--gateway", "10.5.0.0"], "its addresses are 10.5.0.1 to 10.5.0.254"),
        (["--subnet", "10.5.0.0/24", "--gateway", "10.5.0.255"], "the gateway 10.5.0.255 is not in"),
        (["--subnet", "10.5.0.0/24", "--gateway", "fd00::1"], "--gateway fd00::1 is in no subnet"),
        (["--gateway", "10.5.0.1"], "it has no --subnet"),
        (
            ["--subnet", "10.5.0.0/24", "--gateway", "10.5.0.1", "--gateway", "10.5.0.2"],
            "two gateways of 10.5.0.0/24",
        ),
        (["--subnet", "10.5.0.0/24", "--ip-range", "10.6.0.0/25"], "--ip-range 10.6.0.0/25 is in no subnet"),
        (["--subnet", "10.5.0.0/24", "--ip-range", "10.5.0.0/16"], "--ip-range 10.5.0.0/16 is in no subnet"),
        (["--subnet", "10.5.0.0/24", "--ip-range", "10.5.0.3/25"], "write 10.5.0.0/25"),
        (["--subnet", "10.5.0.0/24", "--ip-range", "few"], "'few' is not a valid"),
        # sizes
        (["--mtu", "65536"], "65536 bytes cannot be the MTU"),
        (["--mtu", "67", "--no-ipv6"], "with IPv4 it is 68 to 65535"),
        (["--mtu", "1279"], "or --no-ipv6"),
        (["--mtu", "-5"], "--mtu '-5' is not understood"),
        (["--mtu", ""], "--mtu '' is not understood"),
        (["--mtu", "9" * 5000], "is not understood"),
        (["--mtu", "1400", "-o", "mtu=1500"], "it was said twice"),
        # interfaces
        (["-o", "com.docker.network.bridge.name=a/b"], "'a/b' cannot be an interface's name"),
        (["-o", "com.docker.network.bridge.name=minirun0"], "there is an interface minirun0 already"),
        (["-o", "parent=up0"], "a bridge has no parent"),
        (["-o", "parent"], "-o parent is not supported"),
        (["-d", "macvlan", "-o", "parent=a-name-too-long-"], "at most 15 bytes"),
        (["-d", "macvlan", "-o", "parent=up0"], "a macvlan needs --subnet"),
        (["-d", "macvlan", "-o", "parent=lo", "--subnet", "10.5.0.0/24"], "it is the loopback"),
        (["-d", "macvlan", "-o", "parent=plug0", "--subnet", "10.5.0.0/24"], "it is a port of up0"),
        (
            ["-d", "macvlan", "-o", "parent=up0", "--subnet", "10.5.0.0/24", "--mtu", "1500"],
            "its parent up0 passes on 1400",
        ),
        (["-d", "macvlan", "-o", "com.docker.network.bridge.name=x"], "a macvlan has no bridge"),
    ],
)
def test_create_refuses(net: Refusing, words: list[str], said: str) -> None:
    net.refused("network", "create", *words, "bad", said=said)


@pytest.mark.parametrize("name", ["none", "container", "ns", "cni", "bridge", "default"])
def test_names_that_mean_something_else(net: Refusing, name: str) -> None:
    """And none of them is offered to be made, either."""
    net.refused("network", "create", name, said="means something else behind --network")
    assert f"create {name}" not in net.refused("network", "inspect", name, said=f"no such network: {name}")


@pytest.mark.parametrize("name", ["", "a b", ".web", "-", "web/../x", "ü", "x" * 64])
def test_names_that_cannot_be(net: Refusing, name: str) -> None:
    net.refused("network", "create", "--", name, said=f"'{name}' cannot be a network's name")


def test_words_that_are_off(net: Refusing) -> None:
    """How the command is used is said, whichever part of it was wrong."""
    for words, said in (
        (["create"], "missing argument 'NAME'"),
        (["create", "a", "b"], "unexpected extra argument"),
        (["create", "--ipv6=perhaps", "bad"], "option '--ipv6' does not take a value"),
        (["create", "--colour", "red", "bad"], "no such option '--colour'"),
        (["create", "web"], "there is a network 'web' already"),
        (["map", "--svg"], "option '--svg' requires an argument"),
        (["frobnicate"], "no such command 'frobnicate'"),
    ):
        assert "minirun network" in net.refused("network", *words, said=said)


# --- a host that cannot ------------------------------------------------------

#: Where nft is no program, as if it were not installed.
WITHOUT_NFT = 'mount --bind /dev/null $(readlink -f $(PATH=$PATH:/usr/sbin command -v nft)) && exec "$@"'


def test_a_start_without_nft(net: Refusing) -> None:
    """The table has to be made, and nothing can make it; with nft the next start does."""
    net.there("nft", "flush", "ruleset")
    words = ("run", "--rm", "-p", "8080:80", "busybox", "true")
    before = ("unshare", "-m", "sh", "-c", WITHOUT_NFT, "sh")
    said = net.refused(*words, said="there is no program nft", before=before)
    assert "--network none or host" in said
    net(*words, check=True)


def test_a_kernel_that_refuses_the_table(net: Refusing) -> None:
    """Somebody has a table of that name to himself (nft(8), "flags owner"); what nft complains of is told."""
    net.there("nft", "flush", "ruleset")
    words = ("run", "--rm", "-p", "8080:80", "busybox", "true")
    owner = ["nsenter", f"--net={net.place}", "nft", "-i"]
    with subprocess.Popen(owner, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as nft:
        assert nft.stdin
        nft.stdin.write("add table inet minirun { flags owner; }\n")
        nft.stdin.flush()
        assert not leaks.wait_for(lambda: set() if net.there("nft", "list", "tables") else {"no table"})
        said = net.refused(*words, said="cannot make the nftables table for networks")
        assert "Operation not permitted" in said
        nft.kill()
    net(*words, check=True)


def test_a_bridge_of_somebody_elses(net: Refusing) -> None:
    """It has the name of ours, and is left alone."""
    name = json.loads(net("network", "inspect", "web", check=True).stdout)[0]["bridge"]
    net.there("ip", "link", "del", name)
    net.there("ip", "link", "add", name, "type", "bridge")
    words = ("run", "--rm", "--network", "web", "busybox", "true")
    net.refused(*words, said=f"the interface {name} is not network web's")
    net.there("ip", "link", "del", name)
    net(*words, check=True)


def test_a_subnet_that_somebody_took_meanwhile(net: Refusing) -> None:
    name = json.loads(net("network", "inspect", "web", check=True).stdout)[0]["bridge"]
    net.there("ip", "link", "del", name)
    net.there("nft", "flush", "ruleset")
    vpn = "ip link add vpn0 type bridge; ip link set vpn0 up; ip route add 10.1.0.0/24 dev vpn0"
    net.there("sh", "-c", vpn)
    words = ("run", "--rm", "--network", "web", "busybox", "true")
    net.refused(*words, said="the host has a route to it by vpn0")
    net.there("ip", "link", "del", "vpn0")
    net(*words, check=True)
