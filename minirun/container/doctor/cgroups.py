"""The doctor on cgroups: where each controller sits, for v1 and v2 may be mixed."""

from __future__ import annotations

import os

from minirun.container.doctor.finding import Finding, fail, ok, warn
from minirun.isolation.cgroups.layout import V1_NAMES, Layout, layout
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Controller -> the flags of `run` that are refused without it.
CONTROLLERS = {
    "memory": "-m, --memory-reservation, --memory-swap",
    "cpu": "--cpus, --cpu-shares",
    "cpuset": "--cpuset-cpus",
    "pids": "--pids-limit",
    "io": "--blkio-weight, --device-read-bps",
    "devices": "the allowlist of devices",
    "freezer": "pause",
}


def each(root: str, state: str) -> Iterator[Finding]:
    """A row a controller: v1, v2, or absent."""
    here = layout()
    for controller, flags in CONTROLLERS.items():
        yield _one(controller, flags, here)


def _one(controller: str, flags: str, here: Layout) -> Finding:
    name = f"cgroup {controller}"
    place, how = _where(controller, here)
    if not place:
        return warn(name, f"absent: {flags} will be refused", _absent_fix(controller))
    if not os.access(place, os.W_OK):
        return fail(
            name, f"{how} at {place}, which cannot be written to", "run as root, and mount it read-write"
        )
    return ok(name, f"{how} at {place}")


def _where(controller: str, here: Layout) -> tuple[str, str]:
    version = here.version(controller)
    if version == 1:
        return here.v1[V1_NAMES.get(controller, controller)], "v1"
    if version == 2:
        return here.v2, "v2"
    # These two are not controllers of v2: any group of the tree has them.
    own = {"devices": "v2, by an eBPF program,", "freezer": "v2, cgroup.freeze,"}
    return (here.v2, own[controller]) if here.v2 and controller in own else ("", "")


def _absent_fix(controller: str) -> str:
    if controller == "memory":
        return "boot with cgroup_enable=memory (and swapaccount=1)"
    kernel = {"io": "CONFIG_BLK_CGROUP", "cpu": "CONFIG_CGROUP_SCHED", "cpuset": "CONFIG_CPUSETS"}
    option = kernel.get(controller, f"CONFIG_CGROUP_{controller.upper()}")
    return f"boot a kernel with {option}=y, and mount or delegate the controller"


def unified(root: str, state: str) -> Iterator[Finding]:
    """The shape of the whole: pure v2 is what minirun is designed for."""
    here = layout()
    shape = "hybrid" if here.v1 and here.v2 else "v2" if here.v2 else "v1" if here.v1 else "none"
    text = {
        "v2": f"pure v2 at {here.v2}",
        "hybrid": f"hybrid: v1 controllers beside a v2 tree at {here.v2}",
        "v1": "v1 only",
        "none": "no cgroups are mounted",
    }[shape]
    if shape == "none":
        yield fail("cgroup layout", text, "mount -t cgroup2 none /sys/fs/cgroup")
    elif shape == "v2":
        yield ok("cgroup layout", text)
    else:
        yield warn(
            "cgroup layout", text, "boot with systemd.unified_cgroup_hierarchy=1, or leave it: both work"
        )
