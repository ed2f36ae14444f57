"""exec: one more program in a container that runs.

Layer ``container``. The same idea as a start, with a shorter list: no new
namespace, all joined. The new process is our child, not the monitor's; its
streams are ours, or a terminal of the container's. ``explain`` for a start is
``plan.py``; this is the list for a guest.
"""

from __future__ import annotations

import os

from minirun.container import channel as channels
from minirun.container import plan
from minirun.container.channel import Channel
from minirun.container.pause import status_of
from minirun.container.state import Home, Record
from minirun.errors import Conflict
from minirun.isolation import apparmor, cgroups, privileges, rlimits, users
from minirun.isolation.cgroups.layout import Layout, layout
from minirun.linux import credentials, namespace, process, terminal
from minirun.linux.namespace import CloneFlag
from minirun.spec import Box, Spec
from minirun.steps import HOST, INIT, Call, Ref, Step, Walk
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

_HOST_END = Ref(name="channel to init")
_INIT_END = Ref(name="channel to host")
_PIDFD = Ref(name="pidfd")
_MASTER = Ref(name="terminal_master")
_SLAVE = Ref(name="terminal")


class Guest(Value):
    """A program that was started in a running container."""

    pid: int
    terminal: int = -1
    """Our end of its terminal, -1 without one."""


def execute(
    home: Home,
    spec: Spec,
    stdin: bool,
    output: bool,
    trace: Callable[[int, Step, Call, str, float], None] | None = None,
    into: int = -1,
) -> Guest:
    """Starts ``spec.process`` in the container ``home``; it is a child of the caller.

    ``spec`` is the container's own, with another process, which gets our
    ``stdin`` and our ``output`` (both) or /dev/null in their place; ``into`` is a
    descriptor that takes both outputs, whatever ours are. Raises
    Conflict when the container does not run, and what kept the program from starting.
    """
    pid = running_pid(home)
    if (record := home.record()).runtime:
        from minirun.container.oci import guest

        if guest.is_elsewhere(record):
            return _by_runtime(home, record, spec, stdin, output, into)
    privileges.check(spec)
    apparmor.check(spec)
    steps = exec_plan(spec, layout(), f"{home.store.root}/seccomp", joined(pid))
    ours, inits = Channel.pair()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    results: dict[str, Any] = {
        "channel to init": ours,
        "channel to host": inits,
        "pidfd": process.pidfd_open(pid),
        "stdin": 0 if stdin else null,
        "stdout": into if into >= 0 else 1 if output else null,
        "stderr": into if into >= 0 else 2 if output else null,
    }
    walk = Walk(steps, HOST, results, trace)
    try:
        for number, step in enumerate(steps, 1):
            if step.side == HOST:
                walk.do(number, step)
            if step.result == "init" and results["init"] == 0:
                ours.close()
                _guest_side(steps, inits, results, trace)
        inits.close()
        master = channels.wait(ours, channels.READY)
        phase, payload, _ = ours.receive()  # end of file: it became the program
        channels.raise_if_failed(phase, payload)
    except BaseException:
        walk.undo()
        raise
    return Guest(pid=results["init"], terminal=-1 if master is None else master)


def _by_runtime(home: Home, record: Record, spec: Spec, stdin: bool, output: bool, into: int) -> Guest:
    """In a kernel that is not this one's, where only the runtime can go."""
    from minirun.container.oci import guest

    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    out, err = (into, into) if into >= 0 else (1, 2) if output else (null, null)
    try:
        pid, master = guest.execute(home, record, spec.process, (0 if stdin else null, out, err))
    finally:
        os.close(null)
    return Guest(pid=pid, terminal=master)


def running_pid(home: Home, wish: str = "run a program in") -> int:
    """The container's first process. Raises Conflict, about ``wish``, when it does not run."""
    status = status_of(home)
    pid = home.live_pid()
    if status == "running" and pid:
        return pid
    record = home.record()
    raise Conflict(
        f"cannot {wish} container {record.name}",
        f"it is {status}",
        f"minirun {'unpause' if status == 'paused' else 'start'} {record.name}",
    )


