"""A store with busybox and a kernel, for ``minirun vm`` as a user types it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Minirun
from tests.patience import PATIENCE


@pytest.fixture
def vm(machines: Minirun) -> Iterator[Minirun]:
    """``vm("vm", "run", "busybox", "true")``: the result as subprocess.run has it.

    The machines that the test leaves are ended after it: those of commands that
    the test did not wait for.
    """
    before = running(machines)
    yield machines
    if left := running(machines) - before:
        machines("vm", "stop", "-t", "0", *left)
        machines("gc", check=True)  # those whose command was killed


def running(minirun: Minirun) -> set[str]:
    """The directories of the machines that run, and of those that were not cleared up."""
    place = minirun.state / "vms"
    return set(os.listdir(place)) - {"names"} if place.is_dir() else set()


@pytest.fixture(scope="module")
def box(machines: Minirun) -> Iterator[Minirun]:
    """A machine called ``box`` that runs while this module's tests do; its shell has two children."""
    script = "sleep 4001 & sleep 4002 & echo ready; wait"
    process = machines.popen(
        *("vm", "run", "--name", "box", "--cpus", "2", "-p", "127.0.0.1::80", "busybox", "sh", "-c", script),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    yield machines
    machines("vm", "stop", "-t", "0", "box")
    process.communicate(timeout=PATIENCE)
