"""The rung with a kernel of its own: what its host shares with it, and what not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Minirun
from tests.needs import needs

pytestmark = needs("root", "overlay", "strace", "qemu-system-x86_64")

#: Where the test bed keeps its kernel (tests/bed).
KERNELS = REPOSITORY / "build" / "bed" / "kernels"


@pytest.fixture
def with_kernel(minirun: Minirun) -> Iterator[Minirun]:
    """The command, whose store has the test bed's kernel as well."""
    if not KERNELS.is_dir():
        pytest.skip("this machine lacks: the test bed's kernel (`make test-vm` fetches it)")
    place = minirun.root / "kernels"
    if place.exists():
        yield minirun
        return
    place.symlink_to(KERNELS)
    yield minirun
    place.unlink()


def test_a_virtual_machine_shares_no_kernel_with_its_host(with_kernel: Minirun) -> None:
    """Another boot_id, no program in ps, and not one of the program's calls at the host's kernel."""
    done = with_kernel("compare", "--runs", "1", "--rung", "microVM", "--json", check=True, timeout=110)
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
    assert not os.listdir(with_kernel.state / "vms" / "names")
