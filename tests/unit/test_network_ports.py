"""-p: docker's words, and ports that belong to one container at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import Conflict, MinirunError, NotFound, Unsupported, UsageError
from minirun.linux.trial import in_child
from minirun.network import port_links, ports
from minirun.network.networks import Network, Subnet
from minirun.spec import Port
from minirun.values import replace
from tests.needs import needs
from tests.unit.together import together

ONE, TWO = "1" * 64, "2" * 64
NUMBERS = st.integers(1, 65535)


def words(text: str) -> list[tuple[str, str, int, int]]:
    """What ``text`` asks for, as (protocol, address, the host's port, the container's)."""
    return [(p.protocol, p.host_address, p.host_port, p.port) for p in ports.parse(text)]


# What docker's parser makes of it (docker/go-connections, nat.ParsePortSpec).
@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("80", [("tcp", "", 0, 80)]),
        ("80/tcp", [("tcp", "", 0, 80)]),
        ("80/", [("tcp", "", 0, 80)]),
        ("80/UDP", [("udp", "", 0, 80)]),
        ("3456/sctp", [("sctp", "", 0, 3456)]),
        (":80", [("tcp", "", 0, 80)]),
        ("::80", [("tcp", "", 0, 80)]),
        ("0:80", [("tcp", "", 0, 80)]),
        ("0123:080", [("tcp", "", 123, 80)]),
        ("8080:80", [("tcp", "", 8080, 80)]),
        ("1234-1236/tcp", [("tcp", "", 0, 1234), ("tcp", "", 0, 1235), ("tcp", "", 0, 1236)]),
        ("0.0.0.0:1234-1235:3333-3334/tcp", [("tcp", "0.0.0.0", 1234, 3333), ("tcp", "0.0.0.0", 1235, 3334)]),
        ("8080-8080:80-80", [("tcp", "", 8080, 80)]),
        ("192.168.1.100::80", [("tcp", "192.168.1.100", 0, 80)]),
        ("192.168.1.100:8080:80", [("tcp", "192.168.1.100", 8080, 80)]),
        ("[127.0.0.1]:8080:80", [("tcp", "127.0.0.1", 8080, 80)]),
        ("[2001:4860:0:2001::68]::333", [("tcp", "2001:4860:0:2001::68", 0, 333)]),
        ("2001:4860:0:2001::68::333", [("tcp", "2001:4860:0:2001::68", 0, 333)]),
        ("[::2]:80:80", [("tcp", "::2", 80, 80)]),
        ("::2:80:80", [("tcp", "::2", 80, 80)]),
        ("::::80", [("tcp", "::", 0, 80)]),
        ("[::]:80:80", [("tcp", "::", 80, 80)]),
    ],
)
def test_a_port_as_docker_reads_it(text: str, meaning: list[tuple[str, str, int, int]]) -> None:
    """Corner cases are docker's, too."""
    assert words(text) == meaning
    assert not any(port.host_port_end for port in ports.parse(text))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the container's port is missing"),
        ("80:", "the container's port is missing"),
        ("8080:/udp", "the container's port is missing"),
        ("asdf", "'asdf' is not a port's number"),
        ("1asdf:80", "'1asdf' is not a port's number"),
        ("١٢:80", "'١٢' is not a port's number"),
        ("+80", "'+80' is not a port's number"),
        ("80-", "the container's port is missing"),
        ("192.168.1.100:-1:-1", "the container's port is missing"),
        ("0", "the container's port 0 is not between 1 and 65535"),
        ("0-3:80", "the host's port 0 is not between 1 and 65535"),
        ("65536", "the container's port 65536 is not between 1 and 65535"),
        ("9" * 9000, "is not between 1 and 65535"),
        ("90-80", "the container's range 90-80 ends before it begins"),
        ("8081-8080:80", "the host's range 8081-8080 ends before it begins"),
        ("1234-1235:3333-3335", "1234-1235 and 3333-3335 are not equally many ports"),
        ("8080:80-81", "8080 and 80-81 are not equally many ports"),
        ("80/icmp", "'icmp' is not a protocol"),
        ("80/tcp/udp", "'tcp/udp' is not a protocol"),
        ("192.168.1.100", "is not a port's number"),
        ("localhost:1234:1234", "'localhost' is not an IP address"),
        ("1.2.3:80:80", "'1.2.3' is not an IP address"),
        ("1.2.3.4\0:80:80", "is not an IP address"),
        ("[fe80::1%eth0]:80:80", "is not an IP address"),
        ("[::1]:80", "'1]' is not a port's number"),
    ],
)
def test_nonsense_is_refused(text: str, why: str) -> None:
    """In one line, with what would be right."""
    with pytest.raises(UsageError) as raised:
        ports.parse(text)
    assert why in raised.value.why
    assert "8080:80" in raised.value.remedy


