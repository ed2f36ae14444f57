"""The map against `ip -j`, in namespaces of the test's own: links, addresses, cables, NAT, names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from minirun.cli.network.map import command
from minirun.cli.settings import Settings
from minirun.errors import UsageError
from minirun.linux import process
from minirun.linux.namespace import CloneFlag, join, unshare
from minirun.linux.trial import in_child
from minirun.network.map import Map, Names, read_map
from minirun.network.map.model import Namespace, whole
from minirun.network.map.text import text
from tests.needs import needs

pytestmark = needs("root", "ip")
#: Names of namespaces that no other run of the tests has.
ME = f"mr-map-{os.getpid()}"

#: A router with two networks, a container on both, one on a macvlan, and a pair that stays at home.
LAB = """
-n {a} link set lo up
-n {a} link add name br0 type bridge
-n {a} link add name br1 type bridge
-n {a} link add name a0 type veth peer name eth0 netns {b}
-n {a} link add name a1 type veth peer name eth1 netns {b}
-n {a} link add name up0 mtu 1400 type veth peer name world0 netns {c}
-n {a} link add name p type veth peer name q
-n {a} link add link up0 name mv0 netns {b} type macvlan mode bridge
-n {a} link set a0 master br0
-n {a} link set a1 master br1
-n {a} link set q master br1
-n {a} addr add 10.1.0.1/24 dev br0
-n {a} addr add fd00:1::1/64 dev br0 nodad
-n {a} addr add 10.2.0.1/24 dev br1
-n {a} addr add 198.51.100.2/24 dev up0
-n {a} link set br0 up
-n {a} link set up0 up
-n {a} link set a0 up
-n {a} route add default via 198.51.100.1
-n {b} link set lo up
-n {b} addr add 10.1.0.2/24 dev eth0
-n {b} link set eth0 up
-n {b} route add default via 10.1.0.1
-n {c} addr add 198.51.100.1/24 dev world0
-n {c} link set world0 up
"""


def ip(*words: str) -> Any:
    """What `ip -j` says."""
    done = subprocess.run(["ip", "-j", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


@pytest.fixture
def lab() -> Iterator[dict[str, str]]:
    """The three namespaces of LAB, by letter."""
    names = {letter: f"{ME}-{letter}" for letter in "abc"}
    try:
        for name in names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        for line in LAB.format(**names).strip().splitlines():
            subprocess.run(["ip", *line.split()], check=True)
        yield names
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False)


def named(map: Map, name: str) -> Namespace:
    return next(one for one in map.namespaces if (one.kind, one.name) == ("netns", name))


def seen_from(name: str) -> str:
    """The map as text, as a process in the namespace has it."""

    def inside() -> str:
        join(f"/run/netns/{name}", CloneFlag.NEWNET)
        return text(read_map())

    drawn: str = in_child(inside)
    return drawn


def test_links_and_addresses_are_those_of_ip(lab: dict[str, str]) -> None:
    found = read_map()
    for name in lab.values():
        told = {entry["ifindex"]: entry for entry in ip("-n", name, "-d", "addr")}
        links = {link.index: link for link in named(found, name).links}
        assert links.keys() == told.keys()
        for index, link in links.items():
            entry = told[index]
            by_index = {other.index: other.name for other in links.values()}
            assert {
                "ifname": link.name,
                "mtu": link.mtu,
                "mac": link.mac,
                "up": link.up,
                "carrier": link.carrier,
                "kind": link.kind,
                "master": by_index.get(link.master),
                "netnsid": link.other_netnsid,
                "addresses": sorted(link.addresses),
            } == {
                "ifname": entry["ifname"],
                "mtu": entry["mtu"],
                "mac": entry["address"],
                "up": "UP" in entry["flags"],
                "carrier": "LOWER_UP" in entry["flags"],
                "kind": entry.get("linkinfo", {}).get("info_kind", ""),
                "master": entry.get("master"),
                "netnsid": entry.get("link_netnsid"),
                "addresses": sorted(f"{one['local']}/{one['prefixlen']}" for one in entry["addr_info"]),
            }


def test_cables_are_those_that_were_laid(lab: dict[str, str]) -> None:
    found = read_map()
    ours = {named(found, name).inode: letter for letter, name in lab.items()}
    names = {(one.inode, link.index): link.name for one in found.namespaces for link in one.links}
    wires = set()
    for wire in found.wires:
        ends = [(end.namespace, end.index) for end in (wire.left, wire.right)]
        if ends[0][0] in ours:
            told = [f"{ours[end[0]]}:{names[end]}" for end in ends]
            wires.add((wire.kind, *(told if wire.kind == "macvlan" else sorted(told)), wire.both))
    assert wires == {
        ("veth", "a:a0", "b:eth0", True),
        ("veth", "a:a1", "b:eth1", True),
        ("veth", "a:up0", "c:world0", True),
        ("veth", "a:p", "a:q", True),
        ("macvlan", "a:up0", "b:mv0", True),
    }


def test_routes_that_lead_away(lab: dict[str, str]) -> None:
    found = read_map()
    for letter, gateway in (("a", "198.51.100.1"), ("b", "10.1.0.1"), ("c", None)):
        routes = named(found, lab[letter]).routes
        assert [route.gateway for route in routes if route.destination == "default"] == (
            [gateway] if gateway else []
        )


def test_the_text_from_within_the_router(lab: dict[str, str]) -> None:
    drawn = re.sub(r"net:\[\d+\]", "net:[N]", seen_from(lab["a"])).split("\n\n")[0]
    assert (
        drawn
        == f"""\
