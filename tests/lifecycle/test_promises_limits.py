"""Each limit bites, and the kernel's files say what was asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.leaks import wait_for
from tests.lifecycle import proc
from tests.needs import needs

pytestmark = pytest.mark.bed

RUN = ("run", "--rm", "--network", "none")


@pytest.mark.slow
@needs("root", "overlay", "memory", "cpu", "pids", "cpuset")
def test_what_the_kernel_was_told(minirun: Minirun) -> None:
    """Whichever version of cgroups has the controller: the same promise, in its words."""
    flags = [
        *["-m", "64m", "--memory-swap", "64m", "--memory-reservation", "32m", "--cpus", "0.5"],
        *["--cpu-shares", "512", "--pids-limit", "20", "--cpuset-cpus", "0", "--cpuset-mems", "0"],
    ]
    pid = proc.start(minirun, "limited", *flags)
    groups = proc.groups(pid)
    expected = {
        "memory": {
            "memory.limit_in_bytes": "67108864",
            "memory.memsw.limit_in_bytes": "67108864",
            "memory.soft_limit_in_bytes": "33554432",
        },
        "cpu": {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.shares": "512"},
        "pids": {"pids.max": "20"},
        "cpuset": {"cpuset.cpus": "0", "cpuset.mems": "0"},
        "": {
            "memory.max": "67108864",
            "memory.swap.max": "0",
            "memory.low": "33554432",
            "cpu.max": "50000 100000",
            "pids.max": "20",
            "cpuset.cpus": "0",
            "cpuset.mems": "0",
        },
    }
    checked = 0
    for controller, files in expected.items():
        for file, value in files.items():
            place = Path(groups.get(controller, "/nowhere"), file)
            if place.exists():
                assert place.read_text().strip() == value, file
                checked += 1
    assert checked >= 7
    seen = proc.status(pid)
    assert (seen["Cpus_allowed_list"], seen["Mems_allowed_list"]) == ("0", "0")
    # It stands in a group of its own, and so does what exec brings.
    assert all(
        "/minirun/" in group for name, group in groups.items() if name in ("", "memory", "pids", "cpu")
    )
    assert proc.inside(minirun, "limited", "nproc") == ["1"]


@pytest.mark.slow
@needs("root", "overlay", "memory")
def test_memory_ends_in_137_and_says_so(minirun: Minirun) -> None:
    done = minirun(*RUN, "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c", "tail /dev/zero")
    assert done.returncode == 137
    assert "ran out of memory" in done.stderr
    assert "--memory" in done.stderr
    assert minirun(*RUN, "-m", "64m", "busybox", "true").returncode == 0


@needs("root", "overlay", "pids")
def test_processes_are_counted(minirun: Minirun) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done; wait"
    done = minirun(*RUN, "--pids-limit", "5", "busybox", "sh", "-c", script)
    assert done.returncode != 0
    assert "Resource temporarily unavailable" in done.stderr


@pytest.mark.slow
@needs("root", "overlay", "cpu")
def test_cpu_time_is_rationed(minirun: Minirun) -> None:
    """Until the scheduler has held the container back a few times, and no longer than that takes."""
    pid = proc.start(minirun, "busy", "--cpus", "0.1", command=("sh", "-c", "while :; do :; done"))
    group = proc.groups(pid)
    file = Path(group.get("cpu", group.get("", "")), "cpu.stat")

    def throttled() -> int:
        return int(dict(line.split() for line in file.read_text().splitlines())["nr_throttled"])

    _wait_until(lambda: throttled() >= 3)


@needs("root", "overlay", "cpu")
def test_a_limit_that_cannot_be_had_is_refused(minirun: Minirun) -> None:
    done = minirun(*RUN, "--cpuset-cpus", str((os.cpu_count() or 1) + 900), "busybox", "true")
    assert done.returncode == 125
    assert "why:" in done.stderr
    assert minirun("ps", "-aq").stdout == ""


@pytest.mark.slow
@needs("root", "overlay")
def test_what_is_killed_with_the_container(minirun: Minirun) -> None:
    """A process that left PID 1's session and hides in another PID namespace dies too: by the group."""
    pid = proc.start(
        minirun, "host-pids", "--pid", "host", command=("sh", "-c", "setsid sleep 2000 & exec sleep 1000")
    )
    procs = Path(
        next(iter(group for name, group in proc.groups(pid).items() if name in ("", "pids"))), "cgroup.procs"
    )
    _wait_until(lambda: len(procs.read_text().split()) == 2)
    left = [int(each) for each in procs.read_text().split()]
    minirun("kill", "host-pids", check=True)
    minirun("wait", "host-pids", check=True)
    assert not wait_for(
        lambda: {str(each) for each in left if os.path.exists(f"/proc/{each}") and _alive(each)}
    )


def _alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(state.stdout.strip()) and not state.stdout.startswith("Z")


def _wait_until(condition: Callable[[], bool]) -> None:
    assert not wait_for(lambda: set() if condition() else {"not yet"})
