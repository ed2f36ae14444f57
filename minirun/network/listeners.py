"""Which process of the host's has a port: asked only to word an error.

Layer ``network``. The kernel lists its sockets in /proc/net, each with the
number of its inode, and a process has it as a link /proc/PID/fd/N ->
``socket:[INODE]``. See proc(5); ``ss -lp`` does the same. Used by ``ports.py``.
"""

from __future__ import annotations

import os

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A listening socket, in the fourth column of /proc/net/tcp (TCP_LISTEN).
_LISTENS = "0A"


def who(protocol: str, port: int) -> str:
    """``nginx (pid 4711)``, or as much as can be found out."""
    inodes = set(_inodes(protocol, port))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if inodes and _has_one(pid, inodes):
            return f"{_name(pid)} (pid {pid})"
    return "a process of the host's"


def _inodes(protocol: str, port: int) -> Iterator[str]:
    """Of the sockets bound to ``port``, on whatever address."""
    if protocol == "sctp":
        # ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS
        for fields in _table("/proc/net/sctp/eps"):
            if fields[5] == str(port):
                yield fields[7]
        return
    ending = f":{port:04X}"
    for path in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        # sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
        for fields in _table(path):
            if fields[1].endswith(ending) and (protocol == "udp" or fields[3] == _LISTENS):
                yield fields[9]


def _table(path: str) -> list[list[str]]:
    try:
        with open(path) as file:
            return [line.split() for line in file.readlines()[1:]]
    except OSError:
        return []  # a kernel without IPv6, or without SCTP


def _has_one(pid: str, inodes: set[str]) -> bool:
    directory = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(directory)
    except OSError:
        return False  # it has ended, or is none of ours
    for descriptor in descriptors:
        try:
            target = os.readlink(f"{directory}/{descriptor}")
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return True
    return False


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"
