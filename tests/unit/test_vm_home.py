"""The directories of machines: names, who is alive, and what a killed command leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minirun.container.state import Store
from minirun.errors import Conflict, MinirunError, NotFound
from minirun.linux.process import start_time
from minirun.vm import home
from minirun.vm.home import Home, Record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(root=str(tmp_path / "root"), state=str(tmp_path / "state"))


def alive(own: Home, name: str, created: str = "2026-01-01T00:00:00Z") -> Record:
    """A record whose hypervisor is this process."""
    pid = os.getpid()
    record = Record(id=own.id, name=name, created=created, pid=pid, startTime=start_time(pid))
    own.write(record)
    return record


def test_a_machine_leaves_nothing(store: Store) -> None:
    own, name = home.reserve(store, "one")
    with own:
        assert name == "one" and os.path.isdir(own.path)
        record = alive(own, name)
        assert [found for _, found in home.running(store.state)] == [record]
    assert os.listdir(f"{store.state}/vms") == ["names"] and not os.listdir(f"{store.state}/vms/names")


def test_a_name_is_one_machines_at_a_time(store: Store) -> None:
    own, _ = home.reserve(store, "one")
    with own:
        with pytest.raises(Conflict, match="the name 'one' is in use"):
            home.reserve(store, "one")
        assert os.listdir(f"{store.state}/vms/names") == ["one"]
        assert sorted(os.listdir(f"{store.state}/vms")) == sorted([own.id, "names"])
    again, _ = home.reserve(store, "one")
    again.remove()


@pytest.mark.parametrize("name", ["", "a/b", "..", "x y", "-x"])
def test_names(store: Store, name: str) -> None:
    """An empty one is invented; what could not be one is refused, and nothing is left."""
    if not name:
        own, found = home.reserve(store, "")
        own.remove()
        assert len(found) > 2
    else:
        with pytest.raises(MinirunError):
            home.reserve(store, name)
    assert os.listdir(f"{store.state}/vms") == ["names"]


def test_find_by_name_id_and_the_beginning_of_it(store: Store) -> None:
    first, _ = home.reserve(store, "first")
    second, _ = home.reserve(store, "second")
    with first, second:
        alive(first, "first")
        alive(second, "second", "2026-01-02T00:00:00Z")
        assert [record.name for _, record in home.running(store.state)] == ["second", "first"]
        for wanted in ("first", first.id, first.id[:12]):
            assert home.find(store.state, wanted)[0].id == first.id
        for wanted in ("third", ""):
            with pytest.raises(NotFound):
                home.find(store.state, wanted)


def test_a_dead_hypervisor_does_not_run(store: Store) -> None:
    """Nor does another process that has got its number."""
    own, _ = home.reserve(store, "one")
    with own:
        assert not own.is_alive() and home.running(store.state) == []  # there is no record yet
        record = alive(own, "one")
        assert own.is_alive()
        own.write(Record(id=own.id, name="one", pid=record.pid, startTime=record.startTime - 1))
        assert not own.is_alive() and home.running(store.state) == []


def test_the_ruin_of_a_killed_command_is_swept(store: Store) -> None:
    """Its lock is free; one that is held is left alone."""
    program = f"""
import os
from minirun.container.state import Store
from minirun.vm import home
own, _ = home.reserve(Store(root={store.root!r}, state={store.state!r}), "ruin")
os.mkdir(own.path + "/root")
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False
    )
    assert done.returncode == -9
    assert os.listdir(f"{store.state}/vms/names") == ["ruin"]
    own, _ = home.reserve(store, "one")  # which sweeps, too
    with own:
        assert os.listdir(f"{store.state}/vms/names") == ["one"]
        assert home.sweep(store.state) == []
        assert os.path.isdir(own.path)


def test_sweeping_what_is_not_there(tmp_path: Path) -> None:
    assert home.sweep(str(tmp_path / "nothing")) == [] and home.running(str(tmp_path / "nothing")) == []
