"""Templates: booted once, restored from then on, and never twice the same."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE, until
from tests.vm.conftest import running

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run")


def keys(vm: Minirun) -> list[str]:
    """The templates that there are."""
    return vm("vm", "template", "ls", "-q", "--no-trunc", check=True).stdout.split()


def inside(vm: Minirun, script: str) -> list[str]:
    """The words that a script says in a machine."""
    return vm(*RUN, "busybox", "sh", "-c", script, check=True).stdout.split()


def test_two_machines_of_one_template_are_not_the_same(vm: Minirun) -> None:
    """Random numbers, seeded anew, and the clock, which had stood still since the template was made."""
    script = "cat /proc/sys/kernel/random/uuid; head -c 99 /dev/urandom | md5sum; date +%s"
    vm(*RUN, "busybox", "true", check=True)
    made = keys(vm)
    before = int(time.time())
    first, second = inside(vm, script), inside(vm, script)
    after = time.time()
    assert keys(vm) == made
    assert first[0] != second[0] and first[1] != second[1]
    assert before <= int(first[-1]) <= int(second[-1]) <= after


def test_ls_rm_and_prune(vm: Minirun) -> None:
    vm("vm", "template", "prune", check=True)
    assert keys(vm) == []
    vm(*RUN, "busybox", "true", check=True)
    (key,) = keys(vm)
    head, row = vm("vm", "template", "ls", check=True).stdout.splitlines()
    assert head.split() == ["KEY", "KERNEL", "MEMORY", "VCPUS", "ACCEL", "NETWORK", "SIZE", "CREATED"]
    assert row.split()[0] == key[:12] and " none " in row and " 256MiB " in row
    done = vm("vm", "template", "rm", "nosuch")
    assert done.returncode == 125 and "no such template: nosuch" in done.stderr
    script = "echo ready; read word; find / -xdev | wc -l >&2; echo $word"
    process = shell.watched(vm, *RUN, "-i", "busybox", "sh", "-c", script, stdin=subprocess.PIPE)
    assert shell.line(process) == "ready"
    assert vm("vm", "template", "rm", key[:6], check=True).stdout == f"{key}\n"
    assert keys(vm) == []  # and the machine that began from it goes on
    out, _ = process.communicate(b"word\n", timeout=PATIENCE)
    assert (process.returncode, out) == (0, b"word\n")


def test_two_first_runs_at_once_make_one(vm: Minirun) -> None:
    """Who comes second waits, and both are served."""
    vm("vm", "template", "prune", check=True)
    many = [shell.watched(vm, *RUN, "busybox", "echo", str(number)) for number in range(3)]
    for number, process in enumerate(many):
        out, said = process.communicate(timeout=60)
        assert (process.returncode, out, said) == (0, f"{number}\n".encode(), b"")
    assert len(keys(vm)) == 1


def test_a_maker_that_was_killed(vm: Minirun) -> None:
    """Its template was never there; what it left `gc` sweeps, with the machine's directory."""
    vm("vm", "template", "prune", check=True)
    process = shell.watched(vm, *RUN, "--trace", "busybox", "true")
    place = vm.root / "templates"
    until("it is being made", lambda: any(one.name.startswith(".new-") for one in place.iterdir()))
    assert keys(vm) == []
    process.kill()
    process.communicate(timeout=PATIENCE)
    unfinished = [one for one in place.iterdir() if one.name.startswith(".new-")]
    assert len(unfinished) == 1
    until("its hypervisor has died", lambda: not holders(unfinished[0]))
    said = vm("gc", check=True).stdout
    assert f"removed {unfinished[0]}: half-made" in said
    assert [one.name for one in place.iterdir()] == [".lock"] and running(vm) == set()


def holders(place: Path) -> list[str]:
    """The processes that stand in a directory."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(place)):
                found.append(pid)
        except OSError:
            continue
    return found


def test_other_hardware_is_another_template(vm: Minirun) -> None:
    """A network card; what differs from run to run is none: names, volumes, programs."""
    vm("vm", "template", "prune", check=True)
    vm(*RUN, "--network", "user", "busybox", "true", check=True)
    vm(*RUN, "-p", "127.0.0.1::80", "-v", f"{vm.root}:/v", "--name", "other", "busybox", "ls", check=True)
    assert len(keys(vm)) == 1
    vm(*RUN, "busybox", "true", check=True)
    assert len(keys(vm)) == 2


@pytest.mark.slow
def test_fifty_runs_fifty_right_answers(vm: Minirun) -> None:
    for number in range(50):
        done = vm(*RUN, "-i", "busybox", "sh", "-c", f"cat; exit {number}", input=f"{number}\n" * 999)
        assert (done.returncode, done.stdout) == (number, f"{number}\n" * 999), done.stderr
    assert running(vm) == set()
