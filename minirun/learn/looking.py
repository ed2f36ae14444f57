"""A process as the kernel tells of it: what a check asks, without the process's help.

Layer ``learn``. All is read from /proc while the process lives; what is asked
of one that has gone raises ProcessLookupError or FileNotFoundError, which the
checker turns into a message. Read ``attempt.py`` next. proc(5), setns(2).
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from minirun.isolation.cgroups.layout import layout
from minirun.linux import namespace, procfs, trial
from minirun.linux.namespace import CloneFlag
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

#: The file in /proc/PID/ns -> the flag that joins it.
_FLAGS = {file: flag for flag, file in namespace.KINDS.values()}


class Done(Value):
    """A program that came to its end."""

    code: int
    """Its exit code; 128+N if signal N ended it."""
    out: str
    err: str


class Mount(Value):
    """A line of /proc/PID/mountinfo."""

    point: str
    kind: str
    source: str
    root: str
    options: tuple[str, ...]
    """Those of the mount, and behind them those of the file system."""
    optional: tuple[str, ...] = ()
    """``shared:1``, ``master:1``: propagation; nothing means private."""


class Process:
    """A process, by its pid as the checker's PID namespace counts."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __repr__(self) -> str:
        return f"Process({self.pid})"

    def exists(self) -> bool:
        """Whether it lives; a zombie does not."""
        return _state(self.pid) not in ("", "Z", "X")

    def is_zombie(self) -> bool:
        """Whether it has died, and nobody has asked for its exit code."""
        return _state(self.pid) == "Z"

    def namespace(self, kind: str) -> int:
        """The inode of its namespace: mnt, uts, ipc, net, pid, user, cgroup or time. Equal = shared."""
        return os.stat(f"/proc/{self.pid}/ns/{kind}").st_ino

    def status(self, field: str) -> str:
        """A field of /proc/PID/status: CapEff, NoNewPrivs, Seccomp, NSpid, Uid ... Raises KeyError."""
        return " ".join(procfs.status(self.pid)[field].split())

    def capabilities(self, field: str = "CapEff") -> int:
        """A set of capabilities as its bits."""
        return int(self.status(field), 16)

    def read(self, path: str) -> str:
        """A file: ``status`` is /proc/PID/status, ``/etc/hosts`` that file as the process sees it.

        ``hostname`` is the name of its UTS namespace.
        """
        if path == "hostname":
            return self.hostname()
        place = self.path(path) if path.startswith("/") else f"/proc/{self.pid}/{path}"
        with open(place, errors="replace") as file:
            return file.read()

    def path(self, path: str) -> str:
        """Where the checker finds the file that is ``path`` for the process."""
        return f"/proc/{self.pid}/root{path}"

    def words(self) -> list[str]:
        """Its command line."""
        return self.read("cmdline").split("\0")[:-1]

    def hostname(self) -> str:
        """The name of its UTS namespace."""
        return str(self.inside(lambda: os.uname().nodename, "uts"))

    def mounts(self) -> list[Mount]:
        """What it sees mounted, in the order of /proc/PID/mountinfo."""
        return [_mount(line) for line in self.read("mountinfo").splitlines()]

    def cgroups(self) -> dict[str, str]:
        """Controller -> the directory of its group; "" is the key of cgroup v2's."""
        known = layout()
        found = {}
        for line in self.read("cgroup").splitlines():
            number, names, place = line.split(":", 2)
            if number == "0" and known.v2:
                found[""] = known.v2 + place.rstrip("/")
                found.update(dict.fromkeys(known.v2_controllers, found[""]))
            for name in names.split(",") if names else ():
                if name in known.v1:
                    found["io" if name == "blkio" else name] = known.v1[name] + place.rstrip("/")
        return found

    def parent(self) -> Process:
        """The process that made it, or the one that it was given to."""
        return Process(int(_stat(self.pid)[1]))

    def children(self) -> list[Process]:
        """Its children, zombies included."""
        return [Process(pid) for pid in children(self.pid)]

    def root(self) -> str:
        """Its root directory as the kernel names it."""
        return os.readlink(f"/proc/{self.pid}/root")

    def inside(self, function: Callable[[], Any], *kinds: str) -> Any:
        """What ``function`` gives in a forked child that has joined these namespaces (of /proc/PID/ns).

        The result has to be something that JSON can carry.
        """

        def joined() -> Any:
            enter(self.pid, *kinds)
            return function()

        return trial.in_child(joined)

    def run(self, *words: str, within: str = "net", timeout: float = 10.0) -> Done:
        """Runs a program of the host's in namespaces of the process: ``within`` as "net" or "net,uts"."""
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            preexec_fn=lambda: enter(self.pid, *within.split(",")),
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)


def enter(pid: int, *kinds: str) -> None:
    """Moves the caller into namespaces of ``pid``; a new mount namespace takes its directory away."""
    flags = CloneFlag(0)
    for kind in kinds:
        flags |= _FLAGS[kind]
    pidfd = os.pidfd_open(pid)
    try:
        namespace.join_process(pidfd, flags)
    finally:
        os.close(pidfd)


def everyone() -> dict[int, tuple[int, str]]:
    """Pid -> parent and state of every process."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (fields := _stat(int(entry))):
            found[int(entry)] = (int(fields[1]), fields[0])
    return found


def children(pid: int) -> list[int]:
    """The children of ``pid``, zombies included."""
    return [child for child, (parent, _) in everyone().items() if parent == pid]


def descendants(pid: int) -> dict[int, str]:
    """All processes below ``pid``, with their states."""
    table: dict[int, list[int]] = {}
    known = everyone()
    for child, (parent, _) in known.items():
        table.setdefault(parent, []).append(child)
    found: dict[int, str] = {}
    todo = list(table.get(pid, ()))
    while todo:
        one = todo.pop()
        if one not in found:
            found[one] = known[one][1]
            todo += table.get(one, ())
    return found


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    """State, parent and the rest of /proc/PID/stat; nothing for one that has gone."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _mount(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    fields = before.split()
    kind, source, options = (after + " ").split(" ", 3)[:3]
    return Mount(
        point=_plain(fields[4]),
        root=_plain(fields[3]),
        kind=kind,
        source=_plain(source),
        options=(*fields[5].split(","), *options.split(",")),
        optional=tuple(fields[6:]),
    )


def _plain(text: str) -> str:
    for character in " \t\n\\":
        text = text.replace(f"\\{ord(character):03o}", character)
    return text
