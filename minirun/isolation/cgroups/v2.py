"""Limits in the words of cgroup v2: resources -> writes.

Part of ``isolation/cgroups``; v1.py says the same in v1's words. Each function
takes a group's directory and what was asked, and returns the writes; none
means that nothing was asked. OCI's numbers are v1's by origin (shares, memory
plus swap, weights of 10 to 1000), so most of this file is translation. The
kernel's Documentation/admin-guide/cgroup-v2.rst; OCI's config-linux.md.
"""

from __future__ import annotations

import os

from minirun.errors import InvalidInput, Unsupported
from minirun.linux import cgroup
from minirun.spec import BlockIO, Resources
from minirun.steps import Call
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.isolation.cgroups.layout import Layout


def memory(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """memory.max, memory.low, memory.swap.max."""
    wish = resources.memory
    if wish.disableOOMKiller:
        raise Unsupported(
            "the OOM killer cannot be turned off for a container here",
            "cgroup v2 has no such switch (v1: memory.oom_control)",
            "leave disableOOMKiller out",
        )
    calls = []
    if wish.reservation:
        calls.append(_write(directory, "memory.low", _number(wish.reservation)))
    if wish.limit:
        calls.append(_write(directory, "memory.max", _number(wish.limit)))
    # A new group has no swap limit, nor the file if the kernel counts no swap.
    if wish.swap and (wish.swap > 0 or os.path.exists(f"{directory}/memory.swap.max")):
        calls.append(_write(directory, "memory.swap.max", swap_only(wish.limit, wish.swap)))
    return calls


def swap_only(limit: int | None, swap: int) -> str:
    """OCI's memory-plus-swap as v2's swap alone. Raises InvalidInput."""
    if swap < 0:
        return "max"
    if not limit or limit < 0:
        raise InvalidInput(
            "a swap limit needs a memory limit", "swap counts memory plus swap", "set a memory limit too"
        )
    if swap < limit:
        raise InvalidInput(
            f"the swap limit {swap} is below the memory limit {limit}",
            "swap counts memory plus swap",
            f"give at least {limit}, which means no swap at all",
        )
    return str(swap - limit)


def cpu(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """cpu.weight and cpu.max; a period without a quota is written too."""
    wish = resources.cpu
    calls = []
    if wish.shares:
        calls.append(_write(directory, "cpu.weight", str(cpu_weight(wish.shares))))
    if wish.quota or wish.period:
        quota = _number(wish.quota or -1)
        calls.append(_write(directory, "cpu.max", f"{quota} {wish.period}" if wish.period else quota))
    return calls


def cpu_weight(shares: int) -> int:
    """v1's cpu.shares (2 to 262144, default 1024) as v2's cpu.weight (1 to 10000, 100).

    The curve goes through all three pairs; the straight line that runtimes used
    before made 39 of 1024, so a container lost against the host's processes
    (Kubernetes KEP-2254).
    """
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    import math

    log = math.log2(shares)
    return math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))


def cpuset(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """cpuset.cpus, cpuset.mems."""
    wish = (("cpuset.cpus", resources.cpu.cpus), ("cpuset.mems", resources.cpu.mems))
    for file, given in wish:
        _check_above(directory, file, given)
    return [_write(directory, file, given) for file, given in wish if given]


def _check_above(directory: str, file: str, given: str) -> None:
    """Raises Unsupported for CPUs or memory nodes that the group above does not have.

    v2 takes them without an error, and the processes run elsewhere: on those
    that are left, or on all that the group above has.
    """
    offered = ""
    while not offered and directory != "/":
        directory = os.path.dirname(directory)
        offered = cgroup.read(f"{directory}/{file}.effective")
    lacking = _numbers(given) - _numbers(offered)
    if offered and lacking:
        what = "CPUs" if file == "cpuset.cpus" else "memory nodes"
        raise Unsupported(
            f"this host cannot give the container the {what} {given}",
            f"{directory} has {offered}",
            f"choose among those; see `lscpu` for the {what} of this machine",
        )


def _numbers(text: str) -> set[int]:
    """``0-2,7`` as a set; empty for what is no such list, which the kernel refuses itself."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (last or first).isdigit() and int(last or first) < _MOST:
            found.update(range(int(first), int(last or first) + 1))
    return found


#: More CPUs than any kernel is built for.
_MOST = 1 << 16


def pids(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """pids.max; zero is no wish, less is no limit."""
    if not resources.pids or not resources.pids.limit:
        return []
    return [_write(directory, "pids.max", _number(resources.pids.limit))]


def io(directory: str, resources: Resources, layout: Layout) -> list[Call]:
    """io.weight and BFQ's, for each disk heeds its own scheduler's; a line of io.max per device."""
    wish = resources.blockIO
    calls = []
    if wish.weight:
        cost, bfq = _has_io_weight(layout.v2), _has_bfq()
        if cost:
            calls.append(_write(directory, "io.weight", f"default {io_weight(wish.weight)}"))
        if bfq:
            calls.append(_write(directory, "io.bfq.weight", str(blkio_weight(wish.weight))))
        if not calls:
            raise Unsupported(
                "this host cannot give the container a block I/O weight",
                "the kernel has neither io.cost nor, at present, the BFQ scheduler",
                "`modprobe bfq`, or limit bytes or operations a second instead",
            )
    return calls + [_write(directory, "io.max", line) for line in io_max(wish)]


def io_weight(weight: int) -> int:
    """OCI's weight (10 to 1000) on io.weight's scale (1 to 10000)."""
    return 1 + (blkio_weight(weight) - 10) * 9999 // 990


def blkio_weight(weight: int) -> int:
    """OCI's weight itself, if it is one. Raises InvalidInput."""
    if not 10 <= weight <= 1000:
        raise InvalidInput(f"block I/O weight {weight} is out of range", "", "give 10 to 1000")
    return weight


def io_max(wish: BlockIO) -> list[str]:
    """``8:0 rbps=1048576 wiops=100``: what is said of one device goes on one line."""
    lines: dict[str, list[str]] = {}
    for word, devices in (
        ("rbps", wish.throttleReadBpsDevice),
        ("wbps", wish.throttleWriteBpsDevice),
        ("riops", wish.throttleReadIOPSDevice),
        ("wiops", wish.throttleWriteIOPSDevice),
    ):
        for device in devices:
            limits = lines.setdefault(f"{device.major}:{device.minor}", [])
            limits.append(f"{word}={device.rate or 'max'}")
    return [f"{device} {' '.join(limits)}" for device, limits in lines.items()]


def _has_io_weight(v2: str) -> bool:
    # The top of the tree has no io.weight, but io.cost.qos comes with it; a
    # container that sees its own group as the top has the file itself.
    return os.path.exists(f"{v2}/io.cost.qos") or os.path.exists(f"{v2}/io.weight")


def _has_bfq() -> bool:
    # Each disk has a list of all that there are, with its own in brackets.
    lists = (f"/sys/block/{disk}/queue/scheduler" for disk in os.listdir("/sys/block"))
    return any("bfq" in cgroup.read(path) for path in lists)


def _number(value: int) -> str:
    return "max" if value < 0 else str(value)


def _write(directory: str, file: str, text: str) -> Call:
    return Call(cgroup.write, f"{directory}/{file}", text)
