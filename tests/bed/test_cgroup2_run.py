"""`minirun run` end to end on pure cgroup v2: what the flags say, the files and the kernel say too.

A command takes seconds in emulation, so each test asks one container many questions.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minirun.isolation import cgroups
from tests.conftest import Minirun
from tests.kernel.groups import until

pytestmark = pytest.mark.bed

TOP = Path("/sys/fs/cgroup")
MIB = 1 << 20
RUN = ("run", "--rm", "--network", "none")

FLAGS = (
    *("-m", "64m", "--memory-swap", "96m", "--memory-reservation", "32m"),
    *("--cpus", "0.5", "--cpu-shares", "2048", "--cpuset-cpus", "1", "--cpuset-mems", "0"),
    *("--pids-limit", "20", "--blkio-weight", "500"),
    *("--device-read-bps", "/dev/vdb:4mb", "--device-write-bps", "/dev/vdb:1mb"),
    *("--device-read-iops", "/dev/vdb:400", "--device-write-iops", "/dev/vdb:100"),
)

EXPECTED = {
    "memory.max": str(64 * MIB),
    "memory.swap.max": str(32 * MIB),
    "memory.low": str(32 * MIB),
    "cpu.max": "50000 100000",
    "cpu.weight": "174",
    "cpuset.cpus": "1",
    "cpuset.cpus.effective": "1",
    "cpuset.mems": "0",
    "pids.max": "20",
    "io.weight": "default 4950",
}

#: What a container sees of its cgroup, and may do about it.
LOOK = r"""
mkdir /tmp/own; mknod /tmp/own/disk b $1 $2
echo "group $(cat /proc/self/cgroup)"
echo "limit $(cat /sys/fs/cgroup/memory.max)"
echo "cpus $(nproc)"
(echo max > /sys/fs/cgroup/memory.max) 2>&1
(mkdir /sys/fs/cgroup/new) 2>&1
(head -c 1 /tmp/own/disk) 2>&1
setsid sleep 2000 &
echo end; exec sleep 1000
"""


def numbers(disk: str = "/dev/vdb") -> tuple[str, str]:
    found = os.stat(disk).st_rdev
    return str(os.major(found)), str(os.minor(found))


def inspect(minirun: Minirun, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(minirun("inspect", name, check=True).stdout)[0]
    return found


def printed(log: Path) -> list[str]:
    """What the container wrote: a line of the log may be a part (P) of a line."""
    parts = (line.split(" ", 3)[2:] for line in log.read_text().splitlines())
    return "".join(text + ("\n" if tag == "F" else "") for tag, text in parts).splitlines()


def test_every_limit_at_once(minirun: Minirun) -> None:
    program = ("sh", "-c", LOOK, "sh", *numbers())
    minirun("run", "-d", "--name", "all", "--network", "none", *FLAGS, "busybox", *program, check=True)
    seen = inspect(minirun, "all")
    (group,) = map(Path, seen["cgroups"]["directories"])
    assert group == TOP / "minirun" / seen["id"]
    expected = {**EXPECTED, "io.max": f"{':'.join(numbers())} rbps=4194304 wbps=1048576 riops=400 wiops=100"}
    assert {file: (group / file).read_text().strip() for file in expected} == expected
    told = {Path(file).name: text for file, text in seen["cgroups"]["limits"].items()}
    assert {file: told[file] for file in expected if file in told} == {
        file: text for file, text in expected.items() if file != "cpuset.cpus.effective"
    }
    assert (group.parent / "memory.low").read_text().strip() == EXPECTED["memory.low"]
    assert str(seen["state"]["pid"]) in (group / "cgroup.procs").read_text().split()
    assert seen["cgroups"]["usage"]["pids"] >= 1

    log = Path(seen["paths"]["log"])
    until(lambda: "end" in log.read_text())
    lines = printed(log)
    assert lines[:3] == ["group 0::/", f"limit {64 * MIB}", "cpus 1"]
    assert "Read-only file system" in lines[3] and "Read-only file system" in lines[4]
    assert "Operation not permitted" in lines[5]

    # Frozen and thawed, then killed with the process that has left its session.
    until(lambda: len((group / "cgroup.procs").read_text().split()) == 2)
    minirun("pause", "all", check=True)
    assert "frozen 1" in (group / "cgroup.events").read_text()
    minirun("unpause", "all", check=True)
    assert "frozen 0" in (group / "cgroup.events").read_text()
    minirun("rm", "-f", "all", check=True)
    assert not (TOP / "minirun").exists(), "with the last container goes what was made for all"


def test_a_device_that_was_given_is_open_and_others_are_not(minirun: Minirun) -> None:
    script = "head -c 3 /dev/disk | wc -c; (: >/dev/disk) 2>&1; mknod /a b $1 $2; (: </a) 2>&1; true"
    words = ("--device", "/dev/vdb:/dev/disk:r", "busybox", "sh", "-c", script, "sh", *numbers("/dev/vda"))
    lines = minirun(*RUN, *words, check=True).stdout.splitlines()
    assert lines[0] == "3"
    assert len(lines) == 3 and all("Operation not permitted" in line for line in lines[1:])


def test_running_out_of_memory_is_told(minirun: Minirun) -> None:
    limit = ("-m", "16m", "--memory-swap", "16m")
    done = minirun(
        "run", "--name", "hungry", "--network", "none", *limit, "busybox", "sh", "-c", "exec tail /dev/zero"
    )
    assert done.returncode == 137 and "ran out of memory" in done.stderr
    ended = inspect(minirun, "hungry")["state"]["exit"]
    assert (ended["code"], ended["oom_killed"]) == (137, True)


@pytest.fixture
def occupied() -> Iterator[str]:
    """A group with a process in it."""
    place = TOP / "minirun-test-occupied"
    place.mkdir()
    pid = os.fork()
    if not pid:
        signal.pause()
        os._exit(0)
    (place / "cgroup.procs").write_text(str(pid))
    yield f"/{place.name}"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    cgroups.remove([str(place)])


def test_a_parent_with_processes(minirun: Minirun, occupied: str) -> None:
    """Refused where a limit was asked for; and without one it is the container's place."""
    refused = minirun(*RUN, "--cgroup-parent", occupied, "-m", "64m", "busybox", "true")
    assert refused.returncode == 125
    assert "either holds processes or passes controllers on" in refused.stderr
    assert f"mkdir {TOP}{occupied}/init" in refused.stderr
    flags = ("--cgroup-parent", f"{occupied}/a/b", "--cgroupns", "host")
    done = minirun(*RUN, *flags, "busybox", "cat", "/proc/self/cgroup", check=True)
    assert done.stdout.startswith(f"0::{occupied}/a/b/")
    assert os.path.isdir(f"{TOP}{occupied}") and not os.path.exists(f"{TOP}{occupied}/a")
