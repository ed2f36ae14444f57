"""The doctor on the network: whether the kernel answers for nftables, and who else drops packets."""

from __future__ import annotations

import shutil
import struct

from minirun.container.doctor.finding import Finding, is_root, ok, takes_root, warn
from minirun.errors import MinirunError
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.trial import TrialFailed, in_child
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.network.forwarding import Chain

# linux/netfilter/nfnetlink.h and nf_tables.h
_NETLINK_NETFILTER, _NFNL_SUBSYS_NFTABLES, _NFT_MSG_GETGEN = 12, 10, 16
_NLM_F_REQUEST, _NLMSG_ERROR = 1, 2


def nftables(root: str, state: str) -> Iterator[Finding]:
    """The kernel's side by netlink(7), in a network namespace of its own; then the tool."""
    if not is_root():
        yield takes_root("nftables")
    else:
        try:
            in_child(_ask_for_generation)
        except TrialFailed as error:
            fix = "modprobe nf_tables, or boot a kernel with CONFIG_NF_TABLES=y"
            yield warn("nftables", f"the kernel does not answer: {error}", fix)
        else:
            yield ok("nftables", "the kernel answers")
    if shutil.which("nft"):
        yield ok("nftables tool", shutil.which("nft") or "")
    else:
        yield warn(
            "nftables tool", "nft is not installed: the rules cannot be looked at", "apt install nftables"
        )


def _ask_for_generation() -> None:
    """Sends the smallest question that nf_tables has an answer to."""
    import socket

    unshare(CloneFlag.NEWNET)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as link:
        link.bind((0, 0))
        kind = _NFNL_SUBSYS_NFTABLES << 8 | _NFT_MSG_GETGEN
        # struct nlmsghdr, struct nfgenmsg
        link.send(struct.pack("=IHHIIBBH", 20, kind, _NLM_F_REQUEST, 1, 0, 0, 0, 0))
        link.settimeout(5)
        answer = link.recv(4096)
    if struct.unpack_from("=H", answer, 4)[0] == _NLMSG_ERROR:
        number = -struct.unpack_from("=i", answer, 16)[0]
        raise OSError(number, "nf_tables is not there")


def forwarding(root: str, state: str) -> Iterator[Finding]:
    """Whether somebody else's rules drop what containers send to the outside, or get from there."""
    if not is_root():
        yield takes_root("forwarding")
        return
    from subprocess import SubprocessError

    from minirun.network import forwarding as rules

    try:
        chains = rules.read()
    except (OSError, SubprocessError, MinirunError) as error:
        said = getattr(error, "stderr", "") or str(error)
        fix = "apt install nftables (and iptables, if something uses iptables-legacy)"
        yield warn("forwarding", f"others' rules cannot be read: {' '.join(said.split())}", fix)
        return
    bridges = _bridges(root)
    stopped = {name: rules.walls(chains, name, subnets) for name, subnets in bridges.items()}
    users = {one.title.replace("DOCKER-USER", "FORWARD") for one in chains if one.name == "DOCKER-USER"}
    walls = [wall for wall in chains if any(wall in found for found in stopped.values())]
    for wall in walls:
        names = [name for name, found in stopped.items() if wall in found]
        yield warn(
            f"forwarding {wall.title}",
            f"others' rules there drop what {', '.join(names)} sends or gets: containers reach nothing",
            _way_through(wall, names, wall.title in users),
        )
    if not walls:
        yield ok("forwarding", "nobody else's rules drop what containers send or get")


def _bridges(root: str) -> dict[str, list[str]]:
    """The bridges that have a way out, with their subnets; the default one's, where there is none yet."""
    from minirun.network.networks import networks

    found = [one for one in networks(root) if one.driver == "bridge" and not one.internal]
    return {one.bridge: [subnet.cidr for subnet in one.subnets] for one in found} or {"minirun0": []}


def _way_through(wall: Chain, bridges: list[str], has_user_chain: bool) -> str:
    """The commands that let the bridges through that chain; minirun's own table has walls enough."""
    names = sorted({"mr-*" if name.startswith("mr-") else name for name in bridges})
    if wall.table == "firewalld":
        added = " ".join(f"--add-interface={name}" for name in bridges)
        return f"firewall-cmd --permanent --zone=trusted {added} && firewall-cmd --reload"
    if (wall.table, wall.name) != ("filter", "FORWARD") or wall.family == "inet":
        place = f"{wall.family} {wall.table} {wall.name}"
        rules = [f'{way}ifname "{name}"' for name in names for way in "io"]
        return "; ".join(f"nft 'insert rule {place} {rule} accept'" for rule in rules)
    program = ("ip6tables" if wall.family == "ip6" else "iptables") + ("-legacy" if wall.is_legacy else "")
    place = "DOCKER-USER" if has_user_chain else wall.name  # docker leaves that to the administrator
    rules = [f"-{way} {name.replace('*', '+')}" for name in names for way in "io"]
    return "; ".join(f"{program} -I {place} {rule} -j ACCEPT" for rule in rules)
