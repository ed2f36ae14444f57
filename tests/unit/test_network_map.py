"""The map of who is wired to whom: from tables to a Map, and from a Map to text and pictures."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from minirun.errors import Unsupported
from minirun.network.map import firewall, mermaid
from minirun.network.map.build import build
from minirun.network.map.dot import dot, svg
from minirun.network.map.dot import escaped as dot_escaped
from minirun.network.map.find import engine_of, mounted
from minirun.network.map.iptables import rules_of
from minirun.network.map.model import End, Found, Link, Map, Names, Place, Route, Tables, Wire, whole
from minirun.network.map.text import text
from tests.needs import needs

HOST, WEB, DB = 10, 20, 30


def link(index: int, name: str, kind: str = "", **fields: Any) -> Link:
    return Link(
        **{"index": index, "name": name, "kind": kind, "up": True, "carrier": True, "mtu": 1500, **fields}
    )


LO = link(1, "lo", mtu=65536, addresses=("127.0.0.1/8", "::1/128"))


def default(gateway: str, index: int, family: int = 2) -> Route:
    return Route(destination="default", family=family, gateway=gateway, index=index)


def rule(
    chain: str, *expressions: dict[str, Any], table: tuple[str, str] = ("inet", "minirun")
) -> dict[str, Any]:
    return {"rule": {"family": table[0], "table": table[1], "chain": chain, "expr": list(expressions)}}


def match(left: dict[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def field(name: str, protocol: str = "ip") -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": name}}


def meta(key: str) -> dict[str, Any]:
    return {"meta": {"key": key}}


def base(chain: str, table: tuple[str, str] = ("inet", "minirun")) -> dict[str, Any]:
    return {"chain": {"family": table[0], "table": table[1], "name": chain, "type": "nat", "hook": chain}}


def element_set(name: str, *elements: Any, kind: str = "set") -> dict[str, Any]:
    return {kind: {"family": "inet", "table": "minirun", "name": name, "elem": list(elements)}}


def published(*roles: dict[str, Any], map: str) -> dict[str, Any]:
    return {"dnat": {"family": "ip", "addr": {"map": {"key": {"concat": list(roles)}, "data": f"@{map}"}}}}


#: minirun's own table, as nft prints it: rules that look everything up.
RULESET: dict[str, Any] = {
    "nftables": [
        base("prerouting"),
        base("output"),
        base("postrouting"),
        element_set("bridges", "minirun0", "mr-secret"),
        element_set("internal", "mr-secret"),
        element_set("any4", [{"concat": ["tcp", 8080]}, {"concat": ["10.88.0.2", 80]}], kind="map"),
        element_set(
            "host4", [{"concat": ["127.0.0.1", "udp", 53]}, {"concat": ["10.88.0.9", 5353]}], kind="map"
        ),
        rule("prerouting", match({"fib": {"result": "type"}}, "local"), {"jump": {"target": "published"}}),
        rule("output", match({"fib": {"result": "type"}}, "local"), {"jump": {"target": "published"}}),
        rule("published", published(meta("l4proto"), field("dport", "th"), map="any4")),
        rule("published", published(field("daddr"), meta("l4proto"), field("dport", "th"), map="host4")),
        rule(
            "postrouting",
            match(meta("iifname"), "@bridges"),
            match({"ct": {"key": "status"}}, "dnat", "in"),
            {"masquerade": None},
        ),
        rule(
            "postrouting",
            match(meta("iifname"), "@bridges"),
            match(meta("oifname"), "@bridges", "!="),
            {"masquerade": None},
        ),
        rule(
            "postrouting",
            match(meta("oifname"), "@bridges"),
            match(field("saddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}}),
            {"masquerade": None},
        ),
    ]
}

FOUND = Found(
    here=HOST,
    places=(
        Place(inode=HOST, pids=(1, 50), comm="systemd"),
        Place(inode=WEB, pids=(1234, 1240), comm="nginx"),
        Place(inode=DB, paths=("/run/netns/db",)),
        Place(inode=40, pids=(77,), comm="sleep"),
    ),
)
HOST_LINKS = (
    LO,
    link(2, "eth0", addresses=("192.0.2.2/24", "fe80::1/64")),
    link(3, "minirun0", "bridge", addresses=("10.88.0.1/16",)),
    link(4, "mr-secret", "bridge", addresses=("10.89.0.1/24",), carrier=False),
    link(7, "mr77", "veth", master=3, other=2, other_netnsid=0),
    link(8, "mr88", "veth", master=3, other=2, other_netnsid=1),
)
TABLES = (
    Tables(
        inode=HOST,
        links=HOST_LINKS,
        routes=(default("192.0.2.1", 2),),
        nsids={"0": WEB, "1": DB},
        firewall=RULESET,
    ),
    Tables(
        inode=WEB,
        links=(LO, link(2, "eth0", "veth", other=7, other_netnsid=0, addresses=("10.88.0.2/16",))),
        routes=(default("10.88.0.1", 2),),
        nsids={"0": HOST},
    ),
    Tables(
        inode=DB,
        links=(
            LO,
            link(
                2, "eth0", "veth", other=8, other_netnsid=5, addresses=("10.88.0.3/16",), mtu=1400, up=False
            ),
        ),
        nsids={"5": HOST},
    ),
    Tables(inode=40, links=(link(1, "lo", up=False, carrier=False),)),
)
NAMES = Names(containers={1234: "web"}, networks={"minirun0": "minirun"})


def small() -> Map:
    return build(FOUND, TABLES, NAMES)


def test_text_of_a_small_map() -> None:
    """From the world inwards: uplink, NAT, bridge, cables, and who is at their other ends."""
    drawn, _, legend = text(small()).rpartition("\n\n")
    assert (
        drawn
        == """\
