"""create: walks the plan, up to the gate.

Layer ``container``. Three processes take part:

    minirun run ---fork---> the host side ---clone3---> [init]
      |                       |  walks the HOST steps      |  walks the INIT steps
      | waits for CREATED     |  waits for READY <---------|  waits at the gate
      v                       v                            v
      attach.py               execs native/monitor         START: becomes the program

The host side is forked first so that it, and not the command, is the parent:
the command may be killed at any time. What fails is undone by the host side,
last step first, and then reported; what dies is swept by ``gc.py``. Until the
command has heard CREATED, its death calls the creation off; from then on the
container lives without it.
Read ``plan.py`` for the list, ``channel.py`` for the phases.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import os

from minirun import native
from minirun.container import channel as channels
from minirun.container import monitor, plan_phases
from minirun.container.channel import Channel
from minirun.container.locks import Lock
from minirun.container.state import Exit, Home, Record, Running
from minirun.errors import MinirunError, StepFailed
from minirun.linux import cgroup, process
from minirun.steps import HOST, INIT, Walk
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from minirun.steps import Call, Step

_BACKLOG = 16
#: The results of clone3(2): its child walks the INIT steps.
_BORN = ("init", plan_phases.STARTER)
_TRIES = 32


#: The monitors of the containers that this process has made: its children.
_monitors: set[int] = set()


class Launch(Value):
    """Everything that one creation needs."""

    home: Home
    record: Record
    plan: Sequence[Step]
    replan: Callable[[], Sequence[Step]]
    """Makes the plan anew, for a host that has changed since it was made."""
    lock: Lock
    """The container's, held by the caller; the new processes let go of their copies."""
    autostart: bool = False
    """The monitor opens the gate at once."""
    greeting: tuple[bytes, ...] = ()
    """Packets that the monitor shall find from the client before it opens the gate."""
    again: bool = False
    """The container exists and has ended: a failure must not remove its files."""
    trace: Callable[[int, Step, Call, str, float], None] | None = None
    fault: Callable[[int, str], None] | None = None


def create(launch: Launch) -> Channel:
    """Makes the container, and gives a client's end of a channel to its monitor.

    CREATED or FAILED is the first packet to come; see ``wait_created``. The
    caller holds the container's ``lock``; its monitor.lock is taken here.
    """
    home = launch.home
    native.path("monitor")  # after START it is too late to find out
    life = Lock(home, "monitor.lock")
    life.acquire(wait=True, make=True)
    ours, theirs = Channel.pair()
    try:
        for packet in launch.greeting:
            ours.send(packet)
        if not launch.again:
            home.write_pending(launch.record)
        _monitors.add(process.fork(lambda: _host_side(launch, life.fd, theirs, ours)))
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        life.release()  # the host side holds it on
    return ours


def reap() -> None:
    """Takes leave of the monitors that have ended, for a maker that lives on. Never waits."""
    for pid in list(_monitors):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended = pid  # the child of whom this process was forked from
        if ended:
            _monitors.discard(pid)


def wait_created(client: Channel) -> int:
    """Waits until the container is created; its pid. Raises what went wrong."""
    phase, payload, _ = client.receive()
    channels.raise_if_failed(phase, payload)
    if phase != monitor.CREATED:
        raise MinirunError(
            "the creation of the container ended without a word",
            "its process was killed",
            "minirun gc removes what is left of it",
        )
    return int(payload)


def _host_side(launch: Launch, life: int, client: Channel, other: Channel) -> NoReturn:
    """The parent-to-be: walks the HOST steps, then becomes the monitor."""
    other.close()  # or nobody would ever see end of file on it
    launch.lock.release()  # or it would be held until the program runs
    ours, inits = Channel.pair()
    streams = Streams(launch.record)
    results: dict[str, Any] = {
        "channel to init": ours,
        "channel to host": inits,
        **streams.container_ends(),
    }
    walk = Walk(launch.plan, HOST, results, launch.trace, launch.fault)
    before = launch.home.exit() if launch.again else None
    try:
        if _walk_host_side(launch, walk):
            os.close(life)  # first: the death of the host side shall be seen at once
            ours.close()
            client.close()
            streams.close_monitor_ends()
            _init_side(walk, inits)
        inits.close()
        streams.close_container_ends()
        pid = results["init"]
        state = Running(pid=pid, startTime=process.start_time(pid), monitor=os.getpid())
        # What needs no word from the child is done while it mounts.
        launch.home.prepare_commit(state)
        fds = _descriptors(launch, life, client, ours, streams)
        terminal = channels.wait(ours, channels.READY)
        launch.home.commit()
        client.send(monitor.CREATED, b"%d" % pid)
        if launch.autostart:
            ours.send(channels.START)  # it goes on while we become the monitor
        starter = results.get(plan_phases.STARTER, 0)
        monitor.become(launch.home, launch.record, fds, terminal, pid, launch.autostart, starter)
    except BaseException as error:
        if any(results.get(name) == 0 for name in _BORN):  # clone3 has come back twice, and this is the child
            channels.report(inits, error)
            process.leave(125)
        _take_back(launch, walk, client, channels.cause(ours, error), before)


