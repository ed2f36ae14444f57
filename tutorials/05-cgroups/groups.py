"""Groups for the exercises: version 1 or 2, the words are version 2's.

    group = groups.make("memory")                 a new group that has this controller
    groups.write(group, "memory.max", "32M")      pids.max, memory.max, cgroup.procs
    groups.oom_kills(group)                       how many the kernel has killed in it
    groups.make()                                 in the tree of version 2, without a controller

Each group is called after the process that made it, and it is up to that one to remove it.
"""

import os
import pathlib

UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
OLD_NAMES = {"memory.max": "memory.limit_in_bytes"}


def make(controller=""):
    top = pathlib.Path("/sys/fs/cgroup", "" if UNIFIED else controller or "unified")
    group = top / "minirun" / f"learn-{os.getpid()}"
    group.mkdir(parents=True)
    if UNIFIED and controller:
        for above in (top, top / "minirun"):
            (above / "cgroup.subtree_control").write_text(f"+{controller}")
    return group


def write(group, name, text):
    (group / (name if UNIFIED else OLD_NAMES.get(name, name))).write_text(text)
    swap = group / ("memory.swap.max" if UNIFIED else "memory.memsw.limit_in_bytes")
    if name == "memory.max" and swap.exists():
        swap.write_text("0" if UNIFIED else text)


def oom_kills(group):
    text = (group / ("memory.events" if UNIFIED else "memory.oom_control")).read_text()
    return int(dict(line.split() for line in text.splitlines())["oom_kill"])
