"""The plan: every system call of a start, in order, before the first is made.

Layer ``container``. This file is the table of contents of a container: one
line a promise, with the reason for its place. It is pure: the Spec and the
host's cgroup layout go in, a list of Steps comes out, no root needed.
``create.py`` walks the list, ``minirun explain`` prints it. The promises
themselves are in ``isolation/``, one file each; read them in this order.
"""

from __future__ import annotations

from minirun.container import channel, plan_phases, program
from minirun.isolation import (
    apparmor,
    cgroups,
    devices,
    hostname,
    mounts,
    namespaces,
    overlay,
    privileges,
    rlimits,
    syscall_filter,
    sysctls,
    users,
)
from minirun.linux import credentials, path, process, terminal
from minirun.spec import Spec
from minirun.steps import HOST, INIT, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.isolation.cgroups.layout import Layout
    from minirun.network.attach import Wiring

#: Results that are there before the first step (create.py puts them there).
_STDIN, _STDOUT, _STDERR = Ref(name="stdin"), Ref(name="stdout"), Ref(name="stderr")
_MASTER = Ref(name="terminal_master")
_SLAVE = Ref(name="terminal")


def plan(spec: Spec, layout: Layout, filters: str, wiring: Wiring | None = None) -> list[Step]:
    """The steps of a start, both sides, in the order in which they happen.

    ``layout`` is where this host keeps its cgroup controllers, ``filters`` the
    directory of compiled syscall filters, ``wiring`` what is known of the
    container's networks. Raises Unsupported for what was asked and cannot be had
    here.
    """
    return [
        *host_steps(spec, layout, wiring),
        *init_steps(spec, layout, filters),
    ]


def host_steps(spec: Spec, layout: Layout, wiring: Wiring | None = None) -> Iterator[Step]:
    """What the parent prepares, and the birth of the child."""
    yield leave_the_caller()
    yield from apparmor.host_steps(spec)  # our own profile, if this is the first container
    yield from overlay.host_steps(spec)  # an upperdir of its own
    yield from mounts.host_steps(spec)  # what -v names and is not there yet
    yield from cgroups.host_steps(spec, layout)  # limits stand before anyone can exceed them
    yield from namespaces.before_clone(spec)  # pid and time take effect in children only
    yield from namespaces.clone(spec, cgroups.clone_into(spec, layout))
    yield from namespaces.after_clone(spec)
    yield from users.maps(spec)  # from outside: the child cannot map itself freely
    yield from users.idmapped_store(spec)
    yield from rlimits.oom_score_adj(spec)
    if wiring:
        from minirun.network import attach  # so that a start without a network does not pay for it

        yield from attach.host_steps(spec, wiring)  # the cable, while the child waits for its end
    yield plan_phases.wake(HOST, channel.HOST_SIDE_DONE, *([users.TREE] if _maps_store(spec) else []))


def init_steps(spec: Spec, layout: Layout, filters: str) -> Iterator[Step]:
    """What PID 1 does to itself before it becomes the program, in this order."""
    yield from begin()
    yield from apparmor.init_steps(spec)  # a profile that is not there: create fails, not start
    if namespaces.path_of(spec, "pid"):
        yield privileges.undumpable()  # others can see us there
    yield plan_phases.wait_for_host()
    yield from cgroups.init_steps(spec, layout)  # while the host's /sys is still visible
    yield from namespaces.cut_cgroup(spec)  # after joining: its root is where we stand
    yield from namespaces.join(spec)  # a pod member borrows pause's
    yield from namespaces.loopback(spec)
    if spec.endpoints:
        from minirun.network import attach

        yield from attach.init_steps(spec)  # the cable was plugged in from outside
    yield from hostname.steps(spec)
    if namespaces.is_new(spec, "mount"):
        yield from filesystem(spec)
    yield from look_up(spec)  # create fails here, not start
    yield plan_phases.wake(INIT, channel.READY, *([_MASTER] if spec.process.terminal else []))
    yield plan_phases.gate()  # state: created. `start` opens it
    yield from become(spec, filters)


def filesystem(spec: Spec) -> Iterator[Step]:
    """From the host's mount table to one of its own."""
    yield from mounts.private_root(spec)  # nothing below reaches the host
    yield from users.enter(spec)  # root inside owns what it mounts
    yield from overlay.mount(spec)
    yield from mounts.populate(spec)  # /proc /dev /sys, volumes
    yield from devices.steps(spec)
    yield from mounts.pivot(spec)  # pivot_root(2): the old / is gone
    yield from console(spec)  # from the container's own devpts
    yield from working_directory(spec)  # before the root becomes read-only
    yield from sysctls.steps(spec)  # before /proc/sys becomes read-only
    yield from mounts.protect(spec)  # masks and read-only paths, looked at again


