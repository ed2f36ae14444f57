"""Memory in cgroup v2: each file made to bite, and what the kernel counted of it."""

from __future__ import annotations

import faulthandler
import mmap
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.isolation import cgroups
from minirun.spec import Memory
from tests.kernel.groups import HERE, MIB, Container, Groups, allocating, sleeping, until

pytestmark = pytest.mark.bed


@pytest.fixture
def make() -> Iterator[Callable[..., Container]]:
    """Makes a group with some resources; removes it after the test."""
    with Groups() as groups:
        yield groups.make


@pytest.fixture
def swap(test_dir: Path) -> Iterator[None]:
    """Somewhere to swap to, 64 MiB."""
    file = test_dir / "swap"
    with file.open("wb") as target:
        os.posix_fallocate(target.fileno(), 0, 64 * MIB)
    file.chmod(0o600)
    subprocess.run(["mkswap", "-q", file], check=True)
    subprocess.run(["swapon", file], check=True)
    yield
    subprocess.run(["swapoff", file], check=True)
    file.unlink()


def filling(path: Path, size: int) -> Callable[[], int]:
    """Writes a file, so that the page cache is the group's."""

    def fill() -> int:
        block = bytes(MIB)
        with path.open("wb", buffering=0) as file:
            for _ in range(size // MIB):
                file.write(block)
        return 0

    return fill


def test_max_kills_and_says_how_often_it_was_met(make: Callable[..., Container]) -> None:
    container = make(memory=Memory(limit=24 * MIB, swap=24 * MIB))
    assert container.run(allocating) == -signal.SIGKILL
    assert container.count("memory.events", "oom_kill") == 1
    assert container.count("memory.events", "max") > 0
    assert int(container.text("memory.peak")) <= 24 * MIB


def test_an_oom_kill_below_a_leaf_is_the_containers(make: Callable[..., Container]) -> None:
    container = make(leaf="leaf", memory=Memory(limit=24 * MIB, swap=24 * MIB))
    assert container.run(allocating) == -signal.SIGKILL
    file = cgroups.oom_file(container.spec, HERE)
    assert file and "\noom_kill 1" in Path(file).read_text()


def test_high_throttles_and_kills_nobody(make: Callable[..., Container], test_dir: Path) -> None:
    container = make(unified={"memory.high": str(16 * MIB)})
    file = test_dir / "cached"
    assert container.run(filling(file, 40 * MIB)) == 0
    assert container.count("memory.events", "high") > 0
    assert container.count("memory.events", "oom_kill") == 0
    assert int(container.text("memory.current")) < 20 * MIB
    file.unlink()


def test_swap_is_limited_for_itself(make: Callable[..., Container], swap: None) -> None:
    without = make(memory=Memory(limit=24 * MIB, swap=24 * MIB))
    assert without.text("memory.swap.max") == "0"
    assert without.run(lambda: len(bytearray(b"x") * (40 * MIB)) and 7) == -signal.SIGKILL

    peaks = []

    def swapped_out() -> int:
        block = bytearray(b"x") * (40 * MIB)
        peaks.append(int(some.text("memory.swap.current")))
        return 7 if len(block) and 8 * MIB < peaks[-1] <= 32 * MIB else 1

    some = make(memory=Memory(limit=24 * MIB, swap=56 * MIB))
    assert some.text("memory.swap.max") == str(32 * MIB)
    assert some.run(swapped_out) == 7
    assert some.run(lambda: len(bytearray(b"x") * (80 * MIB))) == -signal.SIGKILL, "beyond both"
    # Not memory.swap.events: once the group's swap is used up, the kernel does not even try to swap.
    assert some.count("memory.events", "oom_kill") > 0


@pytest.fixture
def protection(request: pytest.FixtureRequest) -> Iterator[None]:
    """The mount option that systemd sets: what is protected goes to the groups below by itself."""
    subprocess.run(["mount", "-o", f"remount{request.param}", HERE.v2], check=True)
    yield
    subprocess.run(["mount", "-o", "remount", HERE.v2], check=True)


@pytest.mark.parametrize(
    ("protection", "leaf"), [("", ""), (",memory_recursiveprot", "leaf")], indirect=["protection"]
)
@pytest.mark.usefixtures("protection")
def test_a_reservation_protects_from_what_others_need(
    make: Callable[..., Container], test_dir: Path, leaf: str
) -> None:
    """Two caches of the same size under one limit, then a third that takes room: the reserved one stays."""
    above = make(memory=Memory(limit=64 * MIB))
    below = above.spec.linux.cgroupsPath + "/minirun"
    reserved = make(below=below, leaf=leaf, memory=Memory(reservation=20 * MIB))
    plain = make(below=below)
    other = make(below=above.spec.linux.cgroupsPath)
    files = [test_dir / name for name in ("reserved", "plain", "other")]
    assert reserved.run(filling(files[0], 20 * MIB)) == 0
    assert plain.run(filling(files[1], 20 * MIB)) == 0
    assert other.run(filling(files[2], 80 * MIB)) == 0
    kept = [int(each.text("memory.current")) // MIB for each in (reserved, plain, other)]
    assert kept[0] >= 18 and kept[1] < 12, kept
    for file in files:
        file.unlink()


def test_what_is_kept_above_is_the_sum_of_those_below(make: Callable[..., Container]) -> None:
    below = "/minirun/minirun-test-sum"
    one = make(below=below, memory=Memory(reservation=20 * MIB))
    two = make(below=below, memory=Memory(reservation=10 * MIB))
    parent = one.file("..").resolve()
    sums = [(each / "memory.low").read_text() for each in (parent, parent.parent)]
    assert [int(each) // MIB for each in sums] == [30, 30]
    two.walk.undo()
    assert int((parent / "memory.low").read_text()) == 20 * MIB
    three = make(below=below)
    one.remove()
    cgroups.remove_parents(one.directories)
    assert (parent / "memory.low").read_text() == "0\n"
    three.remove()
    cgroups.remove_parents(three.directories)
    assert not parent.exists()


def test_oom_group_ends_all_of_it(make: Callable[..., Container]) -> None:
    container = make(
        memory=Memory(limit=24 * MIB, swap=24 * MIB), unified={"memory.oom.group": "1"}, leaf="leaf"
    )
    other = container.start(sleeping)
    until(lambda: cgroups.processes(container.directories) == [other])
    assert container.run(allocating) == -signal.SIGKILL
    assert container.wait(other) == -signal.SIGKILL
    assert container.count("memory.events", "oom_group_kill") == 1


def test_huge_pages_are_limited(make: Callable[..., Container]) -> None:
    pages = Path("/proc/sys/vm/nr_hugepages")
    pages.write_text("4")
    try:
        container = make(unified={"hugetlb.2MB.max": str(4 * MIB)})

        def touch(count: int) -> int:
            faulthandler.disable()  # pytest's: it would tell of the signal that is meant
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000  # MAP_HUGETLB
            with mmap.mmap(-1, count * 2 * MIB, flags=flags) as block:
                for page in range(count):
                    block[page * 2 * MIB] = 1
            return 7

        assert container.run(lambda: touch(2)) == 7
        assert container.run(lambda: touch(3)) == -signal.SIGBUS
        assert container.count("hugetlb.2MB.events", "max") > 0
    finally:
        pages.write_text("0")
