"""The doctor on the network: whether the kernel answers for nftables."""

from __future__ import annotations

import shutil
import struct

from minirun.container.doctor.finding import Finding, is_root, ok, takes_root, warn
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.trial import TrialFailed, in_child
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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
