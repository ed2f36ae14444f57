"""A network in the kernel: a bridge, and what the nftables table knows of it.

Layer ``network``, on ``linux/netlink_route.py`` and ``table.py``. A bridge is a
switch: the host's ends of veth pairs are its ports, and the host itself is plugged
in with the gateway's address. ``ensure`` makes it when it is first needed. When it
is there, as for almost every start, that costs a look at four numbers:

    STATE/networks/NAME/ready    "17 4026531833 8 BOOT": the bridge's number, the network
                                 namespace's, that of the table (none comes twice), the
                                 boot's; then the Network as it was then

A bridge is known to be ours by its hardware address, which is made of the
network's id. One process at a time makes and removes bridges of a network
namespace, whosever they are: the lock is the namespace itself. See ip-link(8),
bridge(8); https://docs.kernel.org/networking/ip-sysctl.html. Read ``addresses.py`` next.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import fcntl
import os

from minirun import json_quick
from minirun.errors import Conflict, MinirunError, NotFound, Unsupported
from minirun.linux import netlink_nftables as nftables
from minirun.linux import netlink_route as route
from minirun.linux import procfs
from minirun.network import ports, table
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING, plain, revive

if TYPE_CHECKING:
    from minirun.network.networks import Network

#: Below the state directory: what has been set, and was not said yet.
NEWS = "networks.news"
_NAMESPACE = "/proc/self/ns/net"
_LONGEST_ALIAS = 200  # IFALIASZ is 256 bytes


def _show(network: Network, state: str, force: bool = False) -> str:
    if network.driver == "macvlan":
        return f'if_nametoindex("{network.bridge}")'
    return f'sendmsg(RTM_NEWLINK, {{bridge "{network.bridge}"}}), if it is not there'


@syscall("sendmsg", "rtnetlink(7)", show=_show)
def ensure(network: Network, state: str, force: bool = False) -> bool:
    """The network's bridge is there, with its addresses, and the table knows it; False if it was so.

    ``force`` makes sure of each part again, whatever was noted. Of a macvlan the
    parent has to be there. Raises Conflict where another has the bridge's name or
    its subnet, NotFound, Unsupported, OSError; then nothing of it is left.
    """
    if network.driver == "macvlan":
        _check_parent(network)
        return False
    if not force and _is_ready(network, state):
        return False
    with _Turn():
        if not force and _is_ready(network, state):
            return False  # another start made it while we waited
        _make(network, state)
    return True


def remove(network: Network, state: str) -> None:
    """Takes ``ensure`` back; with the last network of all the table goes. Raises OSError."""
    if network.driver == "macvlan":
        return
    with _Turn():
        _forget(network, state)
        _unmake(network)


def mac_of(address: str) -> str:
    """The hardware address of who has ``address``, with or without its prefix length.

    Locally administered, and the same for the same address: what the neighbours
    remember of it (arp(7)) stays right when the next container has it.
    """
    text = address.partition("/")[0]
    family = _socket.AF_INET6 if ":" in text else _socket.AF_INET
    return "02:42:" + _socket.inet_pton(family, text)[-4:].hex(":")


def _make(network: Network, state: str) -> None:
    from minirun.linux import netlink_listing as listing

    made = route.create_bridge(network.bridge, network.mtu or listing.default_mtu(), _mac(network))
    cidrs = [subnet.cidr for subnet in network.subnets]
    try:
        if not made:
            _check_ours(network)
        _check_free(network, cidrs)
        # For people (`ip link`), and for the tests: whose it is. More than the kernel takes is cut.
        route.set_alias(network.bridge, f"{state}/networks/{network.name}"[:_LONGEST_ALIAS])
        _set_up(network)
        table.ensure()
        _tell(table.add_network(network.bridge, cidrs, network.internal), state)
        os.makedirs(f"{state}/networks", exist_ok=True)
        _add_others(network, state)
        ports.restore(state)
        _note(network, state)  # last: whoever is killed before leaves the work to the next start
    except (MinirunError, OSError):
        if made:
            _try_to_unmake(network)
        raise


def _tell(done: tuple[str, ...], state: str) -> None:
    """Leaves word of what was set for the whole machine: ``news`` has it said to the user."""
    if done:
        os.makedirs(state, 0o711, exist_ok=True)  # `network create` may be the first of all
        with open(f"{state}/{NEWS}", "a") as file:
            file.write("".join(f"{line}\n" for line in done))


def news(state: str) -> list[str]:
    """Sysctls of the whole machine that were set since this was last asked: ``name=value`` each."""
    try:
        with open(f"{state}/{NEWS}") as file:
            lines = file.read().splitlines()
        os.unlink(f"{state}/{NEWS}")
    except FileNotFoundError:
        return []
    return lines


def _set_up(network: Network) -> None:
    """Raises the bridge as the gateway of its subnets."""
    families = {":" in subnet.cidr for subnet in network.subnets}
    if True in families and not os.path.exists("/proc/sys/net/ipv6"):
        raise Unsupported(
            f"network {network.name} has IPv6, and this host has none",
            "the kernel was started without it",
            f"minirun network rm {network.name}, and make it anew with --no-ipv6",
        )
    if os.path.exists(f"/proc/sys/net/ipv6/conf/{network.bridge}"):
        # A container is no router: what it announces about routes is not believed.
        _set(f"net/ipv6/conf/{network.bridge}/accept_ra", "0")
        _set(f"net/ipv6/conf/{network.bridge}/disable_ipv6", "0" if True in families else "1")
    if False in families:
        # A published port on 127.0.0.1 leads out of the loopback; the kernel
        # would take the packet for a forgery otherwise.
        _set(f"net/ipv4/conf/{network.bridge}/route_localnet", "1")
    if True in families:
        # Without a link-local address that is not tentative the host asks nobody
        # for theirs, and what it forwards waits for two seconds.
        route.add_address(network.bridge, "fe80::1/64")
    for subnet in network.subnets:
        route.add_address(network.bridge, f"{subnet.gateway}/{subnet.cidr.partition('/')[2]}")
    route.up(network.bridge)


def _unmake(network: Network) -> None:
    if _is_ours(network):
        route.delete_link(network.bridge)
    if not route.index(network.bridge):  # or it is another's, and so is what the table knows of it
        table.remove_network(network.bridge, [subnet.cidr for subnet in network.subnets], network.internal)
    if nftables.find_table(table.TABLE) and not nftables.dump_elements(table.TABLE, "bridges"):
        table.remove()  # no network of anybody's is left


def _add_others(network: Network, state: str) -> None:
    """Somebody had removed the table (``nft flush ruleset``): the other networks are in use still."""
    for name in os.listdir(f"{state}/networks"):
        noted = _noted(f"{state}/networks/{name}/ready")
        if name == network.name or len(noted) < 2:
            continue
        other = revive(json_quick.loads(noted[1]), type(network))
        if _is_ours(other):
            table.add_network(other.bridge, [subnet.cidr for subnet in other.subnets], other.internal)
            _note(other, state)


def _try_to_unmake(network: Network) -> None:
    try:
        _unmake(network)
    except OSError:
        return  # a kernel without nftables: what failed first is what to tell


def _is_ready(network: Network, state: str) -> bool:
    noted = _noted(_marker(network, state))
    return bool(noted) and noted[0] == _facts(network) and table.knows(network.bridge)


def _noted(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _note(network: Network, state: str) -> None:
    path = _marker(network, state)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w") as file:
        file.write(f"{_facts(network)}\n{json_quick.dumps(plain(network))}\n")
    os.rename(f"{path}.new", path)


def _forget(network: Network, state: str) -> None:
    try:
        os.unlink(_marker(network, state))
    except FileNotFoundError:
        pass


def _facts(network: Network) -> str:
    """What changes when the bridge or the table is not the one any more that it was."""
    found = nftables.find_table(table.TABLE)
    namespace = os.stat(_NAMESPACE).st_ino
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    return f"{route.index(network.bridge)} {namespace} {found.handle if found else 'none'} {boot}"


def _marker(network: Network, state: str) -> str:
    return f"{state}/networks/{network.name}/ready"


def _mac(network: Network) -> str:
    return "02:" + bytes.fromhex(network.id[:10]).hex(":")


def _is_ours(network: Network) -> bool:
    from minirun.linux.netlink_listing import links

    wanted = (network.bridge, "bridge", _mac(network))
    return any((link.name, link.kind, link.mac) == wanted for link in links())


def _check_ours(network: Network) -> None:
    if not _is_ours(network):
        raise Conflict(
            f"the interface {network.bridge} is not network {network.name}'s",
            "somebody else made a bridge of that name",
            f"ip link delete {network.bridge}, or minirun network rm {network.name} and make it anew",
        )


def _check_free(network: Network, cidrs: list[str]) -> None:
    """Nobody has taken the subnet since the network was made: it would be reached there."""
    from minirun.linux.netlink_listing import links, routes

    own = route.index(network.bridge)
    for way in routes():
        if way.destination in cidrs and way.index not in (own, 0):
            names = {link.index: link.name for link in links()}
            raise Conflict(
                f"the subnet {way.destination} of network {network.name} is in use",
                f"the host has a route to it by {names.get(way.index, way.index)}",
                f"remove that, or the network: minirun network rm {network.name}, and make it anew",
            )


def _check_parent(network: Network) -> None:
    if not route.index(network.bridge):
        raise NotFound(
            f"there is no interface {network.bridge}",
            f"network {network.name} is a macvlan on it",
            "ip link lists what there is",
        )


def _set(name: str, value: str) -> None:
    if procfs.read(procfs.sysctl_path(name)).strip() != value:
        procfs.write_sysctl(name, value)


class _Turn:
    """flock(2) on the network namespace: whoever stands in it waits, whatever store is his."""

    def __enter__(self) -> None:
        self.fd = os.open(_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