netns {ME}-a (net:[N], you are here)
├─ up0  198.51.100.2/24 ⇄ world0  198.51.100.1/24  netns {ME}-c (net:[N])  default via 198.51.100.1  \
mtu 1400 here, 1500 there
│  └─ ▷ mv0  macvlan bridge  netns {ME}-b (net:[N])  down
├─ br0  bridge  10.1.0.1/24, fd00:1::1/64  mtu 1500
│  └─ a0 ⇄ eth0  10.1.0.2/24  netns {ME}-b (net:[N], drawn above)
│     └─ default via 10.1.0.1
└─ br1  bridge  10.2.0.1/24                mtu 1500  down
   ├─ a1 ⇄ eth1  netns {ME}-b (net:[N], drawn above)  down
   └─ q ⇄ p      in the same namespace  down"""
    )


@needs("nft")
def test_nat_and_published_ports_from_the_kernel(lab: dict[str, str]) -> None:
    rules = """
    table inet minirun {
      set bridges { type ifname; elements = { br0 } }
      map any4 { type inet_proto . inet_service : ipv4_addr . inet_service
                 elements = { tcp . 8080 : 10.1.0.2 . 80 } }
      chain prerouting { type nat hook prerouting priority dstnat
        fib daddr type local dnat ip to meta l4proto . th dport map @any4
      }
      chain postrouting { type nat hook postrouting priority srcnat
        iifname @bridges oifname != @bridges masquerade
      }
    }"""
    subprocess.run(["ip", "netns", "exec", lab["a"], "nft", "-f", "-"], input=rules, text=True, check=True)
    found = read_map()
    port = named(found, lab["a"]).published
    assert [(one.protocol, one.host_port, one.address, one.port) for one in port] == [
        ("tcp", "8080", "10.1.0.2", "80")
    ]
    assert port[0].target == named(found, lab["b"]).inode
    drawn = seen_from(lab["a"])
    assert "NAT  masquerade 10.1.0.0/24, fd00:1::/64 (table inet minirun)" in drawn
    assert "published 0.0.0.0:8080 → 80/tcp" in drawn


@needs("iptables-nft-save", "iptables-nft")
def test_rules_of_iptables_from_the_kernel(lab: dict[str, str]) -> None:
    """nft shows sealed parcels; the map has what is in them."""
    for words in (
        "-A PREROUTING -p tcp --dport 8443 -j DNAT --to-destination 10.1.0.2:443",
        "-A POSTROUTING -s 10.1.0.0/24 ! -o br0 -j MASQUERADE",
    ):
        subprocess.run(
            ["ip", "netns", "exec", lab["a"], "iptables-nft", "-w", "-t", "nat", *words.split()], check=True
        )
    drawn = seen_from(lab["a"])
    assert "NAT  masquerade 10.1.0.0/24 (table ip nat)" in drawn
    assert "published 0.0.0.0:8443 → 443/tcp (table ip nat)" in drawn


def test_a_namespace_that_only_a_process_holds() -> None:
    """It is named after the process, or after the container that the process is the first of."""
    said, ready = os.pipe()
    wait, go = os.pipe()

    def holder() -> None:
        unshare(CloneFlag.NEWNET)
        Path("/proc/self/comm").write_text("holder")
        os.close(go)
        os.write(ready, b"1")
        os.read(wait, 1)  # until the test lets go

    pid = process.fork(holder)
    try:
        os.read(said, 1)
        titles = {one.pid: one.title for one in read_map().namespaces}
        named = {one.pid: one.title for one in read_map(Names(containers={pid: "web"})).namespaces}
    finally:
        for descriptor in (said, ready, wait, go):
            os.close(descriptor)
        os.waitpid(pid, 0)
    assert (titles[pid], named[pid]) == ("process holder", "container web")


def test_without_root_one_sees_ones_own_and_is_told_what_is_missing(lab: dict[str, str]) -> None:
    def nobody() -> Any:
        join(f"/run/netns/{lab['a']}", CloneFlag.NEWNET)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        return whole(read_map())

    told = in_child(nobody)
    here = next(one for one in told["namespaces"] if one["inode"] == told["here"])
    assert [link["name"] for link in here["links"]][:2] == ["lo", "br0"]
    assert any("root sees more" in one for one in told["missing"])
    assert any("NAT and published ports are not known" in one for one in told["missing"])
    other = next(one for one in told["namespaces"] if one["name"] == lab["b"])
    assert not other["links"] and "it cannot be entered: EPERM" in other["problem"]


def test_fifty_namespaces_take_less_than_two_seconds() -> None:
    names = [f"{ME}-{number}" for number in range(50)]
    router = f"{ME}-r"
    try:
        made = [f"netns add {name}" for name in (router, *names)]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(made), text=True, check=True)
        lines = ["link add br0 type bridge", "link set br0 up"]
        for number, name in enumerate(names):
            lines.append(f"link add v{number} type veth peer name eth0 netns {name}")
            lines.append(f"link set v{number} up master br0")
        subprocess.run(["ip", "-n", router, "-batch", "-"], input="\n".join(lines), text=True, check=True)
        times = []
        for _ in range(3):  # the other tests' processes have the cores too
            before = time.monotonic()
            found = read_map()
            times.append(time.monotonic() - before)
        inside = {one.inode for one in found.namespaces if one.name.startswith(f"{ME}-")}
        assert sum(wire.left.namespace in inside and wire.both for wire in found.wires) == 50
        assert min(times) < 2
    finally:
        gone = [f"netns delete {name}" for name in (router, *names)]
        subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(gone), text=True, check=False)


# --- the command -------------------------------------------------------------------


def run(tmp_path: Path, *words: str) -> Any:
    """``minirun network map WORDS`` with a store of its own."""
    settings = Settings(root=str(tmp_path / "root"), state=str(tmp_path / "state"))
    return CliRunner().invoke(command, words, obj=settings, standalone_mode=False)


def test_the_command_in_each_form(lab: dict[str, str], tmp_path: Path) -> None:
    name = lab["b"]
    assert f"netns {name} (net:[" in run(tmp_path).output
    assert run(tmp_path, "--mermaid").output.startswith("flowchart LR\n")
    assert run(tmp_path, "--dot").output.startswith("digraph minirun {\n")
    told = json.loads(run(tmp_path, "--json").output)
    assert name in {one["name"] for one in told["namespaces"]}
    result = run(tmp_path, "--json", "--dot")
    assert isinstance(result.exception, UsageError)


@needs("dot")
def test_the_picture(lab: dict[str, str], tmp_path: Path) -> None:
    picture = tmp_path / "map.svg"
    result = run(tmp_path, "--svg", str(picture))
    assert not result.exception
    assert f"netns {lab['b']}" in "".join(ElementTree.fromstring(picture.read_bytes()).itertext())
    failed = run(tmp_path, "--svg", str(tmp_path / "no" / "map.svg")).exception
    assert failed and "cannot write the picture" in str(failed)
