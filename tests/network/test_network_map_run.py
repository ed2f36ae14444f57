"""`network map` of containers that run: every link of the way, in every form, as the kernel has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.needs import needs
from tests.network import inside
from tests.network.inside import Inside

pytestmark = needs("root", "overlay", "nft", "ip", "nsenter")


@pytest.fixture(scope="module")
def lab(test_dir: Path, busybox_archive: Path) -> Iterator[Inside]:
    """`shop` is on two networks and publishes two ports; `db` is on the inner one."""
    with inside.made(test_dir / "map", busybox_archive, Inside) as made:
        made("network", "create", "--subnet", "10.1.0.0/24", "front", check=True)
        made("network", "create", "--subnet", "10.2.0.0/24", "--no-ipv6", "--internal", "back", check=True)
        published = ("-p", "8080:80", "-p", "127.0.0.1:5353:53/udp")
        shop = ("--name", "shop", "--network", "front", "--network", "back", *published)
        made("run", "-d", *shop, "busybox", "sleep", "1000", check=True)
        made("run", "-d", "--name", "db", "--network", "back", "busybox", "sleep", "1000", check=True)
        yield made


@pytest.fixture(autouse=True)
def no_leaks(lab: Inside) -> None:
    """The containers outlive the tests here; the session's other tests look for what they leave."""


def bridge_of(lab: Inside, network: str) -> str:
    return str(json.loads(lab("network", "inspect", network, check=True).stdout)[0]["bridge"])


def pid_of(lab: Inside, name: str) -> int:
    return int(lab.inspected(name)["state"]["pid"])


def inode_of(pid: int) -> int:
    return Path(f"/proc/{pid}/ns/net").stat().st_ino


def ports_of(lab: Inside, name: str) -> list[str]:
    """The host's ends of a container's cables, in the order of its interfaces."""
    links = json.loads(lab.there("ip", "-j", "link"))
    short = lab.inspected(name)["id"][:8]
    return [one["ifname"] for one in links if one["ifname"].startswith(f"mr{short}")]


def test_as_text(lab: Inside) -> None:
    """One tree from the router to the containers: NAT, bridge, cable, address, published port."""
    v6 = [address for address in lab.inspected("shop")["networks"][0]["addresses"] if ":" in address]
    first, second = ports_of(lab, "shop")
    (third,) = ports_of(lab, "db")
    tree = lab("network", "map", check=True).stdout.split("\n\n")[0]
    assert tree.startswith(
        f"netns {Path(lab.place).name} (net:[{Path(lab.place).stat().st_ino}], you are here)\n"
    )
    tree = re.sub(r"\(pid \d+, net:\[\d+\]", "(...", re.sub(r"  +", "  ", tree))
    front, back = bridge_of(lab, "front"), bridge_of(lab, "back")
    gateway6 = json.loads(lab("network", "inspect", "front", check=True).stdout)[0]["subnets"][1]
    lines = [line.rstrip() for line in tree.splitlines()[1:]]
    assert lines == [
        f"├─ NAT  masquerade 10.1.0.0/24, {gateway6['subnet']} (table inet minirun)",
        f"│  └─ {front}  bridge of network front  10.1.0.1/24, {gateway6['gateway']}/64  mtu 1500",
        f"│  └─ {first} ⇄ eth0  10.1.0.2/24, {v6[0]}  container shop (...)",
        f"│  ├─ default via 10.1.0.1, {gateway6['gateway']}",
        "│  ├─ published 127.0.0.1:5353 → 53/udp",
        "│  ├─ published 0.0.0.0:8080 → 80/tcp",
        "│  └─ published [::]:8080 → 80/tcp",
        f"└─ {back}  bridge of network back, internal: no way out  10.2.0.1/24  mtu 1500",
        f"  ├─ {second} ⇄ eth1  10.2.0.2/24  container shop (..., drawn above)",
        f"  └─ {third} ⇄ eth0  10.2.0.3/24  container db (...)",
    ]


