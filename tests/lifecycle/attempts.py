"""A start that is disturbed at a chosen moment, and the look at what it has left.

The tests' process forks a child that stands for the command: it calls what
``minirun run`` calls, with a ``fault`` (steps.Walk) that stops at one moment of
one step and asks the tests' process what shall happen. That one kills whom the
test wants killed: from outside, for PID 1 of a namespace is deaf to a SIGKILL
of its own. It is the subreaper of all of them, so when it has no children left,
everything that the start has made is over: nothing here waits for a time.
"""

from __future__ import annotations

import ipaddress
import mmap
import os
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prctl

from minirun.cli.run import main as run_main
from minirun.cli.settings import Settings
from minirun.cli.start import main as start_main
from minirun.container import start
from minirun.container.oci import groups
from minirun.container.options import Options, StartOptions
from minirun.container.prepare import prepare
from minirun.container.state import Home, Store
from minirun.errors import MinirunError
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.network import networks, published
from minirun.spec import BlockIO, Cpu, Resources, ThrottleDevice
from minirun.steps import Step
from minirun.values import Value, replace
from tests import leaks
from tests.patience import until

#: Shared with the children: the id of the container that the last one has begun.
_id = mmap.mmap(-1, 64)

Fault = Callable[[int, str], None]

#: What a program does that shall be seen, if it runs.
PROGRAM = ("sh", "-c", "echo ran >/marks/ran; echo out")


class Ended(Value):
    """What became of the command."""

    code: int
    """Its exit code; -9 if it was killed."""
    said: str
    """Its stdout and stderr."""
    reached: bool
    """Whether the moment to disturb it ever came."""


def plain(marks: Path) -> Options:
    """A start with pipes, in the host's user namespace."""
    return Options(
        image="busybox",
        command=PROGRAM,
        name="disturbed",
        network=("none",),
        volume=(f"{marks}:/marks", "kept:/kept", "/scratch"),
        memory=64 << 20,
        pids_limit=50,
        sysctl={"net.ipv4.ip_unprivileged_port_start": "80"},
        tmpfs=("/fast:size=1m",),
    )


def wired(marks: Path) -> Options:
    """A start on the network ``faulty``, with an alias, and published ports of each kind."""
    return replace(
        plain(marks),
        network=("faulty",),
        network_alias=("shop",),
        publish=("80", "53/udp", "127.0.0.1::81"),
    )


def everything(marks: Path) -> Options:
    """A start whose plan has a step of every kind."""
    return replace(
        plain(marks),
        userns="private",
        tty=True,
        init=True,
        read_only=True,
        time="private",
        time_offset=1000.0,
        hostname="disturbed",
        domainname="example.org",
        memory_swap=128 << 20,
        memory_reservation=32 << 20,
        cpus=0.5,
        cpu_shares=512,
        cpuset_cpus="0",
        device_read_bps=((_disks()[0], 1 << 20),),
        device=("/dev/null:/dev/also-null:r",),
        ulimit=("nofile=100:100", "core=0:0"),
        oom_score_adj=500,
        cap_add=("NET_ADMIN",),
        cap_drop=("CHOWN",),
        umask=0o27,
        workdir="/fast/work",
        shm_size=1 << 20,
    )


def _disks() -> list[str]:
    return [f"/dev/{name}" for name in sorted(os.listdir("/sys/block")) if os.path.exists(f"/dev/{name}")]


@contextmanager
def _subreaper() -> Iterator[None]:
    """All that is orphaned below this process meanwhile becomes its child."""
    prctl.set_child_subreaper(1)
    try:
        yield
    finally:
        prctl.set_child_subreaper(0)


def wait_for_all() -> dict[int, int]:
    """Waits until this process has no children; pid -> exit code or -signal."""
    codes: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return codes
        codes[pid] = os.waitstatus_to_exitcode(status)


def exit_code_of(pid: int) -> int:
    """Waits for the child ``pid`` alone; its exit code or -signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def shared_groups() -> Iterator[None]:
    """Holds the cgroups that all containers share, in every tree and with every controller.

    They come and go with containers of others, and each time a start has a step more or
    less: meanwhile all plans of the same options have the same steps.
    """
    where = layout()
    path = f"/minirun/minirun-test-{os.getpid()}"
    cpus = Cpu(shares=2, cpus="0" if where.version("cpuset") else "")
    disks = [os.stat(disk).st_rdev for disk in _disks()[:1] if where.version("io")]
    slow = tuple(ThrottleDevice(major=os.major(one), minor=os.minor(one), rate=1 << 20) for one in disks)
    cgroups.make(path, Resources(cpu=cpus, blockIO=BlockIO(throttleReadBpsDevice=slow)), where)
    held = [tree + path for tree in groups.trees()]
    for group in held:
        until(f"{group} is made", lambda group=group: _is_made(group))
    try:
        yield
    finally:
        cgroups.remove(held)
        cgroups.remove_parents(held)


def _is_made(group: str) -> bool:
    """Makes it, unless the one above goes at this very moment."""
    try:
        os.makedirs(group, exist_ok=True)
    except FileNotFoundError:
        return False
    return True


def plan_of(store: Store, options: Options) -> list[Step]:
    """The steps that a start with ``options`` walks."""
    with prepare(store, options) as prepared:
        steps = start.plan_of(prepared.home, prepared.record)
        prepared.clear()
    return steps


@_subreaper()
def disturbed(
    store: Store, options: Options, number: int, moment: str, whom: str, again: Home | None = None
) -> Ended:
    """``minirun run`` with somebody killed at ``moment`` of step ``number``.

    ``whom``: "self", who does the step; "peer", the other side; "command"; "all".
    With ``again`` it is ``minirun start -a`` of that container.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def fault(at: int, when: str) -> None:
        if (at, when) == (number, moment):
            theirs.send(b"?")
            theirs.recv(1)

    command, output = forked(lambda: as_the_command(store, options, fault, again), ours)
    theirs.close()
    codes: dict[int, int] = {}
    reached = False
    while asker := _asker(ours):
        reached = True
        for victim in _victims(whom, asker, command):
            _kill(victim)
        if whom == "command" and command not in codes:
            codes[command] = exit_code_of(command)
        if whom in ("peer", "command"):
            _answer(ours)
    ours.close()
    codes |= wait_for_all()
    return Ended(code=codes[command], said=text_of(output), reached=reached)


