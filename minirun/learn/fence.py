"""What holds a learner's program: limits, namespaces of its own, and an end.

Layer ``learn``. Whatever the program does wrong, the machine is as before when
the fence goes down:

    cgroup      a fork bomb and a leak meet their limit (memory, pids)
    namespaces  mounts, links and the host's name are a copy's: mnt, net, uts, ipc
    read-only   the machine's files, if asked for, but for some directories
    subreaper   who forks away becomes our child, not the machine's init's
    the end     all in the cgroup are killed, then all below us, until none is left

A process of ours, the host, stands in those namespaces and does nothing: for a
learner's program it is "the host", to compare namespaces with. A fence whose
maker was killed is found by the name of its group and taken down by the next
one (``groups.sweep``). Read ``groups.py`` next. cgroups(7), mount_namespaces(7),
prctl(2) on PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import prctl

from minirun.errors import MinirunError, Unsupported, hint, reason
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.learn import groups, looking
from minirun.learn.looking import Process
from minirun.learn.needs import require_root
from minirun.learn.protection import make_read_only
from minirun.linux import cgroup, link, mount, namespace, process
from minirun.linux.mount import MountFlag
from minirun.linux.namespace import CloneFlag
from minirun.spec import Memory, Pids, Resources
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What a learner's program gets: enough for each chapter, too little to hurt.
LIMITS = Resources(memory=Memory(limit=512 << 20), pids=Pids(limit=256))
_OWN = "mnt", "net", "uts", "ipc"
_PATIENCE = 10.0
_INTERVAL = 0.005


class Left(Value):
    """What a program has left behind although it ended; each in words of the kernel."""

    mounts: tuple[str, ...] = ()
    """Mount points in the host's mount namespace."""
    cgroups: tuple[str, ...] = ()
    """Directories."""
    links: tuple[str, ...] = ()
    """Network interfaces in the host's network namespace."""
    processes: tuple[str, ...] = ()
    """``PID name``."""

    def __bool__(self) -> bool:
        return bool(self.mounts or self.cgroups or self.links or self.processes)

    def __str__(self) -> str:
        parts = (
            ("mounts", self.mounts),
            ("cgroups", self.cgroups),
            ("links", self.links),
            ("processes", self.processes),
        )
        return "; ".join(f"{name}: {', '.join(found)}" for name, found in parts if found)