def leave_the_caller() -> Step:
    """The command has forked this process; from here on it must not matter what becomes of it."""
    return Step(
        "leave the command behind",
        Call(process.setsid),
        *(Call(process.let_go_of, stream) for stream in (0, 1, 2)),
        Call(path.change_directory, "/"),
        Call(credentials.set_name, "minirun:[host]"),
        why="a session of its own, so that a Ctrl-C for the command or its death does not reach "
        "the container's parent; no directory and no pipe of the caller's is kept; and ps can tell it",
        side=HOST,
        chapter="10",
    )


def begin() -> Iterator[Step]:
    """A process that can be told from others in ``ps``, in a session of its own."""
    yield Step(
        "show the stage in ps",
        Call(credentials.set_name, "minirun:[init]"),
        why="so that ps tells what this process is until it becomes the program",
        chapter="10",
    )
    yield Step(
        "lead a session",
        Call(process.setsid),
        why="no terminal of the host's sends it signals",
        chapter="09",
    )


def console(spec: Spec) -> Iterator[Step]:
    """A pseudoterminal out of the container's own /dev/pts."""
    if not spec.process.terminal:
        return
    box = spec.process.consoleSize
    yield Step(
        "open a pseudoterminal",
        Call(terminal.open_master, "/dev/pts/ptmx"),
        why="the monitor keeps this end, the program gets the other",
        result=_MASTER.name,
        chapter="10",
    )
    yield Step(
        "open its other end",
        Call(terminal.open_slave, _MASTER),
        why="asked of the master by ioctl: no path that could be swapped",
        result=_SLAVE.name,
        chapter="10",
    )
    if box:
        yield Step(
            "set the terminal's size",
            Call(terminal.set_size, _MASTER, box.height, box.width),
            why="as large as the terminal of the one who asked",
            chapter="10",
        )
    yield from devices.console(_SLAVE)


def working_directory(spec: Spec) -> Iterator[Step]:
    """Makes it, as docker does; it is entered later, when the masks are in place."""
    if spec.process.cwd != "/":
        yield Step(
            "make the working directory, if it is missing",
            Call(program.make_directory, spec.process.cwd),
            why="an image may name one that no layer has",
            chapter="10",
        )


def look_up(spec: Spec) -> Iterator[Step]:
    """Finds the program before anyone says that the container is ready."""
    process = spec.process
    yield Step(
        "enter the working directory",
        Call(program.enter_directory, process.cwd),
        why="and ask where we are: it must lie inside the root",
        chapter="10",
    )
    if process.args[0] == program.INIT:
        yield Step(
            "look up what init shall run",
            Call(program.find, process.args[1:], process.env, process.cwd),
            why="init could only say so when it is too late",
            chapter="10",
        )
    yield Step(
        "look the program up",
        Call(program.find, process.args, process.env, process.cwd),
        why="'not found' belongs to create, not to start",
        result="program",
        chapter="10",
    )


def become(spec: Spec, filters: str) -> Iterator[Step]:
    """From here on less and less is allowed, until the program is all that is left."""
    yield from connect(spec)
    yield from confine(spec, filters)
    yield Step(
        "become the program",
        Call(program.become, Ref(name="program"), list(spec.process.args), list(spec.process.env)),
        why="same pid, same namespaces, another program: the container runs",
        chapter="10",
    )


def connect(spec: Spec) -> Iterator[Step]:
    """Streams: a terminal, or what the host side prepared."""
    if spec.process.terminal:
        yield Step(
            "take the terminal",
            Call(terminal.control, _SLAVE),
            Call(process.dup2, _SLAVE, 0),
            Call(process.dup2, _SLAVE, 1),
            Call(process.dup2, _SLAVE, 2),
            why="the session's controlling terminal: Ctrl-C becomes SIGINT here",
            chapter="10",
        )
        return
    yield Step(
        "connect the streams",
        Call(process.dup2, _STDIN, 0),
        Call(process.dup2, _STDOUT, 1),
        Call(process.dup2, _STDERR, 2),
        why="pipes to the monitor, which logs them",
        chapter="10",
    )


def confine(spec: Spec, filters: str) -> Iterator[Step]:
    """Privileges go, then the filter comes; nothing of ours stays open."""
    yield Step(
        "let no descriptor through",
        Call(process.close_on_exec, 3),
        why="an open directory of the host would be a way out (CVE-2024-21626)",
        chapter="10",
    )
    yield Step(
        "give every signal its default effect",
        Call(process.stop_ignoring_signals),
        why="execve(2) keeps what is ignored, and Python ignores SIGPIPE: `yes | head` would never end",
        chapter="10",
    )
    yield from rlimits.steps(spec)  # late: a small nofile would hit our own set-up
    if spec.process.noNewPrivileges:
        yield from privileges.drop(spec)
        yield from syscall_filter.steps(spec, filters)  # last: it filters what follows
    else:
        # Without no_new_privs only CAP_SYS_ADMIN may install a filter, so it
        # comes first, and lets through what the drop needs. See seccomp(2).
        yield from syscall_filter.steps(spec, filters)
        yield from privileges.drop(spec)


def _maps_store(spec: Spec) -> bool:
    return users.has_namespace(spec) and bool(spec.root.layers)