@pytest.mark.parametrize("text", ["[::1]:8080:80/udp", "::1:8080:80/udp", "[0:0::0:1]:8080:80/udp"])
def test_the_loopback_of_ipv6_is_refused_by_name(text: str) -> None:
    """With the words that do it on the other one."""
    with pytest.raises(Unsupported, match=r"cannot publish \[::1\]:8080:80/udp") as raised:
        ports.parse(text)
    assert raised.value.remedy.endswith("-p 127.0.0.1:8080:80/udp")
    assert ports.parse("127.0.0.1:8080:80/udp")


@pytest.mark.parametrize("address", ["224.0.0.1", "239.1.2.3", "255.255.255.255", "ff02::1", "fe80::1"])
def test_an_address_that_is_not_one_hosts_is_refused_by_name(address: str) -> None:
    """bind(2) would have it, and no packet would ever be led from there."""
    with pytest.raises(Unsupported, match="cannot publish ") as raised:
        ports.parse(f"[{address}]:8080:80")
    assert address in raised.value.what
    assert raised.value.why
    assert raised.value.remedy.endswith("8080:80")


@given(st.text())
def test_whatever_is_said_is_understood_or_refused(text: str) -> None:
    """Nothing else is ever raised."""
    try:
        found = ports.parse(text)
    except (UsageError, Unsupported):
        return
    assert all(0 < port.port < 65536 and 0 <= port.host_port < 65536 for port in found)


@given(
    st.sampled_from(["tcp", "udp", "sctp"]),
    st.ip_addresses().filter(lambda address: not (address.is_multicast or address.is_reserved)),
    NUMBERS,
    NUMBERS,
)
def test_there_and_back(protocol: str, address: object, host: int, port: int) -> None:
    """What a port is shown as can be said again."""
    text = f"[{address}]:{host}:{port}/{protocol}"
    try:
        (first,) = ports.parse(text)
    except Unsupported:
        assert str(address).startswith(("::1", "fe80:"))
        return
    where, _, inside = ports.shown(first).partition("->")
    assert ports.parse(f"{where}:{inside}") == (first,)


def test_one_address_has_one_name() -> None:
    """Or two containers could have the same port under two spellings."""
    assert ports.parse("[0:0::0:2]:80:80") == ports.parse("[::2]:80:80")
    assert ports.parse("[::FFFF:127.0.0.1]:80:80") == ports.parse("127.0.0.1:80:80")


def test_one_of_a_range() -> None:
    """A range of the host's for a single port of the container's."""
    assert ports.parse("8080-8090:80") == (Port(host_port=8080, host_port_end=8090, port=80),)


def test_what_an_image_exposes() -> None:
    """EXPOSE's words have no side of the host's."""
    assert ports.expose("53/udp") == (Port(protocol="udp", port=53),)
    assert [port.port for port in ports.expose("8000-8002")] == [8000, 8001, 8002]
    with pytest.raises(UsageError, match="the exposed port '80:80'"):
        ports.expose("80:80")


def test_what_is_shown() -> None:
    """As docker ps and docker port have it."""
    assert ports.shown(Port(host_port=8080, port=80)) == "0.0.0.0:8080->80/tcp"
    assert ports.shown(Port(host_address="::1", host_port=8080, port=80)) == "[::1]:8080->80/tcp"
    assert ports.shown(Port(protocol="udp", port=53)) == "53/udp"
    assert ports.line(Port(host_port=8080, port=80)) == "80/tcp -> 0.0.0.0:8080"


# --- who has which ------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> str:
    """--state, with nothing in it."""
    return str(tmp_path)