class Fence:
    """``with Fence() as fence: fence.popen([...])``: nothing of it outlives the block."""

    def __init__(
        self, limits: Resources = LIMITS, kinds: Sequence[str] = _OWN, writable: Sequence[str] = ()
    ) -> None:
        self.limits = limits
        self.writable = writable  # if any, the rest of the machine's files is read-only
        self.kinds = tuple(kinds)
        self.group: Any = None
        self.host = Process(0)
        self.before: frozenset[int] = frozenset()
        self.met: set[str] = set()  # groups that a process of ours was seen in
        self.pids: set[int] = set()  # and the processes that were seen
        self._groups: set[str] = set()
        self._mounts: set[str] = set()
        self._started: list[subprocess.Popen[Any]] = []
        self._subreaper = False

    def __enter__(self) -> Fence:
        require_root("programs here make namespaces and mounts, and are held by a cgroup")
        groups.sweep()
        self._subreaper = bool(prctl.get_child_subreaper())
        prctl.set_child_subreaper(True)
        self.before = frozenset(looking.descendants(os.getpid()))
        try:
            self._make_group()
            self._make_host()
        except BaseException:
            self.__exit__()
            raise
        self._groups = groups.known()
        self._mounts = self._points()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.kill()
            if self.host.pid:
                process.kill_and_reap(self.host.pid)
            self._remove_groups()
        finally:
            prctl.set_child_subreaper(self._subreaper)

    def popen(
        self, words: Sequence[str], cwd: str, env: Mapping[str, str], **streams: Any
    ) -> subprocess.Popen[Any]:
        """Starts a program inside. ``streams`` are subprocess.Popen's stdin, stdout and stderr."""
        directories = self.group.directories
        pid, kinds = self.host.pid, self.kinds

        def enter() -> None:
            process.die_with_parent()
            for directory in directories:
                cgroup.write(f"{directory}/cgroup.procs", "0")
            looking.enter(pid, *kinds)
            os.chdir(cwd)

        started = subprocess.Popen(
            words, cwd=cwd, env=dict(env), preexec_fn=enter, start_new_session=True, **streams
        )
        self._started.append(started)
        self.pids.add(started.pid)
        return started

    def processes(self) -> dict[int, str]:
        """All that live inside, with their states; the host is not counted."""
        found = looking.descendants(os.getpid())
        return {
            pid: state
            for pid, state in found.items()
            if pid not in self.before and pid != self.host.pid and state not in ("Z", "X")
        }

    def look(self) -> None:
        """Notes which groups our processes are in, for those they leave behind."""
        for pid in self.processes():
            self.pids.add(pid)
            with contextlib.suppress(OSError):
                self.met.update(Process(pid).cgroups().values())

    def left(self) -> Left:
        """What is still there that was not there before."""
        self.look()
        links = self.host.inside(_links, "net") if "net" in self.kinds else []
        return Left(
            mounts=tuple(sorted(self._points() - self._mounts)),
            cgroups=tuple(sorted(filter(self._is_ours, groups.known() - self._groups))),
            links=tuple(name for name in links if name != "lo"),
            processes=tuple(f"{pid} {_name(pid)}" for pid in sorted(self.processes())),
        )

    def _is_ours(self, place: str) -> bool:
        """Whether a group that is new is the program's: by its place, its members, or its name."""
        own: tuple[str, ...] = self.group.directories
        if place in own:
            return False  # the fence itself, which sweeps up as it goes
        if place in self.met or place.startswith(tuple(f"{each}/" for each in own)):
            return True
        maker = groups.maker(place)
        return maker in self.pids if maker else not groups.is_others(place)

    def kill(self) -> None:
        """Ends all that is inside, and reaps it. Raises MinirunError for who does not die."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        try:
            self.look()
            if self.group:
                cgroups.kill(self.group.directories)
            deadline = time.monotonic() + _PATIENCE
            while left := self.processes():  # who has left the group is a descendant still
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                if time.monotonic() > deadline:
                    raise MinirunError(
                        f"processes do not die: {sorted(left)}",
                        "they wait in the kernel",
                        "look at /proc/PID/stack",
                    )
                time.sleep(_INTERVAL)  # grandchildren become ours to wait for one by one
                self._reap()  # PID 1 of a namespace ends only when all who lived there are reaped
            for one in self._started:
                one.wait()
            self._reap()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _reap(self) -> None:
        """Orphans that became ours."""
        spared = self.before | {one.pid for one in self._started}
        for pid, (parent, state) in looking.everyone().items():
            if parent == os.getpid() and state == "Z" and pid not in spared:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _make_group(self) -> None:
        path = groups.new_path()
        known = layout()
        wanted = self.limits
        lacking = [name for name in ("memory", "pids") if not known.version(name)]
        if lacking:
            raise Unsupported(
                f"the cgroup controllers are missing: {', '.join(lacking)}",
                "without them nothing would hold a program that goes wrong",
                "look at `minirun doctor`",
            )
        self.group = cgroups.group(path, wanted, known)
        cgroups.make(path, wanted, known)

    def _make_host(self) -> None:
        """The process that keeps the namespaces while nobody else is in them."""
        reading, writing = os.pipe()

        def stand() -> None:
            process.die_with_parent()
            process.setsid()  # Ctrl-C is for us, who end it
            try:
                flags = CloneFlag(0)
                for kind in self.kinds:
                    flags |= looking._FLAGS[kind]
                namespace.unshare(flags)
                if "mnt" in self.kinds:
                    mount.mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
                if self.writable:
                    make_read_only(self.writable)
                if "net" in self.kinds:
                    link.up("lo")
                os.write(writing, b"1")
            except OSError as error:
                os.write(writing, f"0{reason(error)}\n{hint(error)}".encode())
                return
            os.closerange(3, 1 << 16)
            while True:
                signal.pause()

        pid = process.fork(stand)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            said = answer.read(1)
            rest = b"" if said == b"1" else answer.read()
        self.host = Process(pid)
        if said != b"1":
            why, _, remedy = rest.decode(errors="replace").partition("\n")
            raise MinirunError("cannot make the namespaces of the fence", why, remedy)

    def _points(self) -> set[str]:
        return {f"{one.point} ({one.kind})" for one in self.host.mounts()} if self.host.pid else set()

    def _remove_groups(self) -> None:
        if not self.group:
            return
        new = groups.known() - self._groups if self._groups else set()
        ours = [place for place in new if self._is_ours(place) and not cgroups.processes([place])]
        for place in sorted(ours, key=len, reverse=True):
            with contextlib.suppress(OSError):
                cgroups.remove([place])
        cgroups.remove(self.group.directories)
        cgroups.remove_parents(self.group.directories)


def _links() -> list[str]:
    import socket

    return [name for _, name in socket.if_nameindex()]


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Process(pid).read("comm").strip()
    return "?"
