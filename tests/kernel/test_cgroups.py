"""cgroups, looked at in the kernel: every limit bites a process that goes beyond it.

The tests ask for a promise, not for a version: on a host with controllers in
v1 they run on v1, on a pure v2 host on v2. What belongs to one version only
says so in its needs.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.errors import MinirunError, StepFailed, Unsupported
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import Layout
from minirun.linux import bpf, cgroup
from minirun.linux.namespace import CloneFlag
from minirun.linux.process import clone3
from minirun.spec import (
    BlockIO,
    Cpu,
    DeviceRule,
    Linux,
    Memory,
    Pids,
    Process,
    Resources,
    Spec,
    ThrottleDevice,
)
from minirun.steps import HOST, Walk
from minirun.values import replace
from tests.kernel.groups import HERE, MIB, Container, Groups, allocating, sleeping, until
from tests.needs import needs

pytestmark = [needs("root"), pytest.mark.bed]

#: The host as it is, and its v1 trees alone, where a container has no cgroup.kill.
LAYOUTS = {"host": HERE}
if HERE.v2 and "freezer" in HERE.v1:
    LAYOUTS["v1 alone"] = replace(HERE, v2="", v2_controllers=())

either = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


@pytest.fixture
def make() -> Iterator[Callable[..., Container]]:
    """Makes a group with some resources; removes it after the test."""
    with Groups() as groups:
        yield groups.make


def answering(ping: int, pong: int) -> Callable[[], int]:
    """Writes ``pong`` for each byte that comes from ``ping``."""

    def answer() -> int:
        while os.read(ping, 1):
            os.write(pong, b".")
        return 0

    return answer


@needs("memory")
def test_memory_beyond_the_limit_kills_and_is_counted(make: Callable[..., Container]) -> None:
    container = make(memory=Memory(limit=24 * MIB, swap=24 * MIB))
    assert container.run(allocating) == -signal.SIGKILL
    assert cgroups.usage(container.spec, HERE).oom_kills == 1
    file = cgroups.oom_file(container.spec, HERE)
    assert file and "\noom_kill 1" in Path(file).read_text()
    assert container.run(lambda: 7) == 7, "others in the group go on"


@needs("memory")
def test_memory_is_counted(make: Callable[..., Container]) -> None:
    container = make()
    assert container.run(allocating) == 0
    peak = cgroups.usage(container.spec, HERE).memory_peak
    assert peak is None or 64 * MIB < peak < 256 * MIB  # v2 has memory.peak since Linux 5.19


@needs("pids")
def test_a_fork_beyond_the_limit_fails(make: Callable[..., Container]) -> None:
    def fork_three() -> int:
        for count in range(3):
            try:
                if not os.fork():
                    os._exit(sleeping())
            except OSError as error:
                return count * 100 + (error.errno or 0)
        return 0

    container = make(pids=Pids(limit=3))
    assert container.run(fork_three) == (200 + errno.EAGAIN) % 256
    assert cgroups.usage(container.spec, HERE).pids == 2


@needs("cpu")
def test_a_quota_throttles(make: Callable[..., Container]) -> None:
    def burn() -> int:
        begun = time.process_time()  # what went before, the joining too, is not the group's
        while time.process_time() < begun + 0.1:
            pass
        return 0

    container = make(cpu=Cpu(quota=20000, period=100000))
    started = time.monotonic()
    assert container.run(burn) == 0
    assert time.monotonic() - started > 0.25, "100 ms of work at 20 ms in each 100"
    used = cgroups.usage(container.spec, HERE)
    assert used.throttled_periods and used.throttled_usec
    assert used.cpu_usec and used.cpu_usec >= 99000


@needs("cpuset")
def test_the_cpus_are_those_that_were_asked_for(make: Callable[..., Container]) -> None:
    read, write = os.pipe()

    def tell() -> int:
        status = Path("/proc/self/status").read_text()
        os.write(write, status.split("Cpus_allowed_list:")[1].split()[0].encode())
        return 0

    last = max(os.sched_getaffinity(0))
    assert make(cpu=Cpu(cpus=str(last))).run(tell) == 0
    assert os.read(read, 64).decode() == str(last)
    os.close(read)
    os.close(write)


@needs("cpuset")
def test_cpus_that_the_host_lacks_are_an_error_with_a_remedy(make: Callable[..., Container]) -> None:
    with pytest.raises(MinirunError, match="CPUs") as failure:
        make(cpu=Cpu(cpus="4000"))
    assert "lscpu" in failure.value.remedy


def opens(tmp: Path) -> Callable[[], int]:
    """Exit status: bit 0 /dev/null opens, bit 1 a node can be made, bit 2 it opens."""
    node = tmp / "node"

    def try_them() -> int:
        result = 0
        os.close(os.open("/dev/null", os.O_RDWR))
        result |= 1
        os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(1, 11))  # /dev/kmsg
        result |= 2
        try:
            os.close(os.open(node, os.O_RDONLY))
            result |= 4
        except PermissionError:
            pass
        finally:
            node.unlink()
        return result

    return try_them


DEVICE_LAYOUTS = {"host": HERE}
if HERE.v2 and "devices" in HERE.v1:
    DEVICE_LAYOUTS["eBPF on v2"] = Layout(v2=HERE.v2)


@needs("devices")
@pytest.mark.parametrize("layout", DEVICE_LAYOUTS.values(), ids=DEVICE_LAYOUTS.keys())
def test_devices(make: Callable[..., Container], layout: Layout, tmp_path: Path) -> None:
    if os.statvfs(tmp_path).f_flag & os.ST_NODEV:
        pytest.skip("this machine lacks: a scratch directory where device files work")
    denied = make(layout, devices=(DeviceRule(allow=False),))
    assert denied.run(opens(tmp_path)) == 3, "null: yes; mknod: yes; opening /dev/kmsg: no"
    allowed = make(
        layout,
        devices=(DeviceRule(allow=False), DeviceRule(allow=True, type="c", major=1, minor=11, access="r")),
    )
    assert allowed.run(opens(tmp_path)) == 7
    everything = make(layout, devices=(DeviceRule(allow=True),))
    assert everything.run(opens(tmp_path)) == 7


@needs("cgroup2")
def test_the_verifier_says_why_it_refuses_a_program() -> None:
    with pytest.raises(OSError, match=r"the verifier: .*R0") as refusal:
        bpf.load_device_filter(bytes([0x95, 0, 0, 0, 0, 0, 0, 0]))  # exit, and no answer in R0
    assert refusal.value.errno == errno.EACCES


@either
def test_freeze_and_thaw(make: Callable[..., Container], layout: Layout) -> None:
    container = make(layout)
    (there, ping), (pong, back) = os.pipe(), os.pipe()
    container.start(answering(there, back))
    os.write(ping, b".")
    assert os.read(pong, 1) == b"."
    assert not cgroups.frozen(container.directories)
    cgroups.freeze(container.directories)
    cgroups.freeze(container.directories)
    assert cgroups.frozen(container.directories)
    os.write(ping, b".")
    assert select.select([pong], [], [], 0.1)[0] == [], "who is frozen does not answer"
    cgroups.thaw(container.directories)
    assert not cgroups.frozen(container.directories)
    assert os.read(pong, 1) == b".", "the answer was only late"
    for end in (there, ping, pong, back):
        os.close(end)


@either
def test_to_thaw_and_to_kill_what_is_gone_is_fine(make: Callable[..., Container], layout: Layout) -> None:
    """Whoever ends a container may be slower than the monitor that removes its groups."""
    directories = make(layout).directories
    cgroups.remove(directories)
    cgroups.thaw(directories)
    cgroups.kill(directories)
    cgroups.remove(directories)
    with pytest.raises(MinirunError, match="cannot be frozen"):
        cgroups.freeze(directories)


@either
def test_kill_reaches_the_frozen(make: Callable[..., Container], layout: Layout) -> None:
    container = make(layout)
    pid = container.start(sleeping)
    until(lambda: cgroups.processes(container.directories) == [pid])
    cgroups.freeze(container.directories)
    cgroups.kill(container.directories)
    assert container.wait(pid) == -signal.SIGKILL


@needs("pids")
@either
def test_a_fork_bomb_is_killed(make: Callable[..., Container], layout: Layout) -> None:
    def bomb() -> int:
        while True:
            try:
                os.fork()
            except OSError:
                continue

    container = make(layout, pids=Pids(limit=48))
    container.start(bomb)
    until(lambda: len(cgroups.processes(container.directories)) > 40)
    cgroups.kill(container.directories)
    assert cgroups.processes(container.directories) == []
    cgroups.kill(container.directories)


@either
def test_remove_is_idempotent_and_takes_nested_groups(make: Callable[..., Container], layout: Layout) -> None:
    container = make(layout)
    for directory in container.directories:
        os.makedirs(f"{directory}/a/b")
    cgroups.remove(container.directories)
    cgroups.remove(container.directories)
    assert not any(map(os.path.exists, container.directories))
    assert cgroups.usage(container.spec, layout).memory is None
    assert cgroups.processes(container.directories) == []
    assert not cgroups.frozen(container.directories)
    cgroups.kill(container.directories)
    with pytest.raises(MinirunError, match="cannot be frozen"):
        cgroups.freeze(container.directories)


@either
def test_a_group_in_use_is_neither_removed_nor_shared(
    make: Callable[..., Container], layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "PATIENCE", 0.05)
    container = make(layout)
    pid = container.start(sleeping)
    until(lambda: cgroups.processes(container.directories) == [pid])
    with pytest.raises(OSError, match="busy"):
        cgroups.remove(container.directories)
    again = Walk(list(cgroups.host_steps(container.spec, layout)), HOST)
    with pytest.raises(StepFailed, match="another container is there"):
        again.run()
    again.undo()
    assert all(map(os.path.isdir, container.directories)), "the kernel keeps a group that is in use"


def test_undo_leaves_nothing(make: Callable[..., Container]) -> None:
    container = make()
    assert all(map(os.path.isdir, container.directories))
    container.walk.undo()
    assert not any(map(os.path.exists, container.directories))


@needs("memory", "cpu", "pids")
def test_limits_are_read_back(make: Callable[..., Container]) -> None:
    container = make(memory=Memory(limit=24 * MIB), cpu=Cpu(shares=2), pids=Pids(limit=9))
    found = {path.rsplit("/", 1)[1]: text for path, text in cgroups.limits(container.spec, HERE).items()}
    assert found.get("memory.max") == str(24 * MIB) or found["memory.limit_in_bytes"] == str(24 * MIB)
    assert found.get("cpu.weight") == "1" or found["cpu.shares"] == "2"
    assert found["pids.max"] == "9"


@needs("io")
def test_a_disk_is_throttled(make: Callable[..., Container]) -> None:
    disks = [disk for disk in Path("/sys/block").iterdir() if (disk / "device").exists()]
    if not disks:
        pytest.skip("this machine lacks: a disk")
    major, minor = map(int, (disks[0] / "dev").read_text().split(":"))
    device = ThrottleDevice(major=major, minor=minor, rate=MIB)
    container = make(blockIO=BlockIO(throttleReadBpsDevice=(device,)))
    found = cgroups.limits(container.spec, HERE)
    texts = [text for path, text in found.items() if path.endswith(("read_bps_device", "io.max"))]
    assert len(texts) == 1 and texts[0].startswith(f"{major}:{minor} ") and str(MIB) in texts[0]


@needs("cgroup2")
def test_unified_is_refused_where_v2_has_no_such_controller() -> None:
    with pytest.raises(Unsupported, match=r"memory\.high"):
        list(
            cgroups.host_steps(
                Spec(
                    process=Process(args=("true",)),
                    linux=Linux(cgroupsPath="x", resources=Resources(unified={"memory.high": "1"})),
                ),
                replace(HERE, v2_controllers=()),
            )
        )


@needs("cgroup2")
def test_an_unknown_unified_file_is_an_error_with_a_remedy(make: Callable[..., Container]) -> None:
    with pytest.raises(StepFailed) as failure:
        make(unified={"cgroup.max.nonsense": "1"})
    assert "cgroup-v2.rst" in failure.value.remedy


@needs("cgroup2")
def test_a_child_can_be_born_in_its_group(make: Callable[..., Container]) -> None:
    container = make()
    into = cgroups.clone_into(container.spec, HERE)
    assert into and cgroups.processes([into]) == []
    pid = clone3(CloneFlag(0), into)
    if not pid:
        os._exit(sleeping())
    container.started.append(pid)
    assert cgroups.processes([into]) == [pid], "with no write, and no moment elsewhere"


@needs("cgroup2")
def test_a_leaf_holds_the_processes_below_the_group(make: Callable[..., Container]) -> None:
    container = make(leaf="leaf")
    pid = container.start(sleeping)
    leaf, above = container.directories[:2]
    until(lambda: Path(leaf, "cgroup.procs").read_text().split() == [str(pid)])
    assert above == os.path.dirname(leaf)
    cgroups.kill(container.directories)
    assert container.wait(pid) == -signal.SIGKILL


@needs("cgroup2-memory")
def test_v2_memory_files(make: Callable[..., Container]) -> None:
    unified = {"memory.oom.group": "1", "memory.high": str(30 * MIB)}
    container = make(memory=Memory(limit=32 * MIB, reservation=8 * MIB), unified=unified)
    found = {path.rsplit("/", 1)[1]: text for path, text in cgroups.limits(container.spec, HERE).items()}
    assert found["memory.max"] == str(32 * MIB)
    assert found["memory.low"] == str(8 * MIB)
    assert found["memory.high"] == str(30 * MIB)
    assert found["memory.oom.group"] == "1"


@needs("cgroup2-memory")
def test_v2_oom_group_kills_all(make: Callable[..., Container]) -> None:
    container = make(memory=Memory(limit=24 * MIB), unified={"memory.oom.group": "1", "memory.swap.max": "0"})
    pid = container.start(sleeping)
    until(lambda: cgroups.processes(container.directories) == [pid])
    assert container.run(allocating) == -signal.SIGKILL
    assert container.wait(pid) == -signal.SIGKILL


@needs("cgroup2-memory")
def test_v2_swap_is_what_is_beyond_memory(make: Callable[..., Container]) -> None:
    if not any(Path(HERE.v2).glob("*/memory.swap.max")):
        pytest.skip("this machine lacks: swap accounting")
    container = make(memory=Memory(limit=32 * MIB, swap=48 * MIB))
    found = {path.rsplit("/", 1)[1]: text for path, text in cgroups.limits(container.spec, HERE).items()}
    assert found["memory.swap.max"] == str(16 * MIB)


@needs("cgroup2-memory")
def test_v2_leaf_under_limits_gets_its_controllers(make: Callable[..., Container]) -> None:
    container = make(memory=Memory(limit=24 * MIB, swap=24 * MIB), leaf="leaf")
    leaf, above = container.directories[:2]
    assert "memory" in Path(above, "cgroup.subtree_control").read_text().split()
    assert Path(leaf, "memory.max").exists()
    assert container.run(allocating) == -signal.SIGKILL
    assert cgroups.usage(container.spec, HERE).oom_kills == 1
