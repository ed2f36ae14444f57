"""Which network namespaces there are: the kernel has no list of them.

Layer ``network``. A namespace lives as long as something holds it: a process
inside it, or a bind mount of its file (that is all that ``ip netns add`` does).
So /proc is walked, and the mounts of nsfs are read; the inode tells which are
the same. One that only an open descriptor holds is not found this way, yet a
wire that leads into it is. See namespaces(7), ip-netns(8); ``tables.py`` next.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from minirun.network.map.model import Found, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where `ip netns` keeps its names.
NETNS_DIRECTORIES = ("/run/netns", "/var/run/netns")

_ENGINES = {
    "libpod": "podman",
    "docker": "docker",
    "cri-containerd": "containerd",
    "crio": "cri-o",
    "minirun": "minirun",
}
_ENGINE_ID = re.compile(rf"/({'|'.join(_ENGINES)})[-/]([0-9a-f]{{64}})")


def find() -> Found:
    """Every network namespace that this process can see. Never fails for want of rights."""
    pids, hidden = _processes()
    paths = mounted(_text("/proc/self/mountinfo"))
    for path, inode in _netns_names():
        if path not in paths.get(inode, ()):
            paths.setdefault(inode, []).append(path)
    here = os.stat("/proc/self/ns/net").st_ino
    own = engine_of(_text("/proc/self/cgroup"))
    places = [
        _place(inode, pids.get(inode, []), paths.get(inode, []), own) for inode in {*pids, *paths, here}
    ]
    missing = []
    if hidden:
        few = ", ".join(map(str, hidden[:3])) + (" ..." if len(hidden) > 3 else "")
        missing.append(
            f"{len(hidden)} process{'es' if len(hidden) > 1 else ''} whose namespace is not ours to read"
            f" (pid {few})" + ("" if os.geteuid() == 0 else ": root sees more")
        )
    return Found(here=here, places=tuple(sorted(places, key=lambda p: p.inode)), missing=tuple(missing))


def _place(inode: int, pids: list[int], paths: list[str], own_engine: str) -> Place:
    first = min(pids, default=0)
    engine = engine_of(_text(f"/proc/{first}/cgroup")) if first else ""
    return Place(
        inode=inode,
        pids=tuple(sorted(pids)),
        paths=tuple(sorted(paths)),
        comm=_text(f"/proc/{first}/comm").rstrip("\n") if first else "",
        # In a container of an engine, what is not in another one of it is not its doing.
        engine="" if engine == own_engine else engine,
    )


def _processes() -> tuple[dict[int, list[int]], list[int]]:
    """The processes of each namespace, and those that do not tell."""
    found: dict[int, list[int]] = {}
    hidden = []
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        try:
            name = os.readlink(f"/proc/{pid}/ns/net")
        except PermissionError:
            hidden.append(pid)
        except OSError:
            continue  # it ended, or is a zombie, which has no namespaces any more
        else:
            found.setdefault(inode_of(name), []).append(pid)
    return found, sorted(hidden)


def inode_of(name: str) -> int:
    """The number in ``net:[4026531840]``."""
    return int(name.partition("[")[2].rstrip("]"))


def mounted(mountinfo: str) -> dict[int, list[str]]:
    """Inode -> mount points of the network namespaces in the text of a ``mountinfo`` (proc(5))."""
    found: dict[int, list[str]] = {}
    for line in mountinfo.splitlines():
        fields, _, tail = line.partition(" - ")
        words = fields.split(" ")
        if tail.startswith("nsfs ") and words[3].startswith("net:["):
            path = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), words[4])
            found.setdefault(inode_of(words[3]), []).append(path)
    return found


def _netns_names() -> Iterator[tuple[str, int]]:
    """What `ip netns` lists: also symbolic links to /proc/PID/ns/net, as people make for docker."""
    device = os.stat("/proc/self/ns/net").st_dev
    directory = NETNS_DIRECTORIES[0]
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        try:
            status = os.stat(f"{directory}/{name}")
        except OSError:
            continue  # a link whose process is gone
        if status.st_dev == device:
            yield f"{directory}/{name}", status.st_ino


def engine_of(cgroup: str) -> str:
    """``podman 1a2b3c4d5e6f``, from the text of a /proc/PID/cgroup; "" where no container shows."""
    match = _ENGINE_ID.search(cgroup)
    return f"{_ENGINES[match[1]]} {match[2][:12]}" if match else ""


def _text(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
