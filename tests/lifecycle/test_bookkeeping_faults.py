"""SIGKILL between any two changes to minirun's own files: gc finds what is left.

Creation, removal, what follows a --rm container's end, a second start, and the
sweep itself. What kills is in interruptions.py.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from minirun.container import after
from minirun.container.gc import gc
from minirun.container.options import Options
from minirun.container.remove import remove
from minirun.container.state import Home, Store
from minirun.values import replace
from tests import leaks
from tests.lifecycle import attempts
from tests.lifecycle.interruptions import COMMAND, HOST_SIDE, Killer, each_moment, interrupted
from tests.lifecycle.test_faults import bystander, marks, store  # noqa: F401  (fixtures)
from tests.needs import needs

pytestmark = needs("root", "overlay", "userns", "memory", "pids")


def options_of(marks: Path) -> Options:
    """A name, a range of ids, and volumes with and without a name: all that can be left."""
    return replace(attempts.plain(marks), userns="private", rm=True)


def test_killed_while_it_creates(store: Store, bystander: int, marks: Path) -> None:
    """The command, the host side, and both at once."""
    options = options_of(marks)

    def run() -> int:
        return attempts.as_the_command(store, options)

    assert attempts.finished(run).code == 0  # makes what is made once: the named volume, the filter
    count = Killer()
    assert interrupted(run, count).code == 0
    clean = attempts.traces(store)
    for side, both in ((COMMAND, False), (HOST_SIDE, False), (HOST_SIDE, True)):
        assert count.count(side) > 10
        for killer in each_moment(side, count.count(side), both):
            interrupted(run, killer)
            swept = gc(store)
            assert attempts.traces(store) - clean == set(), (side, killer.at, swept)


def test_killed_while_it_removes(store: Store, bystander: int, marks: Path) -> None:
    """rm of an ended container, and rm -f of a running one."""
    removed_when_killed(store, ended(store, marks), lambda home: remove(home, volumes=True))
    removed_when_killed(store, running(store, marks), lambda home: remove(home, force=True, volumes=True))


def test_killed_while_it_removes_all_but_the_volumes(store: Store, marks: Path) -> None:
    """rm without -v: gc finishes what was asked for, and no more."""
    make = ended(store, marks)
    count = Killer()
    home = make()
    assert interrupted(lambda: done(remove, home), count).code == 0
    for killer in each_moment(COMMAND, count.count(COMMAND)):
        home = make()
        (volume,) = home.record().anonymousVolumes
        interrupted(lambda home=home: done(remove, home), killer)
        gc(store)
        assert os.path.isdir(f"{store.root}/volumes/{volume}"), killer.at
        if home.exists():
            remove(home)
        shutil.rmtree(f"{store.root}/volumes/{volume}")
    assert store.ids() == []


def test_killed_after_a_container_with_rm(store: Store, bystander: int, marks: Path) -> None:
    """What the monitor becomes, or the command that took it over."""
    removed_when_killed(store, ended(store, marks), after.remove_ended)


def test_killed_while_it_sweeps(store: Store, bystander: int, marks: Path) -> None:
    """A sweep that is cut off is swept by the next one."""
    options = options_of(marks)
    plan = attempts.plan_of(store, options)
    gate = next(number for number, step in enumerate(plan, 1) if step.title == "wait at the gate")

    def ruin() -> Home:
        attempts.disturbed(store, options, gate - 1, "before", "all")
        return store.container(attempts.last_id())

    removed_when_killed(store, ruin, lambda home: gc(home.store))


def removed_when_killed(store: Store, make: Callable[[], Home], removal: Callable[[Home], object]) -> None:
    """Kills ``removal`` of what ``make`` makes at each moment; once begun it is finished by gc."""
    make_once = make()
    count = Killer()
    assert interrupted(lambda: done(removal, make_once), count).code == 0
    clean = attempts.traces(store)
    assert make_once.id not in store.ids()
    for killer in each_moment(COMMAND, count.count(COMMAND)):
        home = make()
        interrupted(lambda home=home: done(removal, home), killer)
        swept = gc(store)
        if home.exists():  # killed before it began
            remove(home, force=True, volumes=True)
        assert leaks.wait_for(lambda: _left(store, clean)) == set(), (killer.at, swept)


def _left(store: Store, clean: set[str]) -> set[str]:
    """A monitor that has networks to give back may be about to end: until then gc leaves it all to that."""
    left = attempts.traces(store) - clean
    if left:
        gc(store)
    return left


def done(removal: Callable[[Home], object], home: Home) -> int:
    """An exit code."""
    removal(home)
    return 0


def ended(store: Store, marks: Path) -> Callable[[], Home]:
    """Makes containers that have run to their end."""
    options = replace(options_of(marks), rm=False)

    def make() -> Home:
        assert attempts.finished(lambda: attempts.as_the_command(store, options)).code == 0
        return store.find("disturbed")

    return make


def running(store: Store, marks: Path) -> Callable[[], Home]:
    """Makes containers that run."""
    options = replace(options_of(marks), rm=False, detach=True, command=("sleep", "1000"))

    def make() -> Home:
        pid, _ = attempts.forked(lambda: attempts.as_the_command(store, options))
        assert attempts.exit_code_of(pid) == 0
        return store.find("disturbed")

    return make
