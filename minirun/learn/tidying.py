"""Takes away what a learner's experiments left on the machine, for ``minirun learn reset``.

Layer ``learn``. Programs that a learner starts by hand stand in no fence.
What is theirs is known by the chapter's folder: processes that stand in it, run
a file of it or have it mounted, mounts in it, and what a runtime keeps of a bundle
in it; namespaces go with the last of these. Groups (``groups.py``), network
interfaces, tables of nftables and directories in /tmp are found by their name,
``learnPID``, once that process is gone; so are the network namespaces that chapter 08
has three machines in. Read ``fence.py`` for programs that
``check`` runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from minirun.learn.looking import Process, everyone
from minirun.linux import mount, netlink_route
from minirun.linux.mount import UmountFlag

#: How the chapters' programs call what they make in the host's network.
_NAME = re.compile(r"learn(\d+)[a-z]*")
#: And in /tmp, from chapter 06 on.
_DIRECTORY = re.compile(r"minirun-learn-(\d+)-.*")
#: Where the runtime of chapter 10 keeps what it knows of its containers.
STATE = "/run/minirun-learn"
#: Chapter 08's three machines, as ip-netns(8) keeps them.
_MACHINES = "learn-box", "learn-host", "learn-world"
_NETNS = "/run/netns"
_PATIENCE = 5.0


def processes(folder: Path) -> list[int]:
    """The processes that have to do with ``folder``: not we, not who called us."""
    above = _callers()
    names = {str(folder), os.path.realpath(folder)}  # as it was typed, and as the kernel calls it
    return [
        pid for pid in everyone() if pid not in above and any(_is_of(Process(pid), name) for name in names)
    ]


def tidy(folder: Path) -> list[str]:
    """Ends the processes of ``folder``, unmounts what is mounted in it, removes what a runtime noted of it.

    Gives a line for each thing done.
    """
    done = []
    killed = processes(folder)
    names = {pid: _command(pid) for pid in killed}
    deadline = time.monotonic() + _PATIENCE
    while (left := processes(folder)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)  # strangers to us: none to wait for
    done += [f"ended process {pid}: {names[pid]}" for pid in killed]
    for point in reversed(mounted(folder)):
        mount.umount2(point, UmountFlag.MNT_DETACH | UmountFlag.UMOUNT_NOFOLLOW)
        done.append(f"unmounted {point}")
    for place in _notes(folder):
        shutil.rmtree(place)
        done.append(f"removed {place}")
    with contextlib.suppress(OSError):
        os.rmdir(STATE)  # it was the last
    return done


def _notes(folder: Path) -> list[Path]:
    """What chapter 10's runtime keeps of containers whose bundle is in ``folder``."""
    found = []
    for file in Path(STATE).glob("*/state.json"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # a learner's program wrote it
            bundle = json.loads(file.read_text())["bundle"]
            if _is_below(os.path.realpath(bundle), os.path.realpath(folder)):
                found.append(file.parent)
    return found


def mounted(folder: Path) -> list[str]:
    """The mount points in ``folder``, in our own mount namespace, in the order of their making."""
    real = os.path.realpath(folder)
    return [one.point for one in Process(os.getpid()).mounts() if _is_below(one.point, real)]


def remove_links() -> list[str]:
    """Removes the network interfaces of chapters' programs that have ended; a line for each."""
    names = [name for _, name in socket.if_nameindex() if _is_orphan(name)]
    return [f"removed interface {name}" for name in names if netlink_route.delete_link(name)]


def remove_tables() -> list[str]:
    """Removes their tables of nftables, by nft(8), without which they made none; a line for each."""
    if not shutil.which("nft"):
        return []
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    done = []
    for line in listed.stdout.splitlines():
        _, family, name = line.split()
        if _is_orphan(name):
            subprocess.run(["nft", "delete", "table", family, name], capture_output=True, check=False)
            done.append(f"removed nftables table {family} {name}")
    return done


def remove_machines() -> list[str]:
    """Removes the network namespaces of chapter 08, as `ip netns delete` would; a line for each."""
    done = []
    for place in (f"{_NETNS}/{name}" for name in _MACHINES):
        if os.path.lexists(place):
            with contextlib.suppress(OSError):  # EINVAL: nothing is mounted on it
                mount.umount2(place, UmountFlag.MNT_DETACH | UmountFlag.UMOUNT_NOFOLLOW)
            os.unlink(place)
            done.append(f"removed network namespace {os.path.basename(place)}")
    return done


def remove_directories() -> list[str]:
    """Removes their directories in /tmp; a line for each."""
    places = Path(tempfile.gettempdir()).iterdir()
    gone = sorted(place for place in places if _is_orphan(place.name, _DIRECTORY) and _is_plain(place))
    for place in gone:
        shutil.rmtree(place)
    return [f"removed {place}" for place in gone]


def _is_plain(place: Path) -> bool:
    """Whether it is a directory of our own, with nothing mounted in it: in /tmp anybody may choose a name."""
    about = place.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and not mounted(place)


def _is_orphan(name: str, pattern: re.Pattern[str] = _NAME) -> bool:
    found = pattern.fullmatch(name)
    return found is not None and not os.path.exists(f"/proc/{found[1]}")


def _is_of(process: Process, folder: str) -> bool:
    looked_at = [_link(process, name) for name in ("cwd", "exe", "root")]
    with contextlib.suppress(OSError):
        looked_at += process.words()
        if process.namespace("mnt") != Process(os.getpid()).namespace("mnt"):
            # Bound from the folder: its path is the mount's root, below the file system's.
            looked_at += [place for one in process.mounts() for place in (one.point, one.root)]
    return any(_is_below(place, folder) for place in looked_at)


def _is_below(place: str, folder: str) -> bool:
    return f"{place}/".startswith(f"{folder}/")


def _link(process: Process, name: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{process.pid}/{name}")
    return ""


def _callers() -> set[int]:
    """This process and all above it: a shell that stands in the folder is not the experiment."""
    found = {os.getpid()}
    pid = os.getpid()
    known = everyone()
    while pid in known and known[pid][0]:
        pid = known[pid][0]
        found.add(pid)
    return found


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return " ".join(Process(pid).words())[:80]
    return "?"