@pytest.fixture
def free() -> Iterator[int]:
    """A port that no process has, below where any is chosen from."""
    for number in range(20000 + os.getpid() % 5000, 32000):
        try:
            with socket.create_server(("", number)), socket.socket(type=socket.SOCK_DGRAM) as datagrams:
                datagrams.bind(("", number))
        except OSError:
            continue
        yield number
        return


def claim(state: str, text: str, owner: str = ONE) -> tuple[Port, ...]:
    """What ``owner`` gets for ``-p TEXT``."""
    return ports.claim(state, asked(text), owner)


def asked(text: str) -> tuple[Port, ...]:
    """Also for ::1, which cannot be published, but is an address like any other."""
    port = ports.parse(text.replace("[::1]:", ""))
    return tuple(replace(one, host_address="::1") for one in port) if text.startswith("[::1]:") else port


def test_a_port_is_taken_and_given_back(state: str, free: int) -> None:
    """By a link whose text is the owner."""
    assert claim(state, f"{free}:80") == (Port(host_port=free, port=80),)
    assert ports.owners(state) == {f"tcp-any-{free}": ONE}
    ports.release(state, TWO)
    assert ports.owners(state)
    ports.release(state, ONE)
    assert ports.owners(state) == {}
    ports.release(state, ONE)


def test_what_is_known_is_given_back_without_a_search(state: str, free: int) -> None:
    """And nothing but one's own."""
    mine = claim(state, f"{free}:80")
    theirs = claim(state, f"{free + 1}:80", TWO)
    ports.release(state, ONE, [*mine, *theirs])
    assert set(ports.owners(state).values()) == {TWO}


def test_nothing_asked_nothing_there(tmp_path: Path) -> None:
    """A container without ports leaves no trace."""
    assert ports.claim(str(tmp_path), (), ONE) == ()
    ports.release(str(tmp_path), ONE)
    assert ports.owners(str(tmp_path)) == {}
    assert list(tmp_path.iterdir()) == []


ANY, V4, V6, LO4, LO6 = "", "0.0.0.0:", "[::]:", "127.0.0.1:", "[::1]:"


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        (ANY, ANY, True),
        (ANY, LO4, True),
        (LO4, ANY, True),
        (ANY, LO6, True),
        (LO6, ANY, True),
        (ANY, V4, True),
        (V6, ANY, True),
        (V4, LO4, True),
        (LO4, V4, True),
        (V6, LO6, True),
        (V4, V6, False),
        (V4, LO6, False),
        (LO4, V6, False),
        (LO4, LO6, False),
        (LO4, "127.0.0.2:", False),
    ],
)
def test_addresses_that_overlap(state: str, free: int, first: str, second: str, conflict: bool) -> None:
    """A port on every address and one on a single address stand in each other's way, whoever was first."""
    claim(state, f"{first}{free}:80", ONE)
    if not conflict:
        assert claim(state, f"{second}{free}:80", TWO)
        return
    with pytest.raises(Conflict) as raised:
        claim(state, f"{second}{free}:80", TWO)
    assert "container 111111111111" in raised.value.why
    assert str(free) in raised.value.what


def test_protocols_do_not_meet(state: str, free: int) -> None:
    """53/udp beside 53/tcp, as a name server has it; sctp without a socket for it."""
    loaded = os.path.exists("/proc/net/sctp")
    for owner, protocol in zip("abc", ("tcp", "udp", "sctp"), strict=True):
        claim(state, f"{free}:53/{protocol}", owner)
    assert len(ports.owners(state)) == 3
    assert os.path.exists("/proc/net/sctp") == loaded


def test_one_container_twice_the_same(state: str, free: int) -> None:
    """The same said twice is one; a port of the host's cannot lead to two places."""
    assert len(ports.claim(state, ports.parse(f"{free}:80") * 2, ONE)) == 1
    ports.release(state, ONE)
    with pytest.raises(Conflict, match="this container, for another of its ports"):
        ports.claim(state, ports.parse(f"{free}:80") + ports.parse(f"{free}:81"), ONE)
    assert ports.owners(state) == {}


def test_what_a_start_that_died_has_left_is_its_own(state: str, free: int) -> None:
    """The next start of the same container takes it over; another port still cannot have it."""
    ports.claim(state, ports.parse(f"{free}:80"), ONE, ["10.87.0.2"])
    assert claim(state, f"{free}:80") == (Port(host_port=free, port=80),)
    with pytest.raises(Conflict):
        ports.claim(state, ports.parse(f"{free}:80") + ports.parse(f"127.0.0.1:{free}:81"), ONE)
    assert ports.owners(state) == {f"tcp-any-{free}": ONE}
    assert os.readlink(f"{state}/ports/tcp-any-{free}") == ONE


