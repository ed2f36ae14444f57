"""Writing a group's limits: memory, CPU, processes, I/O, devices.

Part of ``isolation/cgroups``. For each promise the controller's own version
decides whose words are used, v1.py's or v2.py's; a host may have some of each.
What was asked for and cannot be kept is refused while planning. OCI's
config-linux.md, "Control groups". Next: v2.py.
"""

from __future__ import annotations

import os

from minirun.errors import InvalidInput, Unsupported
from minirun.isolation.cgroups.device_rules import Rule, allows_all, simplified, v1_writes
from minirun.isolation.cgroups.layout import Layout
from minirun.isolation.cgroups.tree import Group
from minirun.linux import cgroup
from minirun.spec import DeviceRule, Resources
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHAPTER = "05"

#: Controller, what the step does, and why.
PROMISES = (
    ("memory", "limit the memory", "beyond it the kernel kills inside this group, and nowhere else"),
    ("cpu", "limit the CPU time", "a quota holds always; a weight only while others want the CPU too"),
    ("cpuset", "choose the CPUs", "the processes run on these and see no others"),
    ("pids", "limit the processes", "a fork bomb ends with EAGAIN in the container, not on the host"),
    ("io", "limit the block I/O", "a busy disk is shared by rule, and not by who asks most"),
)


def limit(made: Group, resources: Resources, layout: Layout) -> Iterator[Step]:
    """One step for each promise of which something was asked."""
    for controller, title, why in PROMISES:
        version, directory = made.directory(controller)
        if not version:
            continue
        if version == 2:
            from minirun.isolation.cgroups import v2 as words
        else:
            from minirun.isolation.cgroups import v1 as words  # type: ignore[no-redef]  # one of the two
        calls = getattr(words, controller)(directory, resources, layout)
        if calls:
            yield Step(title, *calls, why=why, side=HOST, chapter=CHAPTER)
    if resources.memory.reservation and made.directory("memory")[0] == 2:
        yield from _keep_memory(made, layout)


def _keep_memory(made: Group, layout: Layout) -> Iterator[Step]:
    """v2 protects no more of a group than of those above it, whose memory.low starts at none.

    Groups that somebody else made have his limits, and are left as they are.
    """
    from minirun.isolation.cgroups.creation import above

    shared = [
        directory
        for directory in reversed(above(layout.v2, made.path)[1:])
        if not os.path.isdir(directory) or cgroup.is_shared(directory)
    ]
    sums = [Call(cgroup.sum_memory_low, directory) for directory in shared]
    own = f"{made.v2}/memory.low"
    if made.leaf != made.v2:
        yield Step(
            "keep the memory for the leaf",
            Call(cgroup.write, f"{made.leaf}/memory.low", "max"),
            why="the pages are its processes', so what the group above it is promised is to be for them",
            side=HOST,
            chapter=CHAPTER,
        )
    if sums:
        yield Step(
            "keep the memory in the groups above",
            *sums,
            why="the kernel takes memory from the top down: no group keeps more than the one above it",
            side=HOST,
            undo=[Call(cgroup.write, own, "0"), *sums],
            chapter=CHAPTER,
        )


def write_unified(made: Group, unified: dict[str, str], layout: Layout) -> Iterator[Step]:
    """config-linux.md, "Unified": file names of v2, and what is written there."""
    calls = []
    for key, text in unified.items():
        controller, _, file = key.partition(".")
        if not file or "/" in key or (controller == "cgroup" and not file.startswith("max.")):
            raise InvalidInput(
                f"{key!r} in resources.unified is no limit",
                "its keys are file names of cgroup v2",
                "name one as in cgroup-v2.rst: memory.high",
            )
        if not made.v2 or (controller != "cgroup" and controller not in layout.v2_controllers):
            raise Unsupported(
                f"this host cannot set {key}",
                f"its cgroup v2 tree offers: {' '.join(layout.v2_controllers) or 'no controllers'}",
                "resources.unified needs a host whose controllers are in cgroup v2",
            )
        # The kernel reads one command a write: several devices, several writes.
        calls += [Call(cgroup.write, f"{made.v2}/{key}", line) for line in text.splitlines() if line]
    if calls:
        yield Step(
            "write the files of cgroup v2 that were asked for",
            *calls,
            why="the spec names them itself, in the kernel's words",
            side=HOST,
            chapter=CHAPTER,
        )


def limit_devices(made: Group, given: Sequence[DeviceRule], asked: bool) -> Iterator[Step]:
    """v1's list if this host has the devices tree, else an eBPF program on v2."""
    rules = simplified(given)
    if allows_all(rules):
        return
    if "devices" in made.v1:
        yield Step(
            "limit the devices",
            *v1_writes(made.v1["devices"], rules),
            why="root in a container can make a node of the host's disk; opening it is what is denied",
            side=HOST,
            chapter=CHAPTER,
        )
    elif made.v2:
        yield from _device_filter(made.v2, rules)
    elif asked:
        raise Unsupported(
            "this host cannot limit the container's devices",
            "there is neither cgroup v1's devices tree nor a cgroup v2 tree",
            "mount one: `minirun doctor` shows the layout",
        )


def _device_filter(directory: str, rules: list[Rule]) -> Iterator[Step]:
    from minirun.isolation.cgroups.device_filter import assembled
    from minirun.linux import bpf

    yield Step(
        "load the device filter",
        Call(bpf.load_device_filter, assembled(rules)),
        why="cgroup v2 has no list of devices: it asks a program, which the kernel checks before it takes it",
        side=HOST,
        result="device_filter",
        chapter=CHAPTER,
    )
    yield Step(
        "attach the device filter",
        Call(bpf.attach_device_filter, directory, Ref(name="device_filter")),
        why="from here on the kernel asks it at every open(2) and mknod(2) of a device in this group",
        side=HOST,
        chapter=CHAPTER,
    )
