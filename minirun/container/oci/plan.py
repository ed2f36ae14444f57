"""The steps of a start in which another runtime makes the container.

Layer ``container``, pure; in place of ``container/plan.py``, with the same two sides:

    host (becomes the monitor)                    the runtime
      | a mount namespace, the root in it           |
      | RUNTIME create --bundle B ----------------> | namespaces, mounts, cgroups,
      | <--- its pid, its terminal ---------------- | privileges ...; init waits
      | the cable                                 [start]
      | clone3 -------------------------------------> | addresses, in its network
      | back to the host's mounts                     | READY, waits at the gate
      | execs native/monitor                          |      (state: created)
      | START --------------------------------------> | RUNTIME start
      | <------------------- end of file, it has ended | (state: running)

[start] stands for init at the channel, for that one knows nothing of it. The host
side is the subreaper, so when the runtime has gone init is its child, as it is of a
monitor. The root is mounted in a namespace that goes once the container has its own:
so the overlay goes with the container's last process, as ever.
Read ``plan_start.py`` for [start], ``deeds.py`` for what the steps do.
"""

from __future__ import annotations

from minirun.container import plan_phases
from minirun.container.oci import bundle as bundles
from minirun.container.oci import deeds, groups, plan_start
from minirun.container.oci.plan_start import CHAPTER, MASTER, STREAMS
from minirun.container.plan import leave_the_caller
from minirun.isolation import apparmor, mounts, overlay
from minirun.isolation.mounts import bind
from minirun.isolation.mounts.options import parse
from minirun.linux import copy_up, credentials, mount, mountpoint, namespace, path, process
from minirun.linux import terminal as terminals
from minirun.linux.mount import MountFlag, UmountFlag
from minirun.linux.namespace import CloneFlag
from minirun.spec import Spec
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.oci.runtime import Called
    from minirun.network.attach import Wiring
    from minirun.spec import Mount

_INIT = Ref(name="init")
_LISTENER = Ref(name="terminal listener")
_HOSTS_MOUNTS = Ref(name="the host's mounts")


def plan(
    spec: Spec, called: Called, bundle: str, wiring: Wiring | None = None, stands_in: bool = False
) -> list[Step]:
    """The steps of a start by ``called``, both sides; ``bundle`` is the directory for config.json.

    With ``stands_in`` the container lives in another one's kernel (gVisor), and no
    process of the host's is its first: [start] is, until `RUNTIME wait` tells the end.
    """
    return [
        *_host_steps(spec, called, bundle, wiring, stands_in),
        *plan_start.steps(spec, called, stands_in),
    ]


def _host_steps(
    spec: Spec, called: Called, bundle: str, wiring: Wiring | None, stands_in: bool
) -> Iterator[Step]:
    yield leave_the_caller()
    yield from apparmor.host_steps(spec)  # our own profile, which the runtime puts on it
    yield from overlay.host_steps(spec)  # an upperdir of its own
    yield from mounts.host_steps(spec)  # what -v names and is not there yet
    yield from groups.host_steps(spec)
    yield _write_bundle(spec, called, bundle)
    yield from _filesystem(spec, bundle)
    yield from _create(spec, called, bundle, stands_in)
    if wiring and not stands_in:
        from minirun.network import attach  # so that a start without a network does not pay for it

        yield from attach.host_steps(spec, wiring)  # now there is a namespace for the other end
    yield _make_starter(stands_in)
    yield Step(
        "return to the host's mounts",
        Call(namespace.join_process, _HOSTS_MOUNTS, CloneFlag.NEWNS),
        why="the container has a copy of its own: what was mounted for it lasts as long as that",
        side=HOST,
        chapter="03",
    )


def _write_bundle(spec: Spec, called: Called, bundle: str) -> Step:
    config = bundles.config(spec, bundle, called.runtime.has_own_kernel)
    return Step(
        "write the bundle",
        Call(deeds.write_bundle, bundle, config),
        why="config.json says all that the runtime shall do: namespaces, mounts, limits, privileges",
        side=HOST,
        chapter=CHAPTER,
    )


