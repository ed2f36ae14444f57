"""Making a group's directories, down from the top of each tree.

Part of ``isolation/cgroups``. Making one is a mkdir(2); what takes thought is
the way down to it. In v2 every group on the way must pass the controllers on
(``cgroup.subtree_control``), and may not if it holds processes: a group holds
either processes or groups that are limited. In v1 a new cpuset has no CPU at
all, so each on the way is filled from the one above. The files on the way are
read while planning, which needs no root. cgroups(7). Next: promises.py.
"""

from __future__ import annotations

import os

from minirun.errors import Unsupported
from minirun.isolation.cgroups.layout import Layout
from minirun.isolation.cgroups.tree import Group, asked_for
from minirun.linux import cgroup
from minirun.spec import Resources
from minirun.steps import HOST, Call, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAPTER = "05"


def make_v2(made: Group, resources: Resources, layout: Layout) -> Iterator[Step]:
    """The group in the v2 tree, and its leaf if it has one. Raises Unsupported."""
    if not made.v2:
        return
    unified = tuple(key.split(".")[0] for key in resources.unified if not key.startswith("cgroup."))
    controllers = tuple(dict.fromkeys((*made.v2_controllers, *unified)))
    asked = {*asked_for(resources), *unified}
    passed_on: list[Call] = []
    for directory in above(layout.v2, made.path):
        calls, controllers = _pass_on(directory, controllers, asked)
        passed_on += calls
    if passed_on:
        yield Step(
            "pass the controllers on",
            *passed_on,
            why="in cgroup v2 a group has the controllers that the group above it passes on, and no others",
            side=HOST,
            chapter=CHAPTER,
        )
    yield Step(
        "make the cgroup",
        Call(cgroup.mkdir, made.v2),
        why="whoever is born here stays here, so that killing and freezing it misses no one",
        side=HOST,
        undo=[Call(cgroup.rmdir, made.v2)],
        chapter=CHAPTER,
    )
    if made.leaf != made.v2:
        enabled = " ".join(f"+{each}" for each in controllers)
        yield Step(
            "make a leaf for the processes",
            Call(cgroup.mkdir, made.leaf),
            *([Call(cgroup.write, f"{made.v2}/cgroup.subtree_control", enabled)] if enabled else []),
            why="a group that passes controllers on to groups of its own may hold no process itself",
            side=HOST,
            undo=[Call(cgroup.rmdir, made.leaf)],
            chapter=CHAPTER,
        )


def above(mount: str, path: str) -> list[str]:
    """The directories from the top of the tree down to the parent of ``path``."""
    parts = path.split("/")[1:-1]
    return [mount + "".join(f"/{part}" for part in parts[:depth]) for depth in range(len(parts) + 1)]


def _pass_on(
    directory: str, controllers: tuple[str, ...], asked: set[str]
) -> tuple[list[Call], tuple[str, ...]]:
    """Makes ``directory`` and has it pass ``controllers`` on, so far as it does not yet.

    Beside the calls: those of the controllers that the groups below it will have.
    """
    calls = [] if os.path.isdir(directory) else [Call(cgroup.mkdir_parent, directory)]
    _refuse_threads(directory)
    enabled = cgroup.read(f"{directory}/cgroup.subtree_control").split()
    missing = [each for each in controllers if each not in enabled]
    if missing and _holds_processes(directory):
        needed = [each for each in missing if each in asked]
        if needed:
            raise Unsupported(
                f"the {needed[0]} controller cannot be passed on by {directory}",
                "there are processes in it, and a group either holds processes or passes controllers on",
                f"move them: mkdir {directory}/init; for p in $(cat {directory}/cgroup.procs); "
                f"do echo $p > {directory}/init/cgroup.procs; done",
            )
        # Nobody asked: the container goes uncounted, not unlimited.
        return calls, tuple(each for each in controllers if each in enabled)
    if missing:
        text = " ".join(f"+{each}" for each in missing)
        calls.append(Call(cgroup.write, f"{directory}/cgroup.subtree_control", text))
    return calls, controllers


def _refuse_threads(directory: str) -> None:
    kind = cgroup.read(f"{directory}/cgroup.type")
    if kind not in ("", "domain"):
        raise Unsupported(
            f"no container can be below the cgroup {directory}",
            f"its type is {kind!r}: the groups there sort the threads of a process, and hold no processes",
            "choose another --cgroup-parent; see cgroups(7), thread mode",
        )


def _holds_processes(directory: str) -> bool:
    # The top of the whole tree has no cgroup.type, and is free of the rule.
    return os.path.exists(f"{directory}/cgroup.type") and bool(cgroup.read(f"{directory}/cgroup.procs"))


def make_v1(made: Group, layout: Layout) -> Iterator[Step]:
    """The groups in v1's trees, one step for all."""
    if not made.v1:
        return
    calls: list[Call] = []
    mounts = {directory: directory.removesuffix(made.path) for directory in made.v1_directories}
    for directory, mount in mounts.items():
        for parent in above(mount, made.path)[1:]:
            if not os.path.isdir(parent):
                calls.append(Call(cgroup.mkdir_parent, parent))
            if directory == made.v1.get("cpuset"):
                from minirun.isolation.cgroups import v1

                calls += v1.fill_cpuset(parent)
        calls.append(Call(cgroup.mkdir, directory))
    yield Step(
        "make the cgroups of v1",
        *calls,
        why="in cgroup v1 every controller has a tree of its own, and the container a group in each",
        side=HOST,
        undo=[Call(cgroup.rmdir, directory) for directory in made.v1_directories],
        chapter=CHAPTER,
    )
