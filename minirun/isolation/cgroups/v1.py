"""Limits in the words of cgroup v1: resources -> writes.

Part of ``isolation/cgroups``, for hosts whose controllers sit in v1 trees. The
promises are those of v2.py, in the same order and with the same signatures;
what v1 adds is its own rules of order: memory before memory plus swap, and
a cpuset that is filled before anyone may enter. The kernel's
Documentation/admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import os

from minirun.errors import Unsupported
from minirun.isolation.cgroups.v2 import blkio_weight, swap_only
from minirun.linux import cgroup
from minirun.spec import Resources
from minirun.steps import Call
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.isolation.cgroups.layout import Layout


def memory(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """memory.limit_in_bytes, memory.memsw.limit_in_bytes, soft limit, OOM switch.

    The kernel keeps limit <= memsw at every moment: lowering writes the limit
    first, raising above the present memsw writes memsw first.
    """
    wish = resources.memory
    calls = []
    if wish.limit:
        calls.append(_write(directory, "memory.limit_in_bytes", wish.limit))
    memsw = f"{directory}/memory.memsw.limit_in_bytes"
    now = int(cgroup.read(memsw) or _UNLIMITED)
    swap = wish.swap or (-1 if wish.limit == -1 and now < _UNLIMITED else 0)
    # A new group has no swap limit, nor the file if the kernel counts no swap.
    if swap > 0 or (swap < 0 and now < _UNLIMITED):
        _check_swap(layout.v1["memory"], wish.limit, swap)
        raising = swap < 0 or swap > now
        calls.insert(0 if raising else len(calls), Call(cgroup.write, memsw, str(swap)))
    if wish.reservation:
        calls.append(_write(directory, "memory.soft_limit_in_bytes", wish.reservation))
    if wish.disableOOMKiller:
        calls.append(_write(directory, "memory.oom_control", 1))
    return calls


#: What an unlimited v1 memory file reads: LONG_MAX in whole pages of 4 KiB or more.
_UNLIMITED = 1 << 62


def _check_swap(mount: str, limit: int | None, swap: int) -> None:
    swap_only(limit, swap)
    if not os.path.exists(f"{mount}/memory.memsw.limit_in_bytes"):
        raise Unsupported(
            "this host cannot give the container a swap limit",
            "the kernel does not account swap (no memory.memsw.limit_in_bytes)",
            "leave the swap limit out, or boot with swapaccount=1",
        )


def cpu(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """cpu.shares, cpu.cfs_period_us, cpu.cfs_quota_us."""
    wish = resources.cpu
    files = (
        ("cpu.shares", wish.shares),
        ("cpu.cfs_period_us", wish.period),
        ("cpu.cfs_quota_us", wish.quota),
    )
    return [_write(directory, file, given) for file, given in files if given]


def cpuset(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """cpuset.cpus, cpuset.mems: both always, for a new v1 group has none at all."""
    wish = (("cpuset.cpus", resources.cpu.cpus), ("cpuset.mems", resources.cpu.mems))
    if not any(given for _, given in wish):
        return []
    return [
        _write(directory, file, given or _inherited(os.path.dirname(directory), file)) for file, given in wish
    ]


def fill_cpuset(directory: str) -> list[Call]:
    """What makes an intermediate group enterable: its parent's CPUs and nodes."""
    return [
        _write(directory, file, _inherited(os.path.dirname(directory), file))
        for file in ("cpuset.cpus", "cpuset.mems")
        if not cgroup.read(f"{directory}/{file}")
    ]


def _inherited(directory: str, file: str) -> str:
    # Up until one has some: those between are not made yet, or made and not
    # filled yet. The top of the tree has all; nothing above it has the file.
    while directory != "/":
        if found := cgroup.read(f"{directory}/{file}"):
            return found
        directory = os.path.dirname(directory)
    return "0"


def pids(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """pids.max; zero is no wish, less is no limit."""
    if not resources.pids or not resources.pids.limit:
        return []
    limit = resources.pids.limit
    return [_write(directory, "pids.max", "max" if limit < 0 else limit)]


def io(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """blkio.bfq.weight (the only one since Linux 5.0) and blkio.throttle.*."""
    wish = resources.blockIO
    calls = []
    if wish.weight:
        if not os.path.exists(f"{layout.v1['blkio']}/blkio.bfq.io_service_bytes"):
            raise Unsupported(
                "this host cannot give the container a block I/O weight",
                "in cgroup v1 weights belong to the BFQ scheduler, which this kernel lacks",
                "`modprobe bfq`, or limit bytes or operations a second instead",
            )
        calls.append(_write(directory, "blkio.bfq.weight", blkio_weight(wish.weight)))
    for file, devices in (
        ("read_bps", wish.throttleReadBpsDevice),
        ("write_bps", wish.throttleWriteBpsDevice),
        ("read_iops", wish.throttleReadIOPSDevice),
        ("write_iops", wish.throttleWriteIOPSDevice),
    ):
        for device in devices:
            line = f"{device.major}:{device.minor} {device.rate}"
            calls.append(_write(directory, f"blkio.throttle.{file}_device", line))
    return calls


def _write(directory: str, file: str, value: int | str) -> Call:
    return Call(cgroup.write, f"{directory}/{file}", str(value))