def test_a_link_says_where_the_port_leads(state: str, free: int) -> None:
    """Read back as it was claimed; an owner without addresses is but an owner."""
    wanted = ports.parse(f"{free}:80") + ports.parse(f"[::]:{free}:53/udp")
    assert ports.claim(state, wanted, ONE, ["10.87.0.2/16", "fd12::2/64"]) == wanted
    claim(state, f"127.0.0.1:{free + 1}:80", TWO)
    assert os.readlink(f"{state}/ports/tcp-any-{free}") == f"{ONE} 80 10.87.0.2 fd12::2"
    found = {
        link.port.protocol: link for link in port_links.read(f"{state}/ports", [f"tcp-any-{free}", "gone"])
    }
    assert found == {"tcp": port_links.Link(owner=ONE, port=wanted[0], addresses=("10.87.0.2", "fd12::2"))}
    all_ = {link.port: link.owner for link in port_links.read(f"{state}/ports", os.listdir(f"{state}/ports"))}
    assert all_ == {**dict.fromkeys(wanted, ONE), Port(host_address="127.0.0.1", host_port=free + 1): TWO}


BOTH = (Subnet(cidr="10.1.0.0/24"), Subnet(cidr="fd12::/64"))


@pytest.mark.parametrize(
    ("network", "text", "why"),
    [
        ({"internal": True, "subnets": BOTH}, "80", "network web is internal"),
        ({"driver": "macvlan", "subnets": BOTH}, "8080:80", "a neighbour of the host's"),
        ({"subnets": BOTH[:1]}, "[::]:8080:80", "network web has no IPv6"),
        ({"subnets": BOTH[1:]}, "0.0.0.0:8080:80", "network web has no IPv4"),
        ({"subnets": BOTH[1:]}, "8080:80", ""),
        ({"subnets": BOTH[:1]}, "127.0.0.1:8080:80", ""),
        ({"subnets": BOTH}, "[2001:db8::1]:8080:80", ""),
    ],
)
def test_a_port_that_would_lead_nowhere(network: dict[str, Any], text: str, why: str) -> None:
    """It is refused by name; and nothing published is fine on any network."""
    made = Network(name="web", id="1", **network)
    ports.check_published(made, ())
    if not why:
        ports.check_published(made, ports.parse(text))
        return
    with pytest.raises(UsageError, match=r"cannot publish .*80/tcp") as raised:
        ports.check_published(made, ports.parse(text))
    assert why in raised.value.why
    assert raised.value.remedy


def test_all_or_nothing(state: str, free: int) -> None:
    """One that cannot be had, and none is taken."""
    claim(state, f"{free + 1}:80", ONE)
    with pytest.raises(Conflict):
        ports.claim(state, [*ports.parse(f"{free}:80"), *ports.parse(f"{free + 1}:81")], TWO)
    assert ports.owners(state) == {f"tcp-any-{free + 1}": ONE}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("wanted", ["", "that"])
def test_a_process_of_the_host_has_it(state: str, address: str, wanted: str) -> None:
    """It is named; a port on every address is in use where it is on one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        number = server.getsockname()[1]
        with pytest.raises(Conflict) as raised:
            claim(state, f"[{address}]:{number}:80" if wanted else f"{number}:80")
    assert f"(pid {os.getpid()}) has that port" in raised.value.why
    assert ports.owners(state) == {}


def test_ipv4_and_ipv6_apart(state: str) -> None:
    """A process that listens on IPv4 leaves the same port of IPv6 to others."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        number = server.getsockname()[1]
        assert claim(state, f"[::]:{number}:80")
        with pytest.raises(Conflict):
            claim(state, f"0.0.0.0:{number}:80")


def test_a_udp_socket_of_the_host(state: str) -> None:
    """Datagram sockets do not listen; they are bound, and that is enough."""
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        number = server.getsockname()[1]
        with pytest.raises(Conflict, match=rf"\(pid {os.getpid()}\)"):
            claim(state, f"{number}:53/udp")
        assert claim(state, f"{number}:53/tcp")


