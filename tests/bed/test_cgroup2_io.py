"""Block I/O in cgroup v2, measured on a disk that nobody else uses.

O_DIRECT: what goes through the page cache is written later, by others.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.isolation import cgroups
from minirun.spec import BlockIO, ThrottleDevice
from tests.kernel.groups import HERE, MIB, Container, Groups, until

pytestmark = pytest.mark.bed

DISK = "/dev/vdb"
SCHEDULER = Path("/sys/block/vdb/queue/scheduler")


@pytest.fixture
def make() -> Iterator[Callable[..., Container]]:
    """Makes a group with some resources; removes it after the test."""
    with Groups() as groups:
        yield groups.make


def limit(rate: int) -> tuple[ThrottleDevice, ...]:
    number = os.stat(DISK).st_rdev
    return (ThrottleDevice(major=os.major(number), minor=os.minor(number), rate=rate),)


def transferring(count: int, size: int, write: bool) -> Callable[[], int]:
    """``count`` blocks of ``size`` bytes from the disk or to it, past the page cache."""

    def transfer() -> int:
        with mmap.mmap(-1, size) as block:  # aligned, as O_DIRECT wants it
            disk = os.open(DISK, os.O_DIRECT | (os.O_WRONLY if write else os.O_RDONLY))
            for _ in range(count):
                done = os.writev(disk, [block]) if write else os.readv(disk, [block])
                assert done == size
            os.close(disk)
        return 0

    return transfer


def seconds(container: Container, what: Callable[[], int]) -> float:
    begun = time.monotonic()
    assert container.run(what) == 0
    return time.monotonic() - begun


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_bytes_a_second(make: Callable[..., Container], write: bool) -> None:
    """2 MiB at 1 MiB/s; the same on an unlimited disk takes no such time."""
    word = "throttleWriteBpsDevice" if write else "throttleReadBpsDevice"
    limited = make(blockIO=BlockIO(**{word: limit(MIB)}))
    what = transferring(32, 64 << 10, write)
    assert seconds(make(), what) < 0.8
    assert 1.5 < seconds(limited, what) < 3
    assert ("wbytes=2097152" if write else "rbytes=2097152") in limited.text("io.stat")


def test_operations_a_second(make: Callable[..., Container]) -> None:
    limited = make(blockIO=BlockIO(throttleReadIOPSDevice=limit(20), throttleWriteIOPSDevice=limit(1000)))
    assert limited.text("io.max").split(" ", 1)[1] == "rbps=max wbps=max riops=20 wiops=1000"
    assert 0.7 < seconds(limited, transferring(20, 4096, write=False)) < 2
    assert seconds(limited, transferring(20, 4096, write=True)) < 0.7
