"""SIGKILL at every network step of a start, and every network step failing: nothing is left.

No cable, address, port, element of the table, name, line in a neighbour's
/etc/hosts, and nothing of what any container has. The machinery is that of the
other steps: tests/lifecycle/attempts.py.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.container.gc import gc
from minirun.container.remove import remove
from minirun.container.state import Home, Store
from minirun.linux import netlink
from minirun.network import bridge, networks
from minirun.values import replace
from tests.conftest import Minirun
from tests.lifecycle import attempts
from tests.lifecycle.interruptions import COMMAND, HOST_SIDE, Killer, each_moment, interrupted
from tests.lifecycle.test_bookkeeping_faults import removed_when_killed
from tests.lifecycle.test_errors_at_steps import walk_failing
from tests.lifecycle.test_faults import KILLS, marks, store, walk  # noqa: F401  (fixtures)
from tests.needs import needs

pytestmark = needs("root", "overlay", "userns", "memory", "pids", "nft")

CHAPTER = "08"


@pytest.fixture
def faulty(minirun: Minirun, store: Store) -> Iterator[Store]:
    """The store with a network of both families that nobody is on."""
    minirun("network", "create", "--ipv6", "faulty", check=True)
    yield store
    minirun.remove_all()
    minirun("network", "rm", "faulty", check=True)


@pytest.fixture
def neighbour(minirun: Minirun, faulty: Store) -> Iterator[None]:
    """A container on the same network; afterwards it must have what it had."""
    flags = ("--name", "neighbour", "--network", "faulty", "-p", "7")
    minirun("run", "-d", *flags, "busybox", "sleep", "1000", check=True)
    script = "grep -v '^#' /etc/hosts; ip -o addr show dev eth0 | awk '{print $4}'; ip route"
    look = ("exec", "neighbour", "sh", "-c", script)
    before = minirun(*look, check=True).stdout, minirun("port", "neighbour", check=True).stdout
    yield
    assert before == (minirun(*look, check=True).stdout, minirun("port", "neighbour", check=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize(("whom", "moments"), KILLS.items(), ids=KILLS)
def test_killed_at_any_network_step(
    faulty: Store,
    neighbour: None,
    marks: Path,
    whom: str,
    moments: tuple[str, ...],
) -> None:
    walk(faulty, replace(attempts.wired(marks), rm=True), marks, whom, moments, CHAPTER)


@pytest.mark.slow
def test_killed_at_any_other_step(faulty: Store, neighbour: None, marks: Path) -> None:
    """What was taken before the plan began is given back whichever step is the last."""
    walk(faulty, replace(attempts.wired(marks), rm=True), marks, "all", ("before",))


@pytest.mark.slow
def test_a_failing_step_is_undone(faulty: Store, neighbour: None, marks: Path) -> None:
    """By the creator itself: nobody calls gc. Its calls are made, and then it fails."""
    walk_failing(faulty, replace(attempts.wired(marks), rm=True), marks, "after", errno.ENOSPC)


@pytest.mark.slow
def test_killed_between_changes_to_files(faulty: Store, neighbour: None, marks: Path) -> None:
    """Between an address and its port, and between a port and its name: no plan has these moments."""
    options = replace(attempts.wired(marks), rm=True)

    def run() -> int:
        return attempts.as_the_command(faulty, options)

    assert attempts.finished(run).code == 0
    count = Killer()
    assert interrupted(run, count).code == 0
    clean = attempts.traces(faulty)
    wrong = []
    for side in (COMMAND, HOST_SIDE):
        assert count.count(side) > 10
        for killer in each_moment(side, count.count(side), both=side == HOST_SIDE):
            interrupted(run, killer)
            swept = gc(faulty)
            if left := attempts.traces(faulty) - clean:
                wrong.append(f"{side} {killer.at}: left {sorted(left)}; gc said {swept}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_killed_while_it_removes(faulty: Store, neighbour: None, marks: Path) -> None:
    """rm -f of a running one gives all back, whoever finishes it."""
    options = replace(attempts.wired(marks), detach=True, command=("sleep", "1000"))

    def make() -> Home:
        pid, _ = attempts.forked(lambda: attempts.as_the_command(faulty, options))
        assert attempts.exit_code_of(pid) == 0
        return faulty.find("disturbed")

    removed_when_killed(faulty, make, lambda home: remove(home, force=True, volumes=True))


@pytest.mark.slow
def test_killed_while_it_makes_the_bridge(
    faulty: Store,
    marks: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A half-made (or half-removed) one is made whole by the next start, which works.

    It belongs to the network and not to a container, so gc is not who does it.
    """
    options = replace(attempts.wired(marks), rm=True)
    network = networks.find(faulty.root, "faulty")
    real = netlink.Socket.send

    def send(self: netlink.Socket, messages: list[tuple[int, int, bytes]]) -> None:
        sys.audit("netlink.send")  # one more moment
        real(self, messages)

    def anew() -> int:
        bridge.remove(network, faulty.state)
        bridge.ensure(network, faulty.state)
        return 0

    def run() -> int:
        return attempts.as_the_command(faulty, options)

    monkeypatch.setattr(netlink.Socket, "send", send)
    count = Killer()
    assert interrupted(anew, count).code == 0
    assert count.count(COMMAND) > 20
    assert attempts.finished(run).code == 0
    clean = attempts.traces(faulty)
    killed = 0
    for killer in each_moment(COMMAND, count.count(COMMAND)):
        code = interrupted(anew, killer).code
        assert code in (-9, 0), killer.at  # fewer moments, once another store has made the table
        killed += code == -9
        ended = attempts.finished(run)
        assert (ended.code, attempts.traces(faulty) - clean) == (0, set()), (killer.at, ended)
    assert killed > 10