def test_connections_of_a_server_that_is_gone_do_not_count(state: str) -> None:
    """They stay in TIME_WAIT for a minute, during which a container could not be started again."""
    server = socket.create_server(("127.0.0.1", 0))
    number = server.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", number))
    accepted, _ = server.accept()
    accepted.close()  # who closes first has the TIME_WAIT
    client.recv(1)
    client.close()
    server.close()
    assert f":{number:04X} " in Path("/proc/net/tcp").read_text()
    assert claim(state, f"{number}:80")


def test_an_address_that_is_not_the_hosts(state: str) -> None:
    """192.0.2.0/24 is nobody's (RFC 5737)."""
    with pytest.raises(NotFound, match=r"does not have the address 192\.0\.2\.1"):
        claim(state, "192.0.2.1:8080:80")


@needs("root")
def test_a_privileged_port(tmp_path: Path) -> None:
    """Not for everybody, and the reason is said."""
    place = tmp_path / "state"
    place.mkdir()
    os.chown(place, 65534, 65534)

    def as_nobody() -> str:
        os.chdir(place)  # above it is root's alone
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        try:
            claim(".", "1:80")
        except MinirunError as error:
            return f"{type(error).__name__} {error}"
        return "taken"

    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 2:
        pytest.skip("this machine lacks: privileged ports")
    said = in_child(as_nobody)
    assert said.startswith(Unsupported.__name__)
    assert "ip_unprivileged_port_start" in said


def test_a_free_one_is_chosen(state: str) -> None:
    """From the dynamic ports, and never the same for two."""
    chosen = [port.host_port for n in range(30) for port in claim(state, "80", str(n))]
    assert len(set(chosen)) == 30
    assert set(chosen) <= set(ports.DYNAMIC)


def test_none_that_is_in_use_is_chosen(state: str, free: int) -> None:
    """Not a container's, not a process's; and those with a number come first."""
    claim(state, f"127.0.0.1:{free}:80", ONE)
    with socket.create_server(("127.0.0.1", free + 1)):
        asked = ports.parse(f"{free}-{free + 3}:80") + ports.parse(f"{free + 2}:81")
        first, second = ports.claim(state, asked, TWO)
        assert (first.host_port, first.host_port_end, first.port) == (free + 3, 0, 80)
        assert second.host_port == free + 2


def test_no_port_is_left(state: str, free: int) -> None:
    """The range is named."""
    claim(state, f"{free}-{free + 1}:80", ONE)
    claim(state, f"{free}-{free + 1}:80", ONE + "x")
    with pytest.raises(Conflict, match=f"all of {free} to {free + 1} are in use"):
        claim(state, f"{free}-{free + 1}:80", TWO)


def test_fifty_want_the_same(state: str, free: int) -> None:
    """One gets it, on whatever address; the others are told who."""

    def work(number: int) -> None:
        where = ("", "127.0.0.1:", "0.0.0.0:")[number % 3]
        try:
            claim(state, f"{where}{free}:80", f"owner{number}")
        except Conflict:
            return
        Path(state, f"won-{number}").touch()

    assert all(together(50, work))
    (won,) = Path(state).glob("won-*")
    assert set(ports.owners(state).values()) == {won.name.replace("won-", "owner")}


def test_overlapping_addresses_at_once(state: str, free: int) -> None:
    """Two names of links, and yet never both: over and over, by one who wants all and one who wants some."""

    def work(number: int) -> None:
        where = ("", "127.0.0.1:")[number]
        for _ in range(400):
            try:
                claim(state, f"{where}{free}:80", str(number))
            except Conflict:
                continue
            assert set(ports.owners(state).values()) == {str(number)}
            ports.release(state, str(number))

    assert all(together(2, work))


def test_fifty_want_any(state: str) -> None:
    """Each gets its own two, though all take and give back at once."""

    def work(number: int) -> None:
        for _ in range(3):
            claim(state, "80-81", f"owner{number}")
            ports.release(state, f"owner{number}")
        claim(state, "80-81", f"owner{number}")

    assert all(together(50, work))
    owners = ports.owners(state)
    assert len(owners) == 100
    assert {owner: list(owners.values()).count(owner) for owner in owners.values()} == {
        f"owner{number}": 2 for number in range(50)
    }
