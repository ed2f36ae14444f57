"""Namespaces: which of the eight are new, joined, or the host's.

Layer ``isolation``; the doors are in ``linux/namespace.py``. A namespace in
the spec without a path is made by clone3(2), one with a path is joined by
setns(2), one that is not in the spec stays the host's. Two of them take
effect only in children (pid, time), so the host side enters them before the
clone and leaves them after it. See namespaces(7), time_namespaces(7).
"""

from __future__ import annotations

from minirun.linux import link, namespace, process, procfs
from minirun.linux.namespace import KINDS, CloneFlag
from minirun.spec import Spec
from minirun.steps import HOST, INIT, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INIT = Ref(name="init")

#: What a namespace of each kind holds a copy of.
_WHAT = {
    "mount": "the mount table",
    "uts": "the hostname",
    "ipc": "System V IPC and POSIX message queues",
    "network": "interfaces, addresses, routes and ports",
    "pid": "process numbers",
    "user": "user and group ids, and what root may",
    "cgroup": "the cgroup that looks like the root",
    "time": "the clocks since boot",
}


def path_of(spec: Spec, kind: str) -> str | None:
    """The path of the namespace to join, "" for a new one, None for the host's."""
    return next((ns.path for ns in spec.linux.namespaces if ns.type == kind), None)


def is_new(spec: Spec, kind: str) -> bool:
    """Whether the container gets a namespace of this kind that is its own."""
    return path_of(spec, kind) == ""


def before_clone(spec: Spec) -> Iterator[Step]:
    """What the host side must have changed about its children-to-be."""
    if pid := path_of(spec, "pid"):
        yield _enter(pid, "pid", HOST, undo=True)
    if is_new(spec, "time"):
        yield Step(
            "make a time namespace",
            Call(namespace.unshare, CloneFlag.NEWTIME),
            why="clocks since boot that can be shifted; only children made from now on live in it",
            side=HOST,
            undo=[_return_to("time")],
            chapter="04",
        )
        for clock, offset in spec.linux.timeOffsets.items():
            yield Step(
                f"set the {clock} offset",
                Call(
                    procfs.write,
                    "/proc/self/timens_offsets",
                    f"{clock} {offset.secs} {offset.nanosecs}",
                ),
                why="possible only while nobody lives in the time namespace",
                side=HOST,
                chapter="04",
            )


def clone(spec: Spec, cgroup: str | None) -> Iterator[Step]:
    """The birth of the container's first process, in its new namespaces."""
    flags = CloneFlag(0)
    for kind, (flag, _) in KINDS.items():
        # cgroup: cut off later, from inside (see cut_cgroup). time: has no effect here.
        if is_new(spec, kind) and kind not in ("cgroup", "time"):
            flags |= flag
    made = [kind for kind in KINDS if is_new(spec, kind) and kind not in ("cgroup", "time")]
    reasons = ", ".join(f"{_WHAT[kind]} ({kind})" for kind in made)
    user = path_of(spec, "user")
    call = Call(process.clone3_inside, user, flags, cgroup) if user else Call(process.clone3, flags, cgroup)
    yield Step(
        "make the container's first process",
        call,
        why=f"from its birth it has these to itself: {reasons}"
        if made
        else "a child that shares all namespaces with the host",
        side=HOST,
        result="init",
        undo=[Call(process.kill_and_reap, _INIT)],
        chapter="04",
    )


def after_clone(spec: Spec) -> Iterator[Step]:
    """The host side returns to its own PID and time namespaces."""
    for kind, entered in (("pid", bool(path_of(spec, "pid"))), ("time", is_new(spec, "time"))):
        if entered:
            yield Step(
                f"return to the host's {kind} namespace",
                _return_to(kind),
                why="only the child was to live there",
                side=HOST,
                chapter="04",
            )


def cut_cgroup(spec: Spec) -> Iterator[Step]:
    """A cgroup namespace, once the process stands in its cgroups.

    The namespace's root is where its maker stands at that moment; clone3
    would take the parent's place. See cgroup_namespaces(7).
    """
    if is_new(spec, "cgroup"):
        yield Step(
            "make a cgroup namespace",
            Call(namespace.unshare, CloneFlag.NEWCGROUP),
            why="the cgroup where it stands becomes the root of what it sees of the tree",
            chapter="05",
        )


def join(spec: Spec) -> Iterator[Step]:
    """setns(2) into what the container shares with others."""
    for kind in ("ipc", "uts", "network", "cgroup", "time", "mount"):
        if path := path_of(spec, kind):
            yield _enter(path, kind)


def loopback(spec: Spec) -> Iterator[Step]:
    """A new network namespace has one interface, and that one is down."""
    if is_new(spec, "network"):
        yield Step(
            "raise the loopback interface",
            Call(link.up, "lo"),
            why="127.0.0.1 answers only when lo is up",
            chapter="08",
        )


def _enter(path: str, kind: str, side: str = INIT, undo: bool = False) -> Step:
    return Step(
        f"join a {kind} namespace",
        Call(namespace.join, path, KINDS[kind][0]),
        why=f"{_WHAT[kind]}: shared with whoever lives there",
        side=side,
        undo=[_return_to(kind)] if undo else (),
        chapter="04",
    )


def _return_to(kind: str) -> Call:
    flag, name = KINDS[kind]
    return Call(namespace.join, f"/proc/self/ns/{name}", flag)