host (net:[10], you are here)
├─ eth0  192.0.2.2/24  device  mtu 1500  default via 192.0.2.1
│  ├─ NAT  masquerade 10.88.0.0/16 (table inet minirun)
│  │  └─ minirun0  bridge of network minirun  10.88.0.1/16  mtu 1500
│  │     ├─ mr77 ⇄ eth0  10.88.0.2/16  container web (pid 1234, net:[20])
│  │     │  ├─ default via 10.88.0.1
│  │     │  └─ published 0.0.0.0:8080 → 80/tcp
│  │     └─ mr88 ⇄ eth0  10.88.0.3/16  netns db (net:[30])  down  mtu 1500 here, 1400 there
│  └─ mr-secret  bridge, internal: no way out  10.89.0.1/24  mtu 1500
└─ published 127.0.0.1:53 → 10.88.0.9 5353/udp

With nothing but a loopback:
  process sleep (pid 77, net:[40])"""
    )
    assert "⇄" in legend


def test_the_legend_explains_only_what_is_drawn() -> None:
    alone = build(Found(here=40, places=FOUND.places[3:]), TABLES[3:], Names())
    assert (
        text(alone)
        == "host (net:[40], you are here)\n└─ lo is down: nothing in here reaches itself by 127.0.0.1\n"
    )


def test_names() -> None:
    """minirun's name, then ip netns', then the process'; pid 1 is the host."""
    assert [one.title for one in small().namespaces] == ["host", "container web", "netns db", "process sleep"]


def test_an_engine_is_known_by_the_cgroup() -> None:
    id = "1234567890abcdef" * 4
    assert engine_of(f"0::/machine.slice/libpod-{id}.scope/container\n") == "podman 1234567890ab"
    assert engine_of(f"5:pids:/docker/{id}\n") == "docker 1234567890ab"
    assert engine_of(f"0::/system.slice/cri-containerd-{id}.scope\n") == "containerd 1234567890ab"
    assert engine_of("0::/user.slice/docker-compose.service\n") == ""


def test_bind_mounts_of_namespaces() -> None:
    """Only network namespaces, and a path with a space as it is."""
    lines = (
        "91 90 0:4 net:[4026532319] /run/netns/a\\040b rw shared:2 - nsfs nsfs rw",
        "92 90 0:4 mnt:[4026532388] /run/mnt rw - nsfs nsfs rw",
        "93 90 0:4 net:[4026532319] /var/lib/x rw master:1 - nsfs nsfs rw",
        "94 90 0:5 / /proc rw - proc proc rw",
    )
    assert mounted("\n".join(lines)) == {4026532319: ["/run/netns/a b", "/var/lib/x"]}


# --- pairs ---------------------------------------------------------------------


def test_a_pair_is_one_wire_that_both_ends_confirm() -> None:
    assert small().wires == (
        Wire(kind="veth", left=End(namespace=HOST, index=7), right=End(namespace=WEB, index=2)),
        Wire(kind="veth", left=End(namespace=HOST, index=8), right=End(namespace=DB, index=2)),
    )


def wires(*tables: Tables, unread: int = 0) -> tuple[Wire, ...]:
    places = [Place(inode=one.inode) for one in tables]
    return build(Found(here=tables[0].inode, places=tuple(places)), tables, Names()).wires


