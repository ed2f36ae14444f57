"""Elements of sets and maps, and connections that are forgotten, as nft and conntrack's own file see them."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from minirun.linux import netlink_conntrack as conntrack
from minirun.linux import netlink_nftables as nftables
from tests.kernel.wires import Place, World
from tests.needs import needs

pytestmark = needs("root", "nft", "ip")
TABLE = """
table inet ours {
    set names { type ifname; }
    map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
}
"""


@pytest.fixture
def place() -> Iterator[Place]:
    """A network namespace with a table in it."""
    made = Place()
    made.run("nft", "-f", "-", input=TABLE)
    yield made
    made.close()


def listed(place: Place, kind: str, name: str) -> Any:
    return json.loads(place.run("nft", "-j", f"list {kind} inet ours {name}"))["nftables"][1][kind].get(
        "elem"
    )


def port(number: int, last: int = 2) -> tuple[str, bytes, bytes]:
    """tcp . NUMBER : 10.88.0.LAST . 80"""
    return "ports", struct.pack(">B3xH2x", 6, number), struct.pack(">4BH2x", 10, 88, 0, last, 80)


def named(name: str) -> tuple[str, bytes, bytes]:
    return "names", name.encode().ljust(16, b"\0"), b""


def test_nft_reads_what_was_added(place: Place) -> None:
    with place.inside():
        nftables.add_elements("ours", [named("eth0"), port(8080), named("lo"), port(81, 3)])
        assert sorted(nftables.dump_elements("ours", "ports")) == sorted([port(8080)[1:], port(81, 3)[1:]])
        assert {key for key, _ in nftables.dump_elements("ours", "names")} == {
            named("eth0")[1],
            named("lo")[1],
        }
    assert sorted(listed(place, "set", "names")) == ["eth0", "lo"]
    assert sorted(listed(place, "map", "ports"), key=str) == [
        [{"concat": ["tcp", 8080]}, {"concat": ["10.88.0.2", 80]}],
        [{"concat": ["tcp", 81]}, {"concat": ["10.88.0.3", 80]}],
    ]


def test_we_read_what_nft_added(place: Place) -> None:
    place.run("nft", "add element inet ours ports { tcp . 8080 : 10.88.0.2 . 80 }")
    with place.inside():
        assert nftables.dump_elements("ours", "ports") == [port(8080)[1:]]
        assert nftables.element("ours", "ports", port(8080)[1]) == port(8080)[2]
        assert nftables.element("ours", "ports", port(8081)[1]) is None


def test_all_or_nothing(place: Place) -> None:
    with place.inside():
        nftables.add_elements("ours", [port(8080)])
        with pytest.raises(FileExistsError):
            nftables.add_elements("ours", [port(1), named("eth0"), port(8080), port(2)])
        with pytest.raises(FileNotFoundError):
            nftables.delete_elements("ours", [port(8080), port(1)])
        assert nftables.dump_elements("ours", "ports") == [port(8080)[1:]]
        assert nftables.dump_elements("ours", "names") == []
        nftables.delete_elements("ours", [port(8080)])
        assert nftables.dump_elements("ours", "ports") == []


def test_not_exclusive_takes_the_same_and_refuses_another(place: Place) -> None:
    with place.inside():
        nftables.add_elements("ours", [port(8080), named("eth0")])
        nftables.add_elements("ours", [port(8080), named("eth0")], exclusive=False)
        with pytest.raises(OSError):
            nftables.add_elements("ours", [port(8080, 3)], exclusive=False)
        assert nftables.dump_elements("ours", "ports") == [port(8080)[1:]]


def test_what_is_not_there(place: Place) -> None:
    with place.inside():
        for table, name in [("theirs", "ports"), ("ours", "others")]:
            with pytest.raises(FileNotFoundError):
                nftables.add_elements(table, [(name, *port(1)[1:])])
            with pytest.raises(FileNotFoundError):
                nftables.delete_elements(table, [(name, *port(1)[1:])])
            with pytest.raises(FileNotFoundError):
                nftables.dump_elements(table, name)
            assert nftables.element(table, name, port(1)[1]) is None
        nftables.add_elements("theirs", [])
        with pytest.raises(OSError):
            nftables.add_elements("ours", [("ports", b"1234", b"")])


def test_tables(place: Place) -> None:
    place.run("nft", """create table inet said { comment "words" ; }""")
    with place.inside():
        ours, said = nftables.find_table("ours"), nftables.find_table("said")
        assert ours and said
        assert (ours.comment, said.comment) == ("", "words")
        assert said.handle > ours.handle
        assert nftables.find_table("others") is None
        assert nftables.delete_table("said")
        assert not nftables.delete_table("said")
    assert place.run("nft", "list tables").split() == ["table", "inet", "ours"]


def test_ten_thousand_elements(place: Place) -> None:
    """More than one message, one packet of answers, and one socket's buffer hold."""
    elements = [port(number) for number in range(1, 10001)]
    with place.inside():
        nftables.add_elements("ours", elements)
        assert sorted(nftables.dump_elements("ours", "ports")) == sorted(one[1:] for one in elements)
        with pytest.raises(FileExistsError):
            nftables.add_elements("ours", elements)
        nftables.delete_elements("ours", elements)
        assert nftables.dump_elements("ours", "ports") == []


def test_a_dump_while_others_change_the_set(place: Place) -> None:
    """What stays there the whole time is in each dump once."""
    staying = {port(number)[1:] for number in range(1, 3001)}
    with place.inside():
        nftables.add_elements("ours", [("ports", *one) for one in staying])
        pid = os.fork()
        if pid == 0:
            try:
                for _ in range(60):
                    nftables.add_elements("ours", [port(60000)])
                    nftables.delete_elements("ours", [port(60000)])
            finally:
                os._exit(0)
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            found = nftables.dump_elements("ours", "ports")
            assert staying <= set(found)
            assert len(found) <= len(staying) + 1


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Everybody's wires."""
    made = World(br_netfilter=False)
    yield made
    made.close()


@pytest.mark.parametrize("family", [4, 6])
def test_connections_are_forgotten_by_who_was_asked_and_who_answers(world: World, family: int) -> None:
    asked, outside = world.address("host", family), world.address("outside", family)
    ends = [(asked, 7001), (asked, 7002), (outside, 7001)]
    held = [world["a1"].socket(address, "udp") for address, _ in ends]
    owners = ["host", "host", "outside"]
    servers = [world[owner].listen(*end, "udp") for owner, end in zip(owners, ends, strict=True)]
    for caller, end, server in zip(held, ends, servers, strict=True):
        caller.sendto(b"there", end)
        server.sendto(b"and back", server.recvfrom(64)[1])
    with world.host.inside():
        assert conntrack.forget_asked(6, ends) == 0, "these are not TCP"
        assert conntrack.forget_asked(17, [(asked, 7001), (outside, 7002)]) == 1
        assert conntrack.forget_asked(17, [(asked, 7001)]) == 0
        assert conntrack.forget_answered(17, [(asked, 7002), (outside, 7001), (asked, 7001)]) == 2
        assert conntrack.forget_answered(17, []) == 0
    for sock in (*held, *servers):
        sock.close()
