"""Somebody flushes the host's rules: published ports come back, and only of those who still have them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from minirun.linux import process
from minirun.network import ports, published, table
from minirun.spec import Port
from tests.kernel.wires import Place
from tests.leaks import wait_for
from tests.needs import needs

pytestmark = needs("root", "nft")

ONE, TWO = "1" * 64, "2" * 64
WEB = ["10.88.0.2/16", "fd88::2/64"]
NAMES = ["10.88.0.3/16"]


@pytest.fixture
def place() -> Iterator[Place]:
    """An empty network namespace."""
    made = Place()
    yield made
    made.close()


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("state"))


def start(state: str, owner: str, addresses: list[str], *words: str) -> None:
    """What a start does: claim, and then publish."""
    asked = [port for word in words for port in ports.parse(word)]
    taken = ports.claim(state, asked, owner, addresses)
    published.publish(taken, [address.partition("/")[0] for address in addresses])


def flushed(place: Place) -> None:
    """As an administrator does it, or a firewall that starts."""
    place.run("nft", "flush", "ruleset")
    assert place(table.ensure)
    assert place(table.published) == []


def test_all_that_was_published_comes_back(place: Place, state: str) -> None:
    """Of every kind and family; and a second time there is nothing to do."""
    with place.inside():
        table.ensure()
        start(state, ONE, WEB, "8080:80", "[::]:5353:53/udp", "127.0.0.1:8000-8002:8000-8002")
        start(state, TWO, NAMES, "53:53/udp")
        before = table.published()
    assert len(before) == 7
    flushed(place)
    with place.inside():
        ports.restore(state)
        assert table.published() == before
        ports.restore(state)
        assert table.published() == before


def test_cut_off_in_the_middle_it_goes_on(place: Place, state: str) -> None:
    """What is there already is no obstacle: whoever comes next does the rest."""
    with place.inside():
        table.ensure()
        start(state, ONE, WEB, "8080:80")
        start(state, TWO, NAMES, "8081:80")
        before = table.published()
    flushed(place)
    with place.inside():
        published.publish([Port(host_port=8080, port=80)], ["10.88.0.2"])
        ports.restore(state)
        assert table.published() == before


def test_who_has_ended_is_not_published_again(place: Place, state: str) -> None:
    """Nor who claims a port without having addresses."""
    with place.inside():
        table.ensure()
        start(state, ONE, WEB, "8080:80")
        ports.claim(state, ports.parse("8081:80"), TWO)
        flushed(place)
        ports.release(state, ONE)
        ports.restore(state)
        assert table.published() == []


def test_a_start_that_comes_after_finds_its_port_published(place: Place, state: str) -> None:
    """It was claimed when the table was restored; that it leads there already is what it wants."""
    with place.inside():
        table.ensure()
        taken = ports.claim(state, ports.parse("8080:80"), ONE, WEB)
        ports.restore(state)
        published.publish(taken, ["10.88.0.2", "fd88::2"])
        assert len(table.published()) == 2


def test_a_start_that_dies_after_gives_back_what_it_never_published(place: Place, state: str) -> None:
    """By whoever sweeps, who knows nothing but its id."""
    with place.inside():
        table.ensure()
        ports.claim(state, ports.parse("8080:80"), ONE, WEB)
        start(state, TWO, NAMES, "8081:80")
        ports.restore(state)
        ports.release(state, ONE)
        assert [port.host_port for port, _ in table.published()] == [8081]
    assert set(ports.owners(state).values()) == {TWO}


def test_what_leads_elsewhere_by_now_is_left_alone(place: Place, state: str) -> None:
    """Somebody with another --state was faster; the others come back."""
    with place.inside():
        table.ensure()
        start(state, ONE, NAMES, "8080:80", "8081:80")
        flushed(place)
        published.publish([Port(host_port=8080, port=80)], ["10.89.0.9"])
        ports.restore(state)
        assert [(port.host_port, address) for port, address in table.published()] == [
            (8080, "10.89.0.9"),
            (8081, "10.88.0.3"),
        ]
        ports.release(state, ONE)
        assert [address for _, address in table.published()] == ["10.89.0.9"]


def test_what_could_not_be_published_is_given_back_all_the_same(place: Place, state: str) -> None:
    """An address of a family that the owner lacks: its start was refused, and it is in nobody's way."""
    with place.inside():
        table.ensure()
        ports.claim(state, ports.parse("[::]:8080:80") + ports.parse("8081:80"), ONE, NAMES)
        start(state, TWO, WEB, "8082:80")
        ports.restore(state)
        assert {port.host_port for port, _ in table.published()} == {8081, 8082}
        ports.release(state, ONE)
        assert {port.host_port for port, _ in table.published()} == {8082}
    assert set(ports.owners(state).values()) == {TWO}


def test_nothing_claimed(place: Place, state: str) -> None:
    with place.inside():
        table.ensure()
        ports.restore(state)
        assert table.published() == []
    assert os.listdir(state) == []


def test_a_container_ends_while_it_is_restored(
    place: Place, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No port outlives its claim, or it would lead to whoever has the address next.

    Its element is out, its link is still there: who restores now has to wait.
    """
    unpublish = published.unpublish
    pids = []

    def restore() -> None:
        os.closerange(3, 1000)  # a lock is held by each copy of its descriptor
        ports.restore(state)

    def and_somebody_restores(taken: Sequence[Port], addresses: Sequence[str]) -> None:
        unpublish(taken, addresses)
        pids.append(process.fork(restore))
        wait_for(lambda: set() if waits_for_a_lock(pids[0]) or has_ended(pids[0]) else {"it is at work"})

    monkeypatch.setattr(published, "unpublish", and_somebody_restores)
    with place.inside():
        table.ensure()
        start(state, ONE, WEB, "8080:80")
        start(state, TWO, NAMES, "8081:80")
        flushed(place)
        ports.release(state, ONE)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        assert [port.host_port for port, _ in table.published()] == [8081]
    assert codes == [0]
    assert ports.owners(state) == {"tcp-any-8081": TWO}


def waits_for_a_lock(pid: int) -> bool:
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(line[1] == "->" and line[5] == str(pid) for line in lines)


def has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