def test_a_pair_within_one_namespace() -> None:
    inside = Tables(inode=HOST, links=(link(2, "a", "veth", other=3), link(3, "b", "veth", other=2)))
    assert wires(inside) == (
        Wire(kind="veth", left=End(namespace=HOST, index=2), right=End(namespace=HOST, index=3)),
    )


def test_the_same_index_at_both_ends() -> None:
    """Before Linux 5.17 IFLA_LINK was left out there."""
    one = Tables(inode=HOST, links=(link(2, "a", "veth", other_netnsid=0),), nsids={"0": WEB})
    two = Tables(inode=WEB, links=(link(2, "b", "veth", other_netnsid=0),), nsids={"0": HOST})
    assert [wire.both for wire in wires(one, two)] == [True]


def test_an_index_that_another_one_has_meanwhile_is_not_believed() -> None:
    """The far interface exists, and names a third one: the world moved while it was read."""
    one = Tables(inode=HOST, links=(link(2, "a", "veth", other=5, other_netnsid=0),), nsids={"0": WEB})
    two = Tables(inode=WEB, links=(link(5, "b", "veth", other=9, other_netnsid=0),), nsids={"0": HOST})
    assert wires(one, two) == (
        Wire(kind="veth", left=End(namespace=HOST, index=2), right=End(namespace=0, index=5), both=False),
        Wire(kind="veth", left=End(namespace=WEB, index=5), right=End(namespace=0, index=9), both=False),
    )


def test_a_wire_into_a_namespace_that_was_not_found_or_not_read() -> None:
    one = Tables(
        inode=HOST,
        links=(
            link(2, "lost", "veth", other=5, other_netnsid=0),
            link(3, "shut", "veth", other=6, other_netnsid=1),
        ),
        nsids={"1": WEB},
    )
    shut = Tables(inode=WEB, problem="it cannot be entered: EPERM (Operation not permitted)")
    found = wires(one, shut)
    assert [(wire.left.index, wire.right.namespace, wire.both) for wire in found] == [
        (2, 0, False),
        (3, WEB, False),
    ]
    places = (Place(inode=HOST, pids=(1,)), Place(inode=WEB, pids=(9,), comm="shy"))
    drawn = text(build(Found(here=HOST, places=places), (one, shut), Names()))
    assert "lost ⇄ interface 5  a namespace that could not be found" in drawn
    assert "shut ⇄ interface 6  process shy (pid 9, net:[20])" in drawn
    assert "process shy: it cannot be entered: EPERM" in drawn.split("Not seen:")[1]


def test_a_macvlan_and_a_vlan_sit_on_what_is_below() -> None:
    host = Tables(inode=HOST, links=(LO, link(2, "eth0"), link(3, "eth0.5", "vlan", other=2, mode="id 5")))
    mode = {"mode": "bridge", "addresses": ("192.0.2.9/24",)}
    lab = Tables(
        inode=WEB, links=(LO, link(4, "eth0", "macvlan", other=2, other_netnsid=0, **mode)), nsids={"0": HOST}
    )
    places = (Place(inode=HOST, pids=(1,)), Place(inode=WEB, pids=(9,), comm="lab"))
    drawn = text(build(Found(here=HOST, places=places), (host, lab), Names())).split("\n\n")[0]
    assert (
        drawn
        == """\
host (net:[10], you are here)
└─ eth0  device  mtu 1500
   ├─ ▷ eth0.5  vlan id 5
   └─ ▷ eth0    macvlan bridge  192.0.2.9/24  process lab (pid 9, net:[20])"""
    )
    from_inside = text(build(Found(here=WEB, places=places), (host, lab), Names()))
    assert "eth0  192.0.2.9/24  macvlan  on eth0 of host  mtu 1500" in from_inside


def test_each_wire_is_drawn_once_by_whom_it_was_met_first() -> None:
    """A container on two networks: it is told whole at the first, and named at the second."""
    one = link(5, "v1", "veth", master=2, other=2, other_netnsid=0)
    two = link(6, "v2", "veth", master=3, other=3, other_netnsid=0)
    host = Tables(
        inode=HOST, links=(link(2, "br1", "bridge"), link(3, "br2", "bridge"), one, two), nsids={"0": WEB}
    )
    ends = (
        link(2, "eth0", "veth", other=5, other_netnsid=0),
        link(3, "eth1", "veth", other=6, other_netnsid=0),
    )
    web = Tables(inode=WEB, links=ends, nsids={"0": HOST})
    places = (Place(inode=HOST, pids=(1,)), Place(inode=WEB, pids=(1234,)))
    drawn = text(build(Found(here=HOST, places=places), (host, web), NAMES)).split("\n\n")[0]
    assert (
        drawn
        == """\
host (net:[10], you are here)
├─ br1  bridge  mtu 1500
│  └─ v1 ⇄ eth0  container web (pid 1234, net:[20])
└─ br2  bridge  mtu 1500
   └─ v2 ⇄ eth1  container web (pid 1234, net:[20], drawn above)"""
    )


