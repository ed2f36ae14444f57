"""A group is made although those above it come and go with the groups of others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minirun.errors import StepFailed
from minirun.isolation import cgroups
from minirun.isolation.cgroups import making
from minirun.linux import cgroup, process
from minirun.spec import Pids, Resources
from minirun.steps import HOST, Call, Step
from tests.kernel.groups import HERE
from tests.needs import needs

pytestmark = [needs("root", "pids"), pytest.mark.bed]

TRIALS = 100


def test_a_parent_that_others_remove_is_made_anew() -> None:
    """Somebody's last container ends all the time, and takes the group above it with it."""
    top = f"/minirun/minirun-test-{os.getpid()}"
    limits = Resources(pids=Pids(limit=7))
    made = cgroups.group(f"{top}/own", limits, HERE)

    def others() -> None:
        process.die_with_parent()
        while True:
            cgroups.remove_parents(made.directories)

    pid = process.fork(others)
    try:
        for _ in range(TRIALS):
            cgroups.make(f"{top}/own", limits, HERE)
            _, directory = made.directory("pids")
            assert Path(directory, "pids.max").read_text() == "7\n"
            cgroups.remove(made.directories)
    finally:
        process.kill_and_reap(pid)
        cgroups.remove([place for place in made.directories if os.path.isdir(place)])
        cgroups.remove_parents(made.directories)


def test_a_parent_that_is_never_there_is_an_error(tmp_path: Path) -> None:
    """Nobody tries for ever."""
    plans = []

    def plan() -> list[Step]:
        plans.append([Step("make it", Call(cgroup.mkdir, f"{tmp_path}/gone/own"), why="", side=HOST)])
        return plans[-1]

    with pytest.raises(StepFailed, match="cannot make it"):
        making.walked(plan)
    assert len(plans) == making.TRIES