def _filesystem(spec: Spec, bundle: str) -> Iterator[Step]:
    """The root, mounted where only the runtime sees it."""
    yield Step(
        "remember the host's mounts",
        Call(namespace.open_namespace, "/proc/self/ns/mnt"),
        why="the way back",
        side=HOST,
        result=_HOSTS_MOUNTS.name,
        chapter="03",
    )
    yield Step(
        "make a mount namespace",
        Call(namespace.unshare, CloneFlag.NEWNS),
        Call(mount.mount, "", "/", None, MountFlag.REC | MountFlag.SLAVE, None),
        why="what is mounted for the container is seen by nobody else, and nobody has to unmount it",
        side=HOST,
        undo=[Call(namespace.join_process, _HOSTS_MOUNTS, CloneFlag.NEWNS)],
        chapter="03",
    )
    for step in overlay.mount(spec):
        gone = [Call(mount.umount2, spec.root.path, UmountFlag.MNT_DETACH)]
        yield _on_host(step, undo=() if step.result else gone)
    for number, each in enumerate(spec.mounts):
        lender, place = bind.seen_by(each.source)
        if lender:
            yield from _borrow(each, number, lender, place, bundle)
        if parse(each).copy_up:
            yield Step(
                f"fill {each.source} from the image, if it is empty",
                Call(copy_up.fill, overlay.ROOTFS, each.destination, each.source),
                why=f"a new volume begins with what the image has at {each.destination}",
                side=HOST,
                chapter="06",
            )


def _borrow(each: Mount, number: int, lender: str, place: str, bundle: str) -> Iterator[Step]:
    """What another container has mounted: mount(2) binds nothing out of another namespace."""
    tree, root = Ref(name=f"mount {number}"), Ref(name="bundle")
    for step in bind.visit(lender):
        yield _on_host(step)
    yield Step(
        f"pick up {each.source}",
        Call(mount.open_tree, place, parse(each).recursive),
        why="a copy of the mount that nobody sees yet",
        side=HOST,
        result=tree.name,
        chapter="03",
    )
    yield Step(
        "return to its own mount namespace",
        Call(namespace.join_process, bind.OWN, CloneFlag.NEWNS),
        why="the copy belongs to no namespace, and comes along",
        side=HOST,
        chapter="04",
    )
    yield Step(
        "open the bundle",
        Call(path.open_directory, bundle),
        why="what the runtime shall find is put in there",
        side=HOST,
        result=root.name,
        chapter=CHAPTER,
    )
    yield Step(
        f"put it into the bundle for {each.destination}",
        Call(mountpoint.attach_in, tree, root, f"/{bundles.borrowed(number)}"),
        why="where the runtime finds it",
        side=HOST,
        chapter="03",
    )


def _create(spec: Spec, called: Called, bundle: str, stands_in: bool) -> Iterator[Step]:
    name = called.runtime.name
    has_terminal = spec.process.terminal
    yield Step(
        "adopt whoever loses his parent",
        Call(credentials.adopt_orphans),
        why="the runtime leaves when the container is made, and its first process shall be our child",
        side=HOST,
        chapter="09",
    )
    if has_terminal:
        yield Step(
            "listen for the terminal",
            Call(deeds.listen, bundle),
            why="the runtime opens it in the container, and sends us our end",
            side=HOST,
            result=_LISTENER.name,
            chapter=CHAPTER,
        )
    yield Step(
        f"{name} create",
        Call(deeds.create, called, bundle, has_terminal, *(() if has_terminal else STREAMS)),
        why="all that minirun would do here by itself, step by step: see `explain` without --runtime",
        side=HOST,
        undo=[Call(deeds.delete, called)],
        chapter=CHAPTER,
    )
    if not stands_in:
        yield Step(
            "read the pid of its first process",
            Call(deeds.read_pid, bundle),
            why="whose child it is now, and whose end the monitor waits for",
            side=HOST,
            result=_INIT.name,
            undo=[Call(process.kill_and_reap, _INIT)],
            chapter=CHAPTER,
        )
    if has_terminal:
        yield Step(
            "receive the terminal",
            Call(deeds.receive_terminal, _LISTENER),
            why="the monitor keeps this end, the program has got the other",
            side=HOST,
            result=MASTER.name,
            chapter=CHAPTER,
        )
    if has_terminal and (box := spec.process.consoleSize):
        yield Step(
            "set the terminal's size",
            Call(terminals.set_size, MASTER, box.height, box.width),
            why="as large as the terminal of the one who asked",
            side=HOST,
            chapter=CHAPTER,
        )


def _make_starter(stands_in: bool) -> Step:
    result = _INIT.name if stands_in else plan_phases.STARTER
    return Step(
        "make the process that starts it",
        Call(process.clone3, CloneFlag(0)),
        why="it stands in for a process that is in another kernel, and waits at the gate"
        if stands_in
        else "the container's own first process waits for the runtime; this one waits for us",
        side=HOST,
        result=result,
        undo=[Call(process.kill_and_reap, Ref(name=result))],
        chapter=CHAPTER,
    )


def _on_host(step: Step, undo: tuple[Call, ...] | list[Call] = ()) -> Step:
    """A step of the container's own first process, done before there is one."""
    return Step(
        step.title,
        *step.calls,
        why=step.why,
        side=HOST,
        undo=undo,
        result=step.result,
        chapter=step.chapter,
    )