def test_as_json(lab: Inside) -> None:
    """Both ends of each cable by index, which is what ip has; ports lead to the container's namespace."""
    told = json.loads(lab("network", "map", "--json", check=True).stdout)
    namespaces = {one["inode"]: one for one in told["namespaces"]}
    here, shop = namespaces[told["here"]], namespaces[inode_of(pid_of(lab, "shop"))]
    assert (shop["kind"], shop["name"], shop["pid"]) == ("container", "shop", pid_of(lab, "shop"))
    assert told["networks"] == {bridge_of(lab, "front"): "front", bridge_of(lab, "back"): "back"}
    assert here["internal"] == [bridge_of(lab, "back")]

    ends = {one["ifindex"]: one["link_index"] for one in ip(lab, "shop") if one["ifname"] != "lo"}
    wires = {}
    for wire in told["wires"]:
        pair = {end["namespace"]: end["index"] for end in (wire["left"], wire["right"])}
        if pair.keys() == {here["inode"], shop["inode"]}:
            assert (wire["kind"], wire["both"]) == ("veth", True)
            wires[pair[shop["inode"]]] = pair[here["inode"]]
    assert wires == ends

    names = {one["index"]: one for one in here["links"]}
    masters = [names[names[wires[one]]["master"]]["name"] for one in sorted(wires)]
    assert masters == [bridge_of(lab, "front"), bridge_of(lab, "back")]
    ports = [
        (one["host_address"], one["host_port"], one["protocol"], one["port"]) for one in here["published"]
    ]
    assert ports == [
        ("127.0.0.1", "5353", "udp", "53"),
        ("", "8080", "tcp", "80"),  # to the IPv4 address
        ("", "8080", "tcp", "80"),  # to the IPv6 address
    ]
    addresses = {one["address"] for one in here["published"]}
    own = {one.partition("/")[0] for one in lab.inspected("shop")["networks"][0]["addresses"]}
    assert addresses == own
    assert {one["target"] for one in here["published"]} == {shop["inode"]}
    out = [one for one in here["nat"] if not one["hairpin"]]
    assert [(one["kind"], one["table"]) for one in out] == [("masquerade", "inet minirun")]


def ip(lab: Inside, name: str) -> list[dict[str, Any]]:
    """What ip says of a container's interfaces, from outside."""
    pid = pid_of(lab, name)
    found: list[dict[str, Any]] = json.loads(
        lab.there("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-j", "link")
    )
    return found


def test_as_mermaid(lab: Inside) -> None:
    """A box for each namespace, interfaces in them, and an arrow for each cable."""
    drawn = lab("network", "map", "--mermaid", check=True).stdout
    lines = [line.strip() for line in drawn.splitlines()]
    assert lines[0] == "flowchart LR"
    here, shop, db = Path(lab.place).stat().st_ino, inode_of(pid_of(lab, "shop")), inode_of(pid_of(lab, "db"))
    for inode, title in ((here, "netns "), (shop, "container shop · "), (db, "container db · ")):
        assert any(line.startswith(f'subgraph n{inode}["{title}') for line in lines)
    for one in (*ip(lab, "shop"), *ip(lab, "db")):
        if one["ifname"] != "lo":
            inside_, outside = f"i{inode_of_one(lab, one)}_{one['ifindex']}", f"i{here}_{one['link_index']}"
            assert {f'{outside} <-->|"veth"| {inside_}', f'{inside_} <-->|"veth"| {outside}'} & set(lines)
    (entry,) = [line for line in lines if line.startswith(f"i{shop}_") and "eth0" in line and "<br/>" in line]
    assert "published 0.0.0.0:8080 → 80/tcp" in entry and "10.1.0.2/24" in entry
    assert any("NAT<br/>masquerade" in line for line in lines)


def inode_of_one(lab: Inside, link: dict[str, Any]) -> int:
    """Whose interface it is: shop's and db's have different hardware addresses."""
    names = ("shop", "db")
    return next(
        inode_of(pid_of(lab, name))
        for name in names
        if link["address"] in [one["address"] for one in ip(lab, name)][1:]
    )


@needs("dot")
def test_as_a_picture(lab: Inside, tmp_path: Path) -> None:
    """All of its words; on standard output it is the same."""
    picture = tmp_path / "map.svg"
    lab("network", "map", "--svg", str(picture), check=True)
    words = "\n".join(ElementTree.fromstring(picture.read_bytes()).itertext())
    for word in (
        "container shop",
        "container db",
        "10.1.0.2/24",
        "bridge of network front",
        "published 0.0.0.0:8080 → 80/tcp",
        "published 127.0.0.1:5353 → 53/udp",
        "masquerade",
    ):
        assert word in words
    assert lab("network", "map", "--svg", "-", check=True).stdout.startswith("<?xml")


def test_a_container_comes_and_goes(lab: Inside) -> None:
    """What is drawn is what there is now."""
    assert "container late" not in lab("network", "map", check=True).stdout
    lab(
        "run",
        "-d",
        "--name",
        "late",
        "--network",
        "front",
        "-p",
        "9090:90",
        "busybox",
        "sleep",
        "1000",
        check=True,
    )
    drawn = lab("network", "map", check=True).stdout
    assert "container late" in drawn and "published 0.0.0.0:9090 → 90/tcp" in drawn
    lab("rm", "-f", "late", check=True)
    drawn = lab("network", "map", check=True).stdout
    assert "container late" not in drawn and "9090" not in drawn
