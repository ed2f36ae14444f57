"""`--runtime` on pure cgroup v2, where crun works too: the limits are in the container's one group."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Minirun
from tests.needs import needs

pytestmark = pytest.mark.bed

TOP = Path("/sys/fs/cgroup")


@needs("crun")
def test_a_container_that_crun_makes(minirun: Minirun) -> None:
    limits = ("-m", "64m", "--pids-limit", "20", "--cpus", "0.5")
    program = "echo begun; sleep 1000"
    made = minirun("run", "-d", "--runtime", "crun", *limits, "--name", "one", "busybox", "sh", "-c", program)
    assert made.returncode == 0, made.stderr
    group = TOP / "minirun" / made.stdout.strip()
    found = {name: (group / name).read_text().strip() for name in ("memory.max", "pids.max", "cpu.max")}
    assert found == {"memory.max": str(64 << 20), "pids.max": "20", "cpu.max": "50000 100000"}
    inside = minirun("exec", "one", "sh", "-c", "cat /proc/self/cgroup; ip -4 addr show eth0 | grep -c inet")
    assert inside.stdout == "0::/\n1\n", inside.stderr
    state = json.loads(minirun("inspect", "one").stdout)[0]
    assert state["runtime"].endswith("/crun")
    assert minirun("logs", "one").stdout == "begun\n"
    minirun("rm", "-f", "one", check=True)
    assert not group.exists()