def _victims(whom: str, asker: int, command: int) -> list[int]:
    if whom == "command":
        return [command]
    peers = [] if whom == "self" else _peers(asker, command)
    return {"self": [asker], "peer": peers, "all": [command, *peers, asker]}[whom]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _answer(ours: socket.socket) -> None:
    try:
        ours.send(b"!")
    except BrokenPipeError:
        pass  # it died of its peer's death meanwhile


def failing(store: Store, options: Options, number: int, moment: str, error: int) -> Ended:
    """``minirun run`` whose step ``number`` fails with errno ``error``."""
    reached = mmap.mmap(-1, 1)

    def fault(at: int, when: str) -> None:
        if (at, when) == (number, moment):
            reached[0] = 1
            raise OSError(error, os.strerror(error))

    ended = finished(lambda: as_the_command(store, options, fault))
    return replace(ended, reached=bool(reached[0]))


@_subreaper()
def finished(work: Callable[[], int]) -> Ended:
    """Does ``work`` in a child; returns when all that it has started is over."""
    command, output = forked(work)
    code = wait_for_all()[command]
    return Ended(code=code, said=text_of(output), reached=True)


def _asker(ours: socket.socket) -> int:
    """The pid, as we count, of who has reached the moment; 0 when nobody will any more."""
    try:
        packet, rights, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(12))
    except ConnectionResetError:  # the last one died without reading our answer
        return 0
    return struct.unpack("iii", rights[0][2])[0] if packet else 0


def _peers(pid: int, command: int) -> list[int]:
    """The other side of the start: [init]'s parent, the host side's child."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if parent not in (command, os.getpid()):
            return [parent]
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def forked(work: Callable[[], int], *unwanted: socket.socket) -> tuple[int, int]:
    """Does ``work`` in a child; its pid, and a file with what it says."""
    output = os.memfd_create("output")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            for sock in unwanted:
                sock.close()
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.stdout = sys.stderr = open(1, "w", closefd=False)
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    return pid, output


def as_the_command(
    store: Store, options: Options, fault: Fault | None = None, again: Home | None = None
) -> int:
    """What ``minirun run`` (or ``start -a``) does, with a fault; its exit code."""
    real = start.launch

    def launch(home: Home, *args: Any, **more: Any) -> Any:
        _id[:] = home.id.encode()
        return real(home, *args, **{**more, "fault": fault})

    start.launch = launch
    try:
        settings = Settings(root=store.root, state=store.state)
        if again:
            return start_main(settings, StartOptions(containers=(again.id,), attach=True))
        return run_main(settings, options)
    except MinirunError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        start.launch = real


def last_id() -> str:
    """The container that the last command has begun to make, "" if it did not come so far."""
    return _id[:].rstrip(b"\0").decode()


def cgroups_of(id: str) -> list[str]:
    """Where its cgroups would be."""
    return [f"{tree}/minirun/{id}" for tree in groups.trees() if id]


def text_of(output: int) -> str:
    """What a child of ``forked`` has said."""
    os.lseek(output, 0, os.SEEK_SET)
    with os.fdopen(output, errors="replace") as file:
        return file.read()


def traces(store: Store) -> set[str]:
    """Every path below the store's two roots, and the last attempt's cgroups and mounts.

    What images consist of is left out, and named volumes: those are the user's.
    """
    found = set()
    for root in (store.root, store.state):
        for directory, names, files in os.walk(root):
            if directory in (f"{root}/layers", f"{root}/images/blobs"):
                names.clear()
            if directory == f"{root}/volumes":
                names[:] = set(names) - {"kept"}
            found |= {f"{directory}/{name}" for name in (*names, *files)}
    found -= {f"{store.root}/{name}" for name in ("names", "ids", "volumes", "seccomp")}
    found |= {place for place in cgroups_of(last_id()) if os.path.isdir(place)}
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found |= {line for line in mounts if store.root in line or store.state in line}
    return found | network_traces(store)


def network_traces(store: Store) -> set[str]:
    """The last attempt's cable, and whatever the store's networks know of anybody.

    The kernel takes a namespace apart after its last process, in its own time: that is waited for.
    """
    cable = Path("/sys/class/net", f"mr{last_id()[:10]}")
    found = leaks.wait_for(lambda: {str(cable)} if cable.exists() else set())
    subnets = [
        ipaddress.ip_network(subnet.cidr)
        for network in networks.networks(store.root)
        for subnet in network.subnets
    ]
    for port, address in published.published():
        if any(ipaddress.ip_address(address) in subnet for subnet in subnets):
            found.add(
                f"element {port.protocol} {port.host_address}:{port.host_port} to {address}:{port.port}"
            )
    for pattern in ("networks/*/names", "containers/*/hosts"):
        for file in Path(store.state).glob(pattern):
            lines = file.read_text().splitlines()
            # Blanks behind a # are where a line was: a file that is mounted is changed in its place.
            found |= {f"{file}: {line}" for line in lines if line.rstrip() != "#"}
    return found
