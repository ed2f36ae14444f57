"""The one nftables table: NAT, published ports, walls between networks.

Layer ``network``. ``table.nft`` has the rules, with their reasons: read it next.
They are given to nft(8) once, and look everything up in sets and maps; what a
network or a published port is to the kernel are the elements that are made here,
in their raw form and without a program. The table's comment has the number of its
text, so a table of another version is seen, and replaced with its elements kept.
See nft(8); ``linux/netlink_nftables.py``; ``published.py`` for the ports.
"""

from __future__ import annotations

import os
from binascii import crc32

from minirun.errors import NotFound, Unsupported, reason
from minirun.linux import netlink_nftables as nftables
from minirun.linux import procfs
from minirun.network.published import MAPS, publish, published, turn_back, unpublish
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "TABLE",
    "add_network",
    "ensure",
    "forward",
    "knows",
    "publish",
    "published",
    "remove",
    "remove_network",
    "text",
    "turn_back",
    "unpublish",
]

TABLE = "minirun"
_SETS = ("bridges", "same_bridge", "internal")
_SYSTEM_PATH = "/usr/sbin:/sbin"  # a user's PATH may lack it
_NAME_SIZE = 16  # IFNAMSIZ: how long an element of type ifname is


def ensure() -> bool:
    """Makes the table where there is none, or one of another version; whether it did.

    Elements of a table that is replaced are kept, those of one that somebody
    removed (``nft flush ruleset``) are lost: after True, networks have to be added
    and ports published again. Raises Unsupported, OSError.
    """
    wanted = text()
    comment = f"minirun, version {crc32(wanted.encode()):08x}"
    found = nftables.find_table(TABLE)
    if found and found.comment == comment:
        return False
    kept = [(name, *element) for name in (*_SETS, *MAPS) if found for element in _elements(name)]
    # By its handle: of two who replace it at once, the second one finds nothing to delete,
    # or that the name is taken, and nothing is done; nft does all of its input or nothing.
    script = f"delete table inet handle {found.handle}\n" if found else ""
    script += f'create table inet {TABLE} {{ comment "{comment}"; }}\n{wanted}'
    said = _nft(script)
    if said:
        now = nftables.find_table(TABLE)
        if now and now.comment == comment:
            return False
        raise Unsupported(
            "cannot make the nftables table for networks",
            said,
            "look at `minirun doctor`, or use --network host",
        )
    nftables.add_elements(TABLE, kept, exclusive=False)
    return True


def _elements(name: str) -> list[tuple[bytes, bytes]]:
    try:
        return nftables.dump_elements(TABLE, name)
    except FileNotFoundError:
        return []  # an older version had no such set


def _nft(script: str) -> str:
    """Has nft(8) read ``script``; what it complains of, empty if it did it."""
    import shutil
    import subprocess

    program = shutil.which("nft", path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}")
    if not program:
        raise Unsupported(
            "cannot make the nftables table for networks",
            "there is no program nft",
            "install it (apt-get install nftables), or use --network none or host",
        )
    done = subprocess.run([program, "-f", "-"], input=script, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    # Of a table that is refused nft complains of each line, with the line: the first complaint will do.
    first = next(iter(done.stderr.strip().splitlines()), "")
    return first.partition("Error: ")[2] or first or f"nft: exit code {done.returncode}"


def text() -> str:
    """The table as ``nft -f`` takes it."""
    with open(os.path.join(os.path.dirname(__file__), "table.nft"), encoding="utf-8") as file:
        return file.read()


def add_network(bridge: str, subnets: Sequence[str], internal: bool) -> tuple[str, ...]:
    """Has the rules know the network of ``bridge``, and the kernel forward for it; what was set for that.

    It may be known already. Raises NotFound if there is no table, Unsupported, OSError.
    """
    try:
        nftables.add_elements(TABLE, _of_network(bridge, internal), exclusive=False)
    except FileNotFoundError as error:
        raise NotFound(
            f"cannot add {bridge} to the firewall", f"the nftables table inet {TABLE} is gone", "try again"
        ) from error
    return () if internal else forward(subnets)


def knows(bridge: str) -> bool:
    """Whether the rules know the network of ``bridge``. Raises OSError."""
    return nftables.element(TABLE, "bridges", _key(bridge)) is not None


def remove_network(bridge: str, subnets: Sequence[str], internal: bool) -> None:
    """Has the rules forget a network; it may be unknown. Raises OSError."""
    for element in _of_network(bridge, internal):
        try:
            nftables.delete_elements(TABLE, [element])
        except FileNotFoundError:
            continue


def _of_network(bridge: str, internal: bool) -> list[tuple[str, bytes, bytes]]:
    name = _key(bridge)
    elements = [("bridges", name, b""), ("same_bridge", name + name, b"")]
    return [*elements, ("internal", name, b"")] if internal else elements


def _key(bridge: str) -> bytes:
    return bridge.encode().ljust(_NAME_SIZE, b"\0")


def forward(subnets: Sequence[str]) -> tuple[str, ...]:
    """Has the kernel pass on packets of the subnets' families; the sysctls that were set for it.

    It is the whole machine that becomes a router, for others too: a machine
    whose other networks must not meet wants a rule that says so. Raises
    Unsupported for a family that the kernel lacks, OSError.
    """
    done: list[str] = []
    try:
        if any(":" not in subnet for subnet in subnets):
            done += _set_sysctl("net/ipv4/ip_forward", "1")
        if any(":" in subnet for subnet in subnets) and _sysctl("net/ipv6/conf/all/forwarding") != "1":
            done += _keep_router_advertisements()
            done += _set_sysctl("net/ipv6/conf/all/forwarding", "1")
    except OSError as error:
        raise Unsupported(
            "the kernel does not forward packets, so a container cannot reach the outside",
            reason(error),
            "set it by hand (sysctl net.ipv4.ip_forward=1), or use an internal network, without IPv6",
        ) from error
    return tuple(done)


def _keep_router_advertisements() -> list[str]:
    """A router does not listen to other routers: the host would lose its own IPv6 default route.

    The value 2 is: do it all the same. Set before, since the routes that it has
    are dropped in the moment that forwarding is switched on (ip-sysctl, "accept_ra").
    """
    done: list[str] = []
    for interface in sorted(os.listdir("/proc/sys/net/ipv6/conf")):
        name = f"net/ipv6/conf/{interface}/accept_ra"
        try:
            if interface not in ("all", "default", "lo") and _sysctl(name) == "1":
                done += _set_sysctl(name, "2")
        except FileNotFoundError:
            continue  # the interface is gone
    return done


def _sysctl(name: str) -> str:
    return procfs.read(procfs.sysctl_path(name)).strip()


def _set_sysctl(name: str, value: str) -> list[str]:
    if _sysctl(name) == value:
        return []
    procfs.write_sysctl(name, value)
    return [f"{name.replace('/', '.')}={value}"]


def remove() -> bool:
    """Removes the table with everything in it; False if there is none. Raises OSError."""
    return nftables.delete_table(TABLE)
