"""CPU time, CPUs and processes in cgroup v2, by what the scheduler and fork(2) do."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.errors import Unsupported
from minirun.isolation import cgroups
from minirun.spec import Cpu, Pids
from tests.kernel.groups import Container, Groups, burning, until

pytestmark = pytest.mark.bed


@pytest.fixture
def make() -> Iterator[Callable[..., Container]]:
    """Makes a group with some resources; removes it after the test."""
    with Groups() as groups:
        yield groups.make


def test_max_is_kept_over_a_second(make: Callable[..., Container]) -> None:
    """30 of 100 ms: about 300 ms in 10 periods (less if the guest itself waits), throttled in nearly each."""
    container = make(cpu=Cpu(quota=30000, period=100000))
    assert container.text("cpu.max") == "30000 100000"
    container.start(burning)
    until(lambda: container.count("cpu.stat", "nr_throttled") > 0)
    before, begun = container.count("cpu.stat", "usage_usec"), time.monotonic()
    time.sleep(1)  # the time over which it is measured
    used, seconds = container.count("cpu.stat", "usage_usec") - before, time.monotonic() - begun
    assert 0.05 < used / 1e6 / seconds < 0.4
    assert container.count("cpu.stat", "nr_throttled") >= 4
    assert container.count("cpu.stat", "throttled_usec") > 200_000


def test_weights_share_a_busy_cpu(make: Callable[..., Container]) -> None:
    light, heavy = make(cpu=Cpu(shares=1024, cpus="0")), make(cpu=Cpu(shares=4096, cpus="0"))
    assert [each.text("cpu.weight") for each in (light, heavy)] == ["100", "303"]
    for each in (light, heavy):
        each.start(burning)
    until(lambda: all(cgroups.processes(each.directories) for each in (light, heavy)))
    before = [each.count("cpu.stat", "usage_usec") for each in (light, heavy)]
    time.sleep(1.5)  # the time over which it is measured
    used = [each.count("cpu.stat", "usage_usec") for each in (light, heavy)]
    few, many = (after - start for after, start in zip(used, before, strict=True))
    assert 2 < many / few < 4.5, (few, many)


def test_the_cpus_are_the_chosen_ones(make: Callable[..., Container]) -> None:
    container = make(cpu=Cpu(cpus="1", mems="0"))
    assert container.text("cpuset.cpus.effective") == "1"
    assert container.text("cpuset.mems.effective") == "0"
    assert container.run(lambda: 7 if os.sched_getaffinity(0) == {1} else 1) == 7

    def escape() -> int:
        try:
            os.sched_setaffinity(0, {0})
        except OSError as error:
            return error.errno or 0
        return 0

    assert container.run(escape) == errno.EINVAL


def test_cpus_that_the_group_above_lacks_are_refused(make: Callable[..., Container]) -> None:
    """v2 would take the words, and give the processes other CPUs than they say."""
    above = make(cpu=Cpu(cpus="0"))
    below = above.spec.linux.cgroupsPath
    for cpus in ("1", "0-1"):
        with pytest.raises(Unsupported, match="CPU"):
            make(below=below, cpu=Cpu(cpus=cpus))
    assert make(below=below, cpu=Cpu(cpus="0")).text("cpuset.cpus.effective") == "0"


def test_a_fork_bomb_meets_the_limit(make: Callable[..., Container]) -> None:
    def bomb() -> int:
        while True:
            try:
                os.fork()
            except OSError:
                continue

    container = make(pids=Pids(limit=16))
    pid = container.start(bomb)
    until(lambda: container.count("pids.events", "max") > 0)
    assert int(container.text("pids.current")) <= 16
    assert len(cgroups.processes(container.directories)) <= 16
    cgroups.kill(container.directories)
    assert container.wait(pid) == -signal.SIGKILL
    until(lambda: container.text("pids.current") == "0")
    assert "populated 0" in container.text("cgroup.events")


def test_many_groups_can_be_forbidden(make: Callable[..., Container]) -> None:
    container = make(unified={"cgroup.max.descendants": "1"})
    one, two = container.file("one"), container.file("two")
    one.mkdir()
    with pytest.raises(OSError) as full:
        two.mkdir()
    assert full.value.errno == errno.EAGAIN
    assert Path(container.file("cgroup.stat")).read_text().startswith("nr_descendants 1")
