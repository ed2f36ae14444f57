"""What the host's /proc says of a container's first process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from tests.conftest import Minirun

#: The files of /proc/PID/ns, one for each kind of namespace.
KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


class Mounted(NamedTuple):
    """One line of /proc/PID/mountinfo."""

    kind: str
    options: frozenset[str]
    """Of this mount, and of its file system."""
    propagation: str


def start(minirun: Minirun, name: str, *flags: str, command: tuple[str, ...] = ("sleep", "1000")) -> int:
    """Starts a detached busybox container; the pid of its first process."""
    said = any(flag.startswith("--network") for flag in flags)
    network = () if said else ("--network", "none")
    minirun("run", "-d", "--name", name, *network, *flags, "busybox", *command, check=True)
    return pid_of(minirun, name)


def pid_of(minirun: Minirun, name: str) -> int:
    """The container's first process, as the host counts."""
    return int(json.loads(minirun("inspect", name, check=True).stdout)[0]["state"]["pid"])


def inside(minirun: Minirun, name: str, script: str) -> list[str]:
    """The lines that a shell script prints in the container, whatever its exit code is."""
    done = minirun("exec", name, "sh", "-c", f"({script}) 2>&1")
    assert not done.stderr, done.stderr  # minirun's own
    return done.stdout.splitlines()


def namespaces(pid: int | str = "self") -> dict[str, int]:
    """Kind -> inode: the same number is the same namespace."""
    return {kind: os.stat(f"/proc/{pid}/ns/{kind}").st_ino for kind in KINDS}


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    return table(Path(f"/proc/{pid}/status").read_text())


def table(text: str) -> dict[str, str]:
    """Lines such as ``NoNewPrivs:  1``."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name: " ".join(value.split()) for name, _, value in lines}


def mounts(pid: int | str = "self") -> dict[str, Mounted]:
    """Mount point -> what is mounted there; of several the uppermost."""
    found = {}
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        _, _, _, _, place, options, *tags = before.split(" ")
        kind, _, more = after.split(" ")
        words = frozenset([*options.split(","), *more.split(",")])
        found[place] = Mounted(kind, words, tags[0].partition(":")[0] if tags else "private")
    return found


def groups(pid: int) -> dict[str, str]:
    """Controller -> the directory of the process's cgroup; "" is the v2 tree."""
    places: dict[str, str] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ")
        if kind in ("cgroup", "cgroup2"):
            for controller in options.split(",") if kind == "cgroup" else [""]:
                places.setdefault(controller, before.split(" ")[4])
    found = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in places:
                found[controller] = places[controller] + path
    return found