# --- NAT and published ports -----------------------------------------------------


def test_minirun_s_own_table() -> None:
    """Maps give the published ports, once though two hooks lead there; hairpins are told from the way out."""
    nat, ports = firewall.read(RULESET)
    assert [(one.inside, one.hairpin) for one in nat] == [
        (("minirun0", "mr-secret"), True),
        (("minirun0", "mr-secret"), False),
        ((), True),
    ]
    assert [
        (one.protocol, one.host_address, one.host_port, one.address, one.port, one.owner) for one in ports
    ] == [
        ("tcp", "", "8080", "10.88.0.2", "80", "minirun"),
        ("udp", "127.0.0.1", "53", "10.88.0.9", "5353", "minirun"),
    ]


def test_rules_of_others_are_followed_through_their_chains() -> None:
    """netavark's way: a chain for each network, entered by what comes from its subnet."""
    table = ("inet", "netavark")
    subnet = {"prefix": {"addr": "10.88.0.0", "len": 16}}
    ports = {"set": [8080, {"range": [9000, 9002]}]}
    ruleset = {
        "nftables": [
            base("POSTROUTING", table),
            base("PREROUTING", table),
            rule("POSTROUTING", match(field("saddr"), subnet), {"jump": {"target": "nv_1"}}, table=table),
            rule("nv_1", match(field("daddr"), subnet), {"accept": None}, table=table),
            rule("nv_1", {"masquerade": None}, table=table),
            rule("nv_1", {"jump": {"target": "POSTROUTING"}}, table=table),  # no packet can, and no map hangs
            rule(
                "PREROUTING",
                match(field("dport", "tcp"), ports),
                {"dnat": {"addr": "10.88.0.2", "port": 80}},
                table=table,
            ),
        ]
    }
    nat, found = firewall.read(ruleset)
    assert [(one.table, one.owner, one.sources) for one in nat] == [
        ("inet netavark", "netavark", ("10.88.0.0/16",))
    ]
    assert [(one.host_port, one.port, one.protocol) for one in found] == [
        ("8080", "80", "tcp"),
        ("9000-9002", "80", "tcp"),
    ]


IPTABLES = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
-A DOCKER -d 192.0.2.1/32 -p udp --dport 53 -m comment --comment "a b" -j DNAT --to-destination 172.17.0.2
COMMIT
"""
OPAQUE = {"xt": {"type": "target", "name": "DNAT"}}


@pytest.mark.parametrize("told", [True, False])
def test_what_iptables_wrote(told: bool) -> None:
    """nft sees the target without its address; iptables-save has it."""
    table = ("ip", "nat")
    ruleset: dict[str, Any] = {
        "nftables": [
            base("PREROUTING", table),
            base("POSTROUTING", table),
            rule("PREROUTING", {"jump": {"target": "DOCKER"}}, table=table),
            rule("DOCKER", match(field("dport", "tcp"), 8080), OPAQUE, table=table),
        ]
    }
    if told:
        ruleset["iptables"] = {"ip": IPTABLES}
    nat, found = firewall.read(ruleset)
    answers = [(one.owner, one.host_address, one.host_port, one.address, one.port) for one in found]
    if told:
        assert [one.sources for one in nat] == [("172.17.0.0/16",)]
        assert answers == [
            ("docker", "", "8080", "172.17.0.2", "80"),
            ("docker", "192.0.2.1", "53", "172.17.0.2", "53"),
        ]
    else:
        assert answers == [("docker", "", "8080", "", "")]


def test_iptables_destinations() -> None:
    save = "\n".join(
        f"-A X -j DNAT --to-destination {one}"
        for one in ("10.0.0.1", "10.0.0.1:80", "[fd00::1]:80", "fd00::1")
    )
    found = [expression["dnat"] for one in rules_of(save, "ip6") for expression in one["expr"]]
    assert [(one["addr"], one["port"]) for one in found] == [
        ("10.0.0.1", ""),
        ("10.0.0.1", "80"),
        ("fd00::1", "80"),
        ("fd00::1", ""),
    ]


@pytest.mark.parametrize("ruleset", [{}, {"nftables": []}, {"nftables": [{"metainfo": {}}]}])
def test_no_rules(ruleset: dict[str, Any]) -> None:
    assert firewall.read(ruleset) == ((), ())
    assert firewall.internal(ruleset) == ()


# --- pictures ----------------------------------------------------------------------


def test_mermaid_of_a_small_map() -> None:
    assert (
        mermaid.mermaid(small())
        == """\
