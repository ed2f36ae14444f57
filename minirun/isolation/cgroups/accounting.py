"""What a container may use and what it does use, read from its groups.

Part of ``isolation/cgroups``, for ``inspect`` and ``stats``; reads, and writes
nothing. The files differ between v1 and v2, and so do units: here all is in
bytes and microseconds. What cannot be known on this host is None.
cgroup-v2.rst; cgroup-v1/memory.rst.
"""

from __future__ import annotations

from minirun.isolation.cgroups.layout import Layout
from minirun.isolation.cgroups.tree import Group, group_of
from minirun.linux import cgroup
from minirun.spec import Spec
from minirun.values import Value


class Usage(Value):
    """One reading."""

    memory: int | None = None
    """Bytes in use, the page cache included."""
    memory_inactive_file: int | None = None
    """Bytes of it that the kernel takes back first; `stats` subtracts them."""
    memory_peak: int | None = None
    oom_kills: int | None = None
    pids: int | None = None
    cpu_usec: int | None = None
    throttled_periods: int | None = None
    throttled_usec: int | None = None


def usage(spec: Spec, layout: Layout) -> Usage:
    """What the container uses now. All None once its groups are gone."""
    return usage_of(group_of(spec, layout))


def usage_of(made: Group) -> Usage:
    """What is used in a group and all below it: a pod's, for one."""
    pids = made.directory("pids")[1]
    return Usage(**_memory(made), **_cpu(made), pids=_number(f"{pids}/pids.current") if pids else None)


def _memory(made: Group) -> dict[str, int | None]:
    version, directory = made.directory("memory")
    if not version:
        return {}
    statistics = _table(f"{directory}/memory.stat")
    if version == 2:
        return {
            "memory": _number(f"{directory}/memory.current"),
            "memory_peak": _number(f"{directory}/memory.peak"),
            "memory_inactive_file": statistics.get("inactive_file"),
            "oom_kills": _table(f"{directory}/memory.events").get("oom_kill"),
        }
    return {
        "memory": _number(f"{directory}/memory.usage_in_bytes"),
        "memory_peak": _number(f"{directory}/memory.max_usage_in_bytes"),
        "memory_inactive_file": statistics.get("total_inactive_file"),
        "oom_kills": _table(f"{directory}/memory.oom_control").get("oom_kill"),
    }


def _cpu(made: Group) -> dict[str, int | None]:
    # A v2 group counts CPU time even where the cpu controller is not in v2.
    tree = _table(f"{made.v2}/cpu.stat") if made.v2 else {}
    used = tree.get("usage_usec")
    if used is None and "cpuacct" in made.v1:
        nanoseconds = _number(f"{made.v1['cpuacct']}/cpuacct.usage")
        used = None if nanoseconds is None else nanoseconds // 1000
    version, directory = made.directory("cpu")
    throttled = _table(f"{directory}/cpu.stat") if version == 1 else tree
    waited = throttled.get("throttled_usec")
    if waited is None and "throttled_time" in throttled:
        waited = throttled["throttled_time"] // 1000
    return {
        "cpu_usec": used,
        "throttled_periods": throttled.get("nr_throttled"),
        "throttled_usec": waited,
    }


#: The files that hold limits, by controller and version.
LIMITS = {
    ("memory", 2): ("memory.max", "memory.high", "memory.low", "memory.swap.max", "memory.oom.group"),
    ("memory", 1): (
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.soft_limit_in_bytes",
        "memory.oom_control",
    ),
    ("cpu", 2): ("cpu.max", "cpu.weight"),
    ("cpu", 1): ("cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares"),
    ("cpuset", 2): ("cpuset.cpus", "cpuset.mems"),
    ("cpuset", 1): ("cpuset.cpus", "cpuset.mems"),
    ("pids", 2): ("pids.max",),
    ("pids", 1): ("pids.max",),
    ("io", 2): ("io.max", "io.weight", "io.bfq.weight"),
    ("io", 1): (
        "blkio.throttle.read_bps_device",
        "blkio.throttle.write_bps_device",
        "blkio.throttle.read_iops_device",
        "blkio.throttle.write_iops_device",
        "blkio.bfq.weight",
    ),
}


def limits(spec: Spec, layout: Layout) -> dict[str, str]:
    """Each file that limits the container, by its path, and what it says now."""
    made = group_of(spec, layout)
    found: dict[str, str] = {}
    for (controller, version), files in LIMITS.items():
        place, directory = made.directory(controller)
        if place == version:
            texts = ((f"{directory}/{file}", cgroup.read(f"{directory}/{file}")) for file in files)
            found.update((path, text) for path, text in texts if text)
    devices = f"{made.v1.get('devices', '')}/devices.list"
    if allowed := cgroup.read(devices):
        found[devices] = allowed
    return found


def _number(path: str) -> int | None:
    text = cgroup.read(path)
    return int(text) if text.isdigit() else None


def _table(path: str) -> dict[str, int]:
    """A file of lines ``word number``."""
    rows = (line.split() for line in cgroup.read(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].lstrip("-").isdigit()}
