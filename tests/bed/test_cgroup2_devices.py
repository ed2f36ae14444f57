"""The device filter of cgroup v2, an eBPF program, on a disk that is really there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.spec import DeviceRule
from tests.kernel.groups import Container, Groups

pytestmark = pytest.mark.bed

DISK = "/dev/vdb"
NOTHING = DeviceRule(allow=False)


@pytest.fixture
def make() -> Iterator[Callable[..., Container]]:
    """Makes a group with some resources; removes it after the test."""
    with Groups() as groups:
        yield groups.make


def rule(access: str, number: int) -> DeviceRule:
    return DeviceRule(allow=True, type="b", major=os.major(number), minor=os.minor(number), access=access)


def opening(path: str | Path, flags: int) -> Callable[[], int]:
    """Exit status: the errno, 0 for none."""

    def attempt() -> int:
        try:
            os.close(os.open(path, flags))
        except OSError as error:
            return error.errno or 0
        return 0

    return attempt


def test_a_disk_opens_as_the_rules_say(make: Callable[..., Container]) -> None:
    number = os.stat(DISK).st_rdev
    closed = make(devices=(NOTHING,))
    assert closed.run(opening(DISK, os.O_RDONLY)) == errno.EPERM
    assert closed.run(opening("/dev/null", os.O_RDWR)) == 0
    readable = make(devices=(NOTHING, rule("r", number)))
    assert readable.run(opening(DISK, os.O_RDONLY)) == 0
    assert readable.run(opening(DISK, os.O_RDWR)) == errno.EPERM
    open_ = make(devices=(NOTHING, rule("rwm", number)))
    assert open_.run(opening(DISK, os.O_RDWR)) == 0
    assert open_.run(opening("/dev/vda", os.O_RDONLY)) == errno.EPERM


def test_a_node_of_its_own_making_opens_nothing(make: Callable[..., Container], test_dir: Path) -> None:
    node = test_dir / "node"

    def make_and_open() -> int:
        os.mknod(node, stat.S_IFBLK | 0o600, os.stat(DISK).st_rdev)
        try:
            return opening(node, os.O_RDONLY)()
        finally:
            node.unlink()

    assert make(devices=(NOTHING,)).run(make_and_open) == errno.EPERM
    assert make(devices=(NOTHING, rule("r", os.stat(DISK).st_rdev))).run(make_and_open) == 0


def test_every_filter_on_the_way_is_asked(make: Callable[..., Container]) -> None:
    """A container below another (a pod's member) gets no device that the one above lacks."""
    number = os.stat(DISK).st_rdev
    above = make(devices=(NOTHING,))
    below = above.spec.linux.cgroupsPath
    assert (
        make(below=below, devices=(NOTHING, rule("rwm", number))).run(opening(DISK, os.O_RDONLY))
        == errno.EPERM
    )
    assert make(below=below, devices=(DeviceRule(allow=True),)).run(opening(DISK, os.O_RDONLY)) == errno.EPERM


def test_the_filter_goes_with_the_group(make: Callable[..., Container]) -> None:
    container = make(devices=(NOTHING,))
    container.remove()
    container.walk.run()
    assert container.run(opening("/dev/null", os.O_RDONLY)) == 0
