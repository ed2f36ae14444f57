"""The rung with a kernel of its own: what its host shares with it, and what not."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.conftest import Minirun
from tests.needs import needs

pytestmark = needs("root", "overlay", "strace", "qemu-system-x86_64")


def test_a_virtual_machine_shares_no_kernel_with_its_host(machines: Minirun) -> None:
    """Another boot_id, no program in ps, and not one of the program's calls at the host's kernel."""
    done = machines("compare", "--runs", "1", "--rung", "microVM", "--json", check=True, timeout=110)
    answer = json.loads(done.stdout)
    process, machine = answer["rungs"]
    assert machine["missing"] is None
    assert machine["output"].split() == process["output"].split() == ["ready"]
    assert machine["shares_kernel"] is False
    assert machine["kernel"]["boot_id"] not in (
        "",
        Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
    )
    assert machine["program_visible"] is False
    names = [each["name"] for each in machine["processes"] if each["role"] == "keeper"]
    assert names == ["qemu-system-x86_64"]
    assert machine["memory_kib"] > 10 << 10
    assert machine["syscalls"]["program"] == 0
    assert machine["syscalls"]["total"] > 1000
    assert any("microVM is on a kernel of its own" in sentence for sentence in answer["answer"])
    assert not os.listdir(machines.state / "vms" / "names")
