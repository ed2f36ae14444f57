"""Whether a process of the host's has a port, and which.

Layer ``network``. bind(2) tells whether one has it. Which one is asked only to
word an error: the kernel lists its sockets in /proc/net, each with the number of
its inode, and a process has it as a link /proc/PID/fd/N -> ``socket:[INODE]``.
See proc(5); ``ss -lp`` does the same. Used by ``ports.py``.
"""

from __future__ import annotations

import _socket
import errno
import os

from minirun.errors import Conflict, MinirunError, NotFound, Unsupported, reason
from minirun.network.port_words import shown
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.spec import Port

#: A listening socket, in the fourth column of /proc/net/tcp (TCP_LISTEN).
_LISTENS = "0A"


def refusal(port: Port) -> OSError | None:
    """Why ``port`` cannot be bound: on IPv4 and IPv6, where no address was given."""
    families = [(_socket.AF_INET, "0.0.0.0"), (_socket.AF_INET6, "::")]
    if port.host_address:
        family = _socket.AF_INET6 if ":" in port.host_address else _socket.AF_INET
        families = [(family, port.host_address)]
    for family, address in families:
        try:
            _bind(family, address, port)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT and not port.host_address:
                continue  # a host without IPv6
            return error
    return None


def _bind(family: int, address: str, port: Port) -> None:
    """Binds and lets go again: EADDRINUSE, where somebody has the port."""
    kind, protocol = _socket.SOCK_STREAM, 0
    if port.protocol == "udp":
        kind = _socket.SOCK_DGRAM
    elif port.protocol == "sctp":
        if not os.path.exists("/proc/net/sctp"):
            return  # without the module there is no such socket, and asking would load it
        protocol = _socket.IPPROTO_SCTP
    trial = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, protocol)
    try:
        if family == _socket.AF_INET6:
            trial.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        if port.protocol == "tcp":
            # Connections of a server that is gone (TIME_WAIT) do not count: socket(7), SO_REUSEADDR.
            trial.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        trial.bind((address, port.host_port))
    finally:
        trial.close()


def refused(port: Port, error: OSError) -> MinirunError:
    """The words for a ``refusal``."""
    what = f"cannot publish {shown(port)}"
    if error.errno == errno.EADDRINUSE:
        holder = who(port.protocol, port.host_port)
        return Conflict(what, f"{holder} has that port", "choose another port of the host's, or stop it")
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return NotFound(
            what, f"this host does not have the address {port.host_address}", "ip address lists those it has"
        )
    if error.errno == errno.EACCES:
        return Unsupported(
            what,
            "a port that low is for the privileged (net.ipv4.ip_unprivileged_port_start)",
            "choose a port from 1024 up, or run it as root",
        )
    return Unsupported(what, f"bind(2): {reason(error)}", "choose another port or address of the host's")


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