def _walk_host_side(launch: Launch, walk: Walk) -> bool:
    """Does the HOST steps; comes back twice, as clone3(2) does: True in [init].

    The cgroups above the container's own are shared, and go with the last
    container. One that goes while we build on it is made once more.
    """
    for _ in range(_TRIES):
        try:
            return _walk_once(walk)
        except StepFailed as error:
            if not _lost_a_parent(walk.done[-1], error):
                raise
            walk.undo()
            walk.plan = launch.replan()
    return _walk_once(walk)


def _walk_once(walk: Walk) -> bool:
    for number, step in enumerate(walk.plan, 1):
        if step.side == HOST:
            walk.do(number, step)
            if step.result in _BORN and walk.results[step.result] == 0:
                return True
    return False


def _lost_a_parent(step: Step, error: StepFailed) -> bool:
    from minirun.isolation import cgroups  # rarely needed

    makes = any(call.function in (cgroup.mkdir, cgroup.mkdir_parent, cgroup.write) for call in step.calls)
    return makes and cgroups.lost(error)


def _take_back(
    launch: Launch, walk: Walk, client: Channel, error: BaseException, before: Exit | None
) -> NoReturn:
    """Undoes what was done, reports ``error``, and ends."""
    from minirun.container import delete

    try:
        walk.undo()
        if launch.again:
            delete.forget_start(launch.home, launch.record, before, str(error))
        else:
            delete.forget(launch.home, launch.record)
    finally:  # whatever is left, `gc` sees; the command must hear of the cause
        channels.report(client, error)
        process.leave(125)


def _init_side(before: Walk, host: Channel) -> NoReturn:
    """The container's first process: walks the INIT steps; the last is execve."""
    walk = Walk(before.plan, INIT, before.results, before.trace, before.fault)
    try:
        walk.run()
        process.leave(0)  # only who has started a container of another runtime comes here
    except BaseException as error:
        channels.report(host, error)
    process.leave(125)


def _descriptors(
    launch: Launch,
    life: int,
    client: Channel,
    ours: Channel,
    streams: Streams,
) -> monitor.Descriptors:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    runtime = os.open(launch.home.runtime, flags)
    return monitor.Descriptors(
        runtime=runtime,
        data=os.open(launch.home.data, flags),
        lock=life,
        listen=_listen(runtime),
        channel=ours.fileno(),
        client=client.fileno(),
        **streams.monitor_ends(),
    )


def _listen(runtime: int) -> int:
    """The socket where clients meet the monitor; a path through /proc, for
    sun_path holds 108 bytes only (unix(7))."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        os.unlink("attach.sock", dir_fd=runtime)  # an earlier monitor's
    except FileNotFoundError:
        pass
    sock.bind(f"/proc/self/fd/{runtime}/attach.sock")
    sock.listen(_BACKLOG)
    return sock.detach()


class Streams:
    """The pipes between the program and the monitor: stdin, stdout, stderr."""

    def __init__(self, record: Record) -> None:
        self.ours: dict[str, int] = {}
        self.theirs: dict[str, int] = {}
        if record.spec.process.terminal:
            return  # a pseudoterminal carries all three
        if record.interactive:
            self.theirs["stdin"], self.ours["stdin"] = os.pipe()
        else:
            self.theirs["stdin"] = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        self.ours["stdout"], self.theirs["stdout"] = os.pipe()
        self.ours["stderr"], self.theirs["stderr"] = os.pipe()

    def container_ends(self) -> dict[str, int]:
        """By the names of plan.py's Refs."""
        return dict(self.theirs)

    def monitor_ends(self) -> dict[str, int]:
        """By the names of monitor.Descriptors."""
        return dict(self.ours)

    def close_container_ends(self) -> None:
        """The program's end of file must not wait for us."""
        for fd in self.theirs.values():
            os.close(fd)

    def close_monitor_ends(self) -> None:
        """In the child: what only the monitor may hold."""
        for fd in self.ours.values():
            os.close(fd)