flowchart LR
  subgraph n10["host · net:[10]"]
    i10_2["eth0<br/>192.0.2.2/24<br/>default via 192.0.2.1"]
    i10_3{{"minirun0<br/>bridge of network minirun<br/>10.88.0.1/16"}}
    i10_4{{"mr-secret<br/>bridge, internal<br/>10.89.0.1/24"}}
    i10_7["mr77"]
    i10_8["mr88"]
    nat10_0[/"NAT<br/>masquerade<br/>table inet minirun"\\]
    lost10[/"published 127.0.0.1:53 → 10.88.0.9 5353/udp"\\]
  end
  subgraph n20["container web · pid 1234 · net:[20]"]
    i20_2["eth0<br/>10.88.0.2/16<br/>default via 10.88.0.1<br/>published 0.0.0.0:8080 → 80/tcp"]
  end
  subgraph n30["netns db · net:[30]"]
    i30_2["eth0<br/>10.88.0.3/16<br/>down"]
  end
  subgraph n40["process sleep · pid 77 · net:[40]"]
    i40_none["lo only"]
  end
  world(("the world"))
  i10_3 --- i10_7
  i10_3 --- i10_8
  world --- i10_2
  i10_2 --- nat10_0
  nat10_0 --- i10_3
  i10_7 <-->|"veth"| i20_2
  i10_8 <-->|"veth"| i30_2
  classDef down stroke-dasharray: 4
  class i30_2 down
"""
    )


def test_every_arrow_of_a_picture_ends_at_a_box() -> None:
    """Also where the other end is in a namespace that was not found."""
    lost = Tables(inode=HOST, links=(link(2, "lost", "veth", other=5, other_netnsid=0),))
    drawn = mermaid.mermaid(build(Found(here=HOST, places=(Place(inode=HOST),)), (lost,), Names()))
    boxes = set(re.findall(r"^ +(\w+)[\[{(>]", drawn, re.M))
    for left, right in re.findall(r'^  (\w+) (?:---|<-->|-\.-)(?:\|"\w+"\|)? (\w+)$', drawn, re.M):
        assert {left, right} <= boxes
    assert "<-->" in drawn


def hostile() -> Map:
    name = 'a"b\\c<d>&#10;\x1b[31m\n]'
    places = (Place(inode=HOST, pids=(1,)), Place(inode=WEB, pids=(9,), comm=name))
    tables = (Tables(inode=HOST, links=(LO,)), Tables(inode=WEB, links=(LO, link(2, 'x";y\\'))))
    return build(Found(here=HOST, places=places), tables, Names())


def test_names_of_others_cannot_break_out() -> None:
    """A process may call itself anything: quotes, markup, and what a terminal would obey."""
    assert "\x1b" not in text(hostile()) + mermaid.mermaid(hostile()) + dot(hostile())
    assert mermaid.escaped('"<b>#;') == "#34;#60;b#62;#35;#59;"
    assert dot_escaped('a"b\\c&lt;\n') == 'a\\"b\\\\c&amp;lt;?'
    titles = [line for line in mermaid.mermaid(hostile()).splitlines() if "subgraph" in line]
    assert all(re.fullmatch(r'  subgraph \w+\["[^"<>&]*"\]', line) for line in titles)


@needs("dot")
@pytest.mark.parametrize("map", [small(), hostile()], ids=["small", "hostile"])
def test_graphviz_takes_it(map: Map) -> None:
    drawn = ElementTree.fromstring(svg(map))
    words = "".join(drawn.itertext())
    assert "net:[10]" in words
    assert 'a"b\\c<d>&#10;?[31m?]' in words or "10.88.0.2/16" in words


def test_no_graphviz_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unsupported, match="graphviz"):
        svg(small())


def test_json_has_everything() -> None:
    """Also what stands at its default."""
    told = json.loads(json.dumps(whole(small())))
    assert told["here"] == HOST
    assert told["namespaces"][1]["links"][1]["addresses"] == ["10.88.0.2/16"]
    assert told["namespaces"][1]["published"] == []
    assert told["namespaces"][0]["published"][0]["target"] == WEB
    assert told["wires"][0]["both"] is True
