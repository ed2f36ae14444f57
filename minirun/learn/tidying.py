"""Takes away what a learner's experiments left on the machine, for ``minirun learn reset``.

Layer ``learn``. Programs that a learner starts by hand stand in no fence.
What is theirs is known by the chapter's folder: processes that stand in it, run
a file of it or have it mounted, and mounts in it; namespaces go with the last of
these. Groups (``groups.py``), network interfaces and tables of nftables are found
by their name, ``learnPID``, once that process is gone. Read ``fence.py`` for
programs that ``check`` runs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from minirun.learn.looking import Process, everyone
from minirun.linux import mount, netlink_route
from minirun.linux.mount import UmountFlag

if TYPE_CHECKING:
    from pathlib import Path

#: How the chapters' programs call what they make in the host's network.
_NAME = re.compile(r"learn(\d+)[a-z]*")
_PATIENCE = 5.0


def processes(folder: Path) -> list[int]:
    """The processes that have to do with ``folder``: not we, not who called us."""
    above = _callers()
    return [pid for pid in everyone() if pid not in above and _is_of(Process(pid), str(folder))]


def tidy(folder: Path) -> list[str]:
    """Ends the processes of ``folder``, unmounts what is mounted in it; a line for each thing done."""
    done = []
    killed = processes(folder)
    names = {pid: _command(pid) for pid in killed}
    deadline = time.monotonic() + _PATIENCE
    while (left := processes(folder)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    done += [f"ended process {pid}: {names[pid]}" for pid in killed]
    for point in reversed(mounted(folder)):
        mount.umount2(point, UmountFlag.MNT_DETACH | UmountFlag.UMOUNT_NOFOLLOW)
        done.append(f"unmounted {point}")
    return done


def mounted(folder: Path) -> list[str]:
    """The mount points in ``folder``, in our own mount namespace, in the order of their making."""
    return [one.point for one in Process(os.getpid()).mounts() if _is_below(one.point, str(folder))]


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


def _is_orphan(name: str) -> bool:
    found = _NAME.fullmatch(name)
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
