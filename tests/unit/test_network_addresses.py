"""Who has which address: nobody has another's."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
from pathlib import Path

import pytest

from minirun.errors import Conflict, InvalidInput
from minirun.network import addresses
from minirun.network.networks import Network, Subnet
from tests.patience import until


def network(*cidrs: str, ip_range: str = "", gateway: str = "") -> Network:
    """A network of these subnets; range and gateway are the first one's."""
    made = []
    for place, cidr in enumerate(cidrs):
        first = str(ipaddress.ip_network(cidr)[1])
        made.append(
            Subnet(
                cidr=cidr,
                gateway=first if place else gateway or first,
                ip_range="" if place else ip_range,
            )
        )
    return Network(name="web", id="ab" * 32, bridge="mr-web", subnets=tuple(made))


def take(state: Path, net: Network, owner: str, *wanted: str) -> list[str]:
    return list(addresses.take(str(state), net, owner, wanted))


def test_one_of_each_subnet(tmp_path: Path) -> None:
    net = network("10.1.0.0/16", "fd12::/64")
    assert take(tmp_path, net, "a") == ["10.1.0.2/16", "fd12::2/64"]
    assert take(tmp_path, net, "b") == ["10.1.0.3/16", "fd12::3/64"]
    assert addresses.owners(str(tmp_path), "web") == {
        "10.1.0.2": "a",
        "fd12::2": "a",
        "10.1.0.3": "b",
        "fd12::3": "b",
    }


def test_what_is_given_back_is_not_given_at_once(tmp_path: Path) -> None:
    """Its neighbours may remember who had it."""
    net = network("10.1.0.0/29")
    assert take(tmp_path, net, "a") == ["10.1.0.2/29"]
    addresses.release(str(tmp_path), "web", "a")
    found = [take(tmp_path, net, owner)[0] for owner in "bcdef"]
    assert found == ["10.1.0.3/29", "10.1.0.4/29", "10.1.0.5/29", "10.1.0.6/29", "10.1.0.2/29"]


def test_when_all_are_taken(tmp_path: Path) -> None:
    """All but the subnet's own address, the gateway's and the broadcast address."""
    net = network("10.1.0.0/29", gateway="10.1.0.4")
    found = {take(tmp_path, net, str(number))[0] for number in range(5)}
    assert found == {f"10.1.0.{last}/29" for last in (1, 2, 3, 5, 6)}
    with pytest.raises(Conflict, match="no address is left in network web"):
        take(tmp_path, net, "one too many")
    addresses.release(str(tmp_path), "web", "2")
    assert take(tmp_path, net, "next") == ["10.1.0.3/29"]


def test_if_one_subnet_is_full_nothing_is_taken_of_the_other(tmp_path: Path) -> None:
    net = network("10.1.0.0/24", "fd12::/126")
    for owner in "ab":
        take(tmp_path, net, owner)
    before = addresses.owners(str(tmp_path), "web")
    with pytest.raises(Conflict, match="fd12::/126"):
        take(tmp_path, net, "c")
    assert addresses.owners(str(tmp_path), "web") == before


def test_only_of_the_range(tmp_path: Path) -> None:
    net = network("10.1.0.0/24", ip_range="10.1.0.8/30")
    found = [take(tmp_path, net, owner)[0] for owner in "abcd"]
    assert found == ["10.1.0.8/24", "10.1.0.9/24", "10.1.0.10/24", "10.1.0.11/24"]
    with pytest.raises(Conflict, match="no address is left"):
        take(tmp_path, net, "e")


def test_ipv6_has_no_broadcast_address(tmp_path: Path) -> None:
    net = network("fd12::/126")
    assert [take(tmp_path, net, owner)[0] for owner in "ab"] == ["fd12::2/126", "fd12::3/126"]


def test_a_large_subnet(tmp_path: Path) -> None:
    """Nothing counts through it."""
    net = network("10.0.0.0/8", "fd00::/8", ip_range="10.255.255.254/31")
    assert take(tmp_path, net, "a") == ["10.255.255.254/8", "fd00::2/8"]


def test_one_that_is_wanted(tmp_path: Path) -> None:
    net = network("10.1.0.0/16", "fd12::/64", ip_range="10.1.5.0/24")
    assert take(tmp_path, net, "a", "10.1.0.9") == ["10.1.0.9/16", "fd12::2/64"]
    assert take(tmp_path, net, "b", "fd12:0::77", "10.1.0.10") == ["10.1.0.10/16", "fd12::77/64"]
    # What is next does not follow from what was wanted.
    assert take(tmp_path, net, "c") == ["10.1.5.0/16", "fd12::3/64"]


