"""Block I/O in cgroup v2, measured on a disk that nobody else uses.

O_DIRECT: what goes through the page cache is written later, by others.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from minirun.spec import BlockIO, DeviceRule, ThrottleDevice
from tests.kernel.groups import MIB, Container, Groups, until

pytestmark = pytest.mark.bed

DISK = "/dev/vdb"
SCHEDULER = Path("/sys/block/vdb/queue/scheduler")


@pytest.fixture
def make() -> Iterator[Callable[..., Container]]:
    """Makes a group that may open the disk, with some resources; removes it after the test."""
    with Groups() as groups:
        yield partial(groups.make, devices=(DeviceRule(allow=True),))


@pytest.fixture
def bfq() -> Iterator[None]:
    """The disk with the scheduler that heeds weights."""
    subprocess.run(["modprobe", "bfq"], check=True)
    SCHEDULER.write_text("bfq")
    yield
    SCHEDULER.write_text("none")


def limit(rate: int) -> tuple[ThrottleDevice, ...]:
    number = os.stat(DISK).st_rdev
    return (ThrottleDevice(major=os.major(number), minor=os.minor(number), rate=rate),)


def transferring(count: int, size: int, write: bool) -> Callable[[], int]:
    """``count`` blocks of ``size`` bytes from the disk or to it, past the page cache."""

    def transfer() -> int:
        with mmap.mmap(-1, size) as block:  # aligned, as O_DIRECT wants it
            disk = os.open(DISK, os.O_DIRECT | (os.O_WRONLY if write else os.O_RDONLY))
            for number in range(count):
                os.lseek(disk, number * size % (32 * MIB), os.SEEK_SET)
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
    free = seconds(make(), what)
    assert max(1.5, 2 * free) < seconds(limited, what) < 10
    assert ("wbytes=2097152" if write else "rbytes=2097152") in limited.text("io.stat")


def test_operations_a_second(make: Callable[..., Container]) -> None:
    limited = make(blockIO=BlockIO(throttleReadIOPSDevice=limit(20), throttleWriteIOPSDevice=limit(1000)))
    assert limited.text("io.max").split(" ", 1)[1] == "rbps=max wbps=max riops=20 wiops=1000"
    reading = seconds(limited, transferring(20, 4096, write=False))
    assert 0.7 < reading < 10
    assert seconds(limited, transferring(20, 4096, write=True)) < reading / 2


def test_weights_share_a_busy_disk(make: Callable[..., Container], bfq: None) -> None:
    light, heavy = (make(blockIO=BlockIO(weight=weight)) for weight in (100, 800))
    assert [each.text("io.bfq.weight") for each in (light, heavy)] == ["default 100", "default 800"]
    assert [each.text("io.weight") for each in (light, heavy)] == ["default 910", "default 7980"]
    # Several in each: where the CPUs are busy too, one alone would not always have something to write.
    for each in (light, heavy) * 4:
        each.start(transferring(1 << 20, 64 << 10, write=True))
    until(lambda: all(operations(each) > 0 for each in (light, heavy)))
    before = [operations(each) for each in (light, heavy)]
    time.sleep(2)  # the time over which it is measured
    few, many = (operations(each) - start for each, start in zip((light, heavy), before, strict=True))
    assert many / few > 1.5, (few, many)


def operations(container: Container) -> int:
    """How often it wrote to the disk."""
    number = os.stat(DISK).st_rdev
    lines = container.text("io.stat").splitlines()
    own = next((line for line in lines if line.startswith(f"{os.major(number)}:{os.minor(number)} ")), "")
    return int(own.partition("wios=")[2].split()[0]) if own else 0