def joined(pid: int) -> CloneFlag:
    """The namespaces in which ``pid`` differs from us."""
    own, its = namespace.inodes("self"), namespace.inodes(pid)
    flags = CloneFlag(0)
    for kind, inode in its.items():
        if own.get(kind) != inode:
            flags |= namespace.KINDS[kind][0]
    return flags


def exec_plan(spec: Spec, where: Layout, filters: str, flags: CloneFlag) -> list[Step]:
    """The steps of one exec, both sides."""
    return [*_host_steps(spec, where, flags), *_guest_steps(spec, where, filters, flags)]


def _host_steps(spec: Spec, where: Layout, flags: CloneFlag) -> Iterator[Step]:
    back = Call(namespace.join, "/proc/self/ns/pid", CloneFlag.NEWPID)
    if CloneFlag.NEWPID in flags:
        yield Step(
            "join the PID namespace",
            Call(namespace.join_process, _PIDFD, CloneFlag.NEWPID),
            why="takes effect in children only, so it comes before the clone",
            side=HOST,
            undo=[back],
            chapter="04",
        )
    yield Step(
        "make the process",
        Call(process.clone3, CloneFlag(0), cgroups.clone_into(spec, where)),
        why="no new namespaces: it is a guest",
        side=HOST,
        result="init",
        undo=[Call(process.kill_and_reap, Ref(name="init"))],
        chapter="04",
    )
    if CloneFlag.NEWPID in flags:
        yield Step(
            "return to the host's PID namespace", back, why="only the child was to live there", side=HOST
        )


def _guest_steps(spec: Spec, where: Layout, filters: str, flags: CloneFlag) -> Iterator[Step]:
    yield Step(
        "show the stage in ps",
        Call(credentials.set_name, "minirun:[init]"),
        why="until it becomes the program",
    )
    # Not by the host side, which does not wait for the program, nor the program for it.
    yield from rlimits.oom_score_adj(spec, INIT)
    yield privileges.undumpable()  # the container's processes see us from the first moment
    yield Step(
        "lead a session",
        Call(process.setsid),
        why="our terminal is not its own: no signal from there, no keys put into it (TIOCSTI)",
    )
    yield from apparmor.init_steps(spec)
    yield from cgroups.init_steps(spec, where)
    others = flags & ~CloneFlag.NEWPID
    if others:
        yield Step(
            "join the container's namespaces",
            Call(namespace.join_process, _PIDFD, others),
            why="one setns(2) for all of them, named by the container's first process",
            chapter="04",
        )
    if users.has_namespace(spec):
        yield Step(
            "become root of the user namespace",
            Call(credentials.setresgid, 0),
            Call(credentials.setresuid, 0),
            why="until now an id that the namespace does not know",
            chapter="16",
        )
    if spec.process.terminal:
        yield from _terminal(spec.process.consoleSize)
    yield from plan.look_up(spec)
    yield Step(
        "tell that all is ready",
        Call(channels.wake, _INIT_END, channels.READY, *([_MASTER] if spec.process.terminal else [])),
        why="what fails from here on is reported on the same channel",
    )
    yield from plan.become(spec, filters)


def _terminal(size: Box | None) -> Iterator[Step]:
    yield Step(
        "open a pseudoterminal",
        Call(terminal.open_master, "/dev/pts/ptmx"),
        why="out of the container's own devpts",
        result=_MASTER.name,
    )
    yield Step(
        "open its other end", Call(terminal.open_slave, _MASTER), why="for the program", result=_SLAVE.name
    )
    if size:
        yield Step(
            "set the terminal's size",
            Call(terminal.set_size, _MASTER, size.height, size.width),
            why="as large as ours, from the first line on",
        )


def _guest_side(
    steps: list[Step],
    host: Channel,
    results: dict[str, Any],
    trace: Callable[[int, Step, Call, str, float], None] | None,
) -> NoReturn:
    try:
        Walk(steps, INIT, results, trace).run()
    except BaseException as error:
        channels.report(host, error)
    process.leave(125)