def test_one_that_another_has(tmp_path: Path) -> None:
    net = network("10.1.0.0/16", "fd12::/64")
    take(tmp_path, net, "0123456789abcdef", "10.1.0.9")
    with pytest.raises(Conflict, match=r"10\.1\.0\.9 is taken") as caught:
        take(tmp_path, net, "b", "10.1.0.9")
    assert "0123456789ab has it" in caught.value.why
    with pytest.raises(Conflict, match="fd12::2 is taken"):
        take(tmp_path, net, "b", "fd12::2")
    assert set(addresses.owners(str(tmp_path), "web").values()) == {"0123456789abcdef"}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (["10.2.0.9"], "is not in network web"),
        (["fd13::9"], "is not in network web"),
        (["10.1.0.0"], "cannot be given"),
        (["10.1.255.255"], "cannot be given"),
        (["10.1.0.1"], "its gateway"),
        (["fd12::"], "cannot be given"),
        (["10.1.0.9", "10.1.0.10"], "one subnet"),
        (["10.1.0.9/16"], "not an IP address"),
        (["web"], "not an IP address"),
        ([""], "not an IP address"),
        (["../x"], "not an IP address"),
    ],
)
def test_one_that_cannot_be(tmp_path: Path, wanted: list[str], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        take(tmp_path, network("10.1.0.0/16", "fd12::/64"), "a", *wanted)
    assert says in str(caught.value)
    assert addresses.owners(str(tmp_path), "web") == {}


def test_giving_back(tmp_path: Path) -> None:
    state, net = str(tmp_path), network("10.1.0.0/16", "fd12::/64")
    for owner in "aab":
        take(tmp_path, net, owner)
    addresses.release(state, "web", "a")
    assert set(addresses.owners(state, "web").values()) == {"b"}
    addresses.release(state, "web", "a")
    addresses.release(state, "no-such-network", "a")
    assert not (tmp_path / "networks/no-such-network").exists()
    addresses.release_all(state, "b")
    assert addresses.owners(state, "web") == {}
    addresses.release_all(str(tmp_path / "nothing"), "b")


def test_what_was_last_is_damaged(tmp_path: Path) -> None:
    """A file that a crash has cut off is no reason not to start."""
    net = network("10.1.0.0/16")
    take(tmp_path, net, "a")
    (tmp_path / "networks/web/addresses/.turn").write_bytes(b"10.1.\xff 10.9.0.1")
    assert take(tmp_path, net, "b") == ["10.1.0.3/16"]


def test_fifty_at_once(tmp_path: Path) -> None:
    """Fifty get fifty."""
    net = network("10.1.0.0/24", "fd12::/64")
    reading, writing = os.pipe()
    pids = []
    for number in range(50):
        pid = os.fork()
        if pid == 0:
            try:
                os.close(writing)
                os.read(reading, 1)  # the end of file: all of them begin
                take(tmp_path, net, f"owner{number}")
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    os.close(reading)
    os.close(writing)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 50
    owners = addresses.owners(str(tmp_path), "web")
    v4 = {address: owner for address, owner in owners.items() if "." in address}
    assert set(v4) == {f"10.1.0.{last}" for last in range(2, 52)}
    assert len(set(v4.values())) == 50
    assert len(owners) == 100


def test_the_network_is_removed_while_one_waits(tmp_path: Path) -> None:
    """It does not take an address behind a lock that is nobody's: it begins again."""
    net = network("10.1.0.0/24")
    reading, writing = os.pipe()
    pid = os.fork()  # before the lock is held: a fork would hold it too
    if pid == 0:
        try:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0 if take(tmp_path, net, "late") == ["10.1.0.2/24"] else 1)
        finally:
            os._exit(2)
    os.close(reading)
    with addresses.Turn(str(tmp_path), "web"):
        os.close(writing)
        try:
            _wait_until_it_waits(pid)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        shutil.rmtree(tmp_path / "networks/web")
    assert os.waitpid(pid, 0)[1] == 0
    assert addresses.owners(str(tmp_path), "web") == {"10.1.0.2": "late"}


def _wait_until_it_waits(pid: int) -> None:
    """Until the kernel says that the process is blocked on a lock; proc_locks(5)."""

    def waits() -> bool:
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return any(line[1] == "->" and str(pid) in line for line in lines)

    until("it waits for its turn", waits)
