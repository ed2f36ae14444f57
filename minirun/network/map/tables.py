"""What each namespace holds: its links, addresses, routes and firewall, by pyroute2.

Layer ``network``. One forked child walks through all of them: a thread that
calls setns(2) answers for another stack from then on, and the child takes that
with it when it ends. A netlink socket belongs to the namespace in which it was
opened. A link into another namespace names that by a number that holds in its
own only (netnsid); RTM_GETNSID, asked with a descriptor of a namespace, tells
its number. See rtnetlink(7), setns(2); read ``build.py`` next.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from minirun.errors import MinirunError, one_line, reason
from minirun.linux import trial
from minirun.linux.namespace import CloneFlag, join_process, open_namespace
from minirun.network import ruleset
from minirun.network.map.model import Found, Link, Place, Route, Tables
from minirun.values import plain, revive

if TYPE_CHECKING:
    from collections.abc import Iterator

_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_RT_TABLE_MAIN, _RTN_UNICAST, _RTPROT_KERNEL = 254, 1, 2


def read(found: Found) -> tuple[Tables, ...]:
    """The tables of every namespace in ``found``; a ``problem`` in place of what could not be read."""
    answers = trial.in_child(lambda: [plain(tables) for tables in _walk(found)])
    return tuple(revive(answer, Tables) for answer in answers)


def _walk(found: Found) -> Iterator[Tables]:
    """In the child: namespace after namespace."""
    from pyroute2 import IPRoute, NetlinkError

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a descriptor for each namespace
    opened: dict[int, int] = {}
    for place in found.places:
        try:
            opened[place.inode] = _open(place, found.here)
        except (FileNotFoundError, ProcessLookupError):
            continue  # whoever was in there has ended
        except OSError as error:
            yield Tables(inode=place.inode, problem=f"it cannot be opened: {reason(error)}")
    # Whoever has answered to a number is asked first for the next: most wires lead to the same router.
    order = [inode for inode in (found.here, *opened) if inode in opened]
    current = found.here
    for inode, fd in opened.items():
        try:
            if inode != current:
                join_process(fd, CloneFlag.NEWNET)
                current = inode
            with IPRoute() as netlink:
                yield _tables(netlink, inode, inode == found.here, opened, order)
        except OSError as error:
            yield Tables(inode=inode, problem=f"it cannot be entered: {reason(error)}")
        except NetlinkError as error:
            yield Tables(inode=inode, problem=f"it cannot be read: {error}")


def _open(place: Place, here: int) -> int:
    """A descriptor of the namespace, by whichever way to it still leads there."""
    ways = ["/proc/self/ns/net"] if place.inode == here else []
    ways += [*place.paths, *(f"/proc/{pid}/ns/net" for pid in place.pids)]
    failed = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for way in ways:
        try:
            fd = open_namespace(way)
        except OSError as error:
            failed = error
            continue
        if os.fstat(fd).st_ino == place.inode:
            return fd
        os.close(fd)  # the pid or the name has another one meanwhile
    raise failed


def _tables(netlink: Any, inode: int, here: bool, opened: dict[int, int], order: list[int]) -> Tables:
    addresses: dict[int, list[str]] = {}
    for message in netlink.get_addr():
        # On a point-to-point link IFA_ADDRESS is the other side's, IFA_LOCAL ours.
        address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        addresses.setdefault(message["index"], []).append(f"{address}/{message['prefixlen']}")
    links = tuple(_link(message, addresses) for message in netlink.get_links())
    routes = tuple(map(_route, filter(_leads_away, netlink.get_routes(table=_RT_TABLE_MAIN))))
    wanted = {str(link.other_netnsid) for link in links if link.other_netnsid is not None}
    nsids = _nsids(netlink, wanted, opened, order)
    if not here and not any(link.kind == "bridge" for link in links):
        return Tables(inode=inode, links=links, routes=routes, nsids=nsids)
    firewall, problem = _firewall()
    return Tables(inode=inode, links=links, routes=routes, nsids=nsids, firewall=firewall, problem=problem)


def _link(message: Any, addresses: dict[int, list[str]]) -> Link:
    info = message.get_attr("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else None) or ""
    return Link(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME"),
        kind=kind,
        up=bool(message["flags"] & _IFF_UP),
        carrier=bool(message["flags"] & _IFF_LOWER_UP),
        mtu=message.get_attr("IFLA_MTU") or 0,
        mac=message.get_attr("IFLA_ADDRESS") or "",
        master=message.get_attr("IFLA_MASTER") or 0,
        other=message.get_attr("IFLA_LINK") or 0,
        other_netnsid=message.get_attr("IFLA_LINK_NETNSID"),
        mode=_mode(kind, info),
        addresses=tuple(addresses.get(message["index"], ())),
    )


def _mode(kind: str, info: Any) -> str:
    data = info.get_attr("IFLA_INFO_DATA") if info else None
    if kind == "vlan" and data:
        return f"id {data.get_attr('IFLA_VLAN_ID')}"
    if kind in ("macvlan", "macvtap") and data:
        return str(data.get_attr("IFLA_MACVLAN_MODE") or "")
    return ""


def _leads_away(message: Any) -> bool:
    """A route that somebody set: the kernel's own ones repeat the addresses."""
    return bool(
        message["type"] == _RTN_UNICAST
        and message["proto"] != _RTPROT_KERNEL
        and (message.get_attr("RTA_GATEWAY") or message["dst_len"] == 0 or message.get_attr("RTA_MULTIPATH"))
    )


def _route(message: Any) -> Route:
    destination = message.get_attr("RTA_DST")
    first = (message.get_attr("RTA_MULTIPATH") or [None])[0]  # the nexthops of one route; one of them is told
    gateway = message.get_attr("RTA_GATEWAY") or (first.get_attr("RTA_GATEWAY") if first else None)
    return Route(
        destination=f"{destination}/{message['dst_len']}" if destination else "default",
        family=message["family"],
        gateway=gateway or "",
        index=message.get_attr("RTA_OIF") or (first["oif"] if first else 0),
        metric=message.get_attr("RTA_PRIORITY") or 0,
    )


def _nsids(netlink: Any, wanted: set[str], opened: dict[int, int], order: list[int]) -> dict[str, int]:
    """The namespaces behind the numbers ``wanted``. A question for each, the likeliest first."""
    found: dict[str, int] = {}
    for inode in list(order):
        if len(found) == len(wanted):
            break
        number = str(netlink.get_netnsid(fd=opened[inode])["nsid"])
        if number in wanted:  # -1: this namespace has no number for it
            found[number] = inode
            order.remove(inode)
            order.insert(0, inode)
    return found


def _firewall() -> tuple[dict[str, Any], str]:
    """The ruleset of the namespace that the child is in, and why there is none."""
    if not shutil.which("nft"):
        return {}, "NAT and published ports are not known: there is no program nft (package nftables)"
    try:
        rules, said = ruleset.read()
    except (OSError, subprocess.SubprocessError, MinirunError) as error:
        why = one_line(getattr(error, "stderr", None) or "") or str(error)
        return {}, f"NAT and published ports are not known: {why}"
    # What iptables wrote is opaque to nft: "xt target DNAT", without its address.
    for family, program in (("ip", "iptables-nft-save"), ("ip6", "ip6tables-nft-save")):
        if '"type": "target"' in said and shutil.which(program):
            rules.setdefault("iptables", {})[family] = _saved(program)
    return rules, ""


def _saved(program: str) -> str:
    """What iptables' own program prints of its rules; nothing if it cannot."""
    words = (program, "-t", "nat")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ruleset.PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
