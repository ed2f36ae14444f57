"""What a network is, and where it is kept.

Layer ``network``. A network is a file: its subnets, and the name of its interface
on the host. What it is in the kernel, a bridge and its elements in the nftables
table, is made when somebody first needs it, and again after a reboot, which the
file outlives. A start reads the file and imports nothing for it; the rest of this
module is for those who make and remove networks.

    ROOT/networks/NAME.json                  the Network
    STATE/networks/NAME/addresses/ADDRESS    who has it (addresses.py)
    STATE/networks/NAME/names                who is on it, and is called what (names.py)
    STATE/networks/NAME/ready                its bridge was there (bridge.py)

A start first takes an address, then calls ``confirm``; a removal first sees that
no address is taken, then removes the file, and nobody takes one meanwhile. So no
start goes on with a network that is gone. Read ``subnets.py`` next.
"""

from __future__ import annotations

import fcntl
import os
import time

from minirun import json_quick
from minirun.errors import Conflict, InvalidInput, NotFound
from minirun.values import TYPE_CHECKING, Value, plain, revive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: The network of a container that was not given one.
DEFAULT = "minirun"
#: Words that mean something else behind --network.
_RESERVED = ("none", "host", "bridge", "default", "container", "ns", "cni")
_LONGEST_NAME = 63  # it is a label of domain names (RFC 1035, 2.3.4)


class Subnet(Value):
    """Addresses of one family. ``ip_range`` is the part that is handed out; empty: all of it."""

    cidr: str
    gateway: str = ""
    ip_range: str = ""


class Network(Value):
    """One network. ``bridge`` is its interface on the host; of a macvlan, the parent."""

    name: str
    id: str
    driver: str = "bridge"
    bridge: str = ""
    subnets: tuple[Subnet, ...] = ()
    """At most one of a family, IPv4 first."""
    internal: bool = False
    """It has no way out."""
    mtu: int = 0
    """In bytes; 0 is that of the host's default route."""
    created: str = ""
    """RFC 3339, UTC."""
    labels: dict[str, str] = {}
    automatic: bool = False
    """Nobody has chosen where it is, so it may move (first_use.py)."""


def default(root: str) -> Network:
    """The network DEFAULT, made if it is not there. Raises Conflict when no subnet is free."""
    try:
        return load(root, DEFAULT)
    except NotFound:
        pass
    try:
        return create(root, DEFAULT, automatic=True)
    except Conflict:
        if not os.path.exists(_path(root, DEFAULT)):
            raise
        return load(root, DEFAULT)  # another start was faster


def load(root: str, name: str) -> Network:
    """The network ``name``. Raises NotFound; InvalidInput where its file is damaged."""
    if "/" in name or "\0" in name or len(name) > _LONGEST_NAME:
        raise _unknown(name)
    path = _path(root, name)
    try:
        with open(path, "rb") as file:
            return revive(json_quick.loads(file.read()), Network)
    except (FileNotFoundError, NotADirectoryError):
        raise _unknown(name) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is damaged", f"{type(error).__name__}: {error}", "remove that file, and make it anew"
        ) from error


def confirm(root: str, network: Network) -> None:
    """Raises NotFound if the network was removed since it was loaded. For who took an address."""
    if load(root, network.name).id != network.id:
        raise _unknown(network.name)


def find(root: str, wanted: str) -> Network:
    """The network by name, id or the beginning of an id. Raises NotFound, Conflict."""
    try:
        return load(root, wanted)
    except NotFound:
        hits = [one for one in networks(root) if wanted and one.id.startswith(wanted)]
        if len(hits) > 1:
            names = ", ".join(one.name for one in hits)
            raise Conflict(f"several networks begin with '{wanted}'", names, "give the name") from None
        if not hits:
            raise
        return hits[0]


def networks(root: str) -> list[Network]:
    """Every network, by name."""
    try:
        files = os.listdir(f"{root}/networks")
    except FileNotFoundError:
        return []
    return list(_each(root, sorted(file[:-5] for file in files if file.endswith(".json"))))


def create(
    root: str,
    name: str,
    driver: str = "bridge",
    subnets: Sequence[str] = (),
    gateways: Sequence[str] = (),
    ip_range: str = "",
    internal: bool = False,
    ipv4: bool = True,
    ipv6: bool | None = None,
    mtu: int = 0,
    parent: str = "",
    bridge: str = "",
    labels: Mapping[str, str] | None = None,
    automatic: bool = False,
) -> Network:
    """Makes a network; the kernel hears of it when it is first used.

    A family that is on and was given no subnet gets one that is free; a macvlan's
    does not, which is a guest in the subnet of its ``parent``. ``ipv6`` None is: if
    the host has it. ``bridge`` is the interface's name, if not one of ours. Raises
    Conflict (the name is taken, a subnet overlaps), InvalidInput, UsageError, Unsupported.
    """
    from minirun.network import checks, host
    from minirun.network import subnets as choice

    check_name(name)
    checks.check_driver(driver, parent, bridge, mtu)
    asked = choice.given(subnets, gateways, ip_range)
    families = checks.families(driver, {choice.version(subnet.cidr) for subnet in asked}, ipv4, ipv6)
    checks.check_mtu(mtu, families)
    with Turn(root):
        if os.path.exists(_path(root, name)):
            raise Conflict(
                f"there is a network '{name}' already",
                "no two have the same name",
                f"choose another, or remove that one: minirun network rm {name}",
            )
        others = networks(root)
        taken = taken_subnets(others, parent)
        network = Network(
            name=name,
            id=os.urandom(32).hex(),
            driver=driver,
            bridge=parent or bridge or host.bridge_name(name == DEFAULT, {one.bridge for one in others}),
            subnets=choice.settle(asked, families, taken, wide=name == DEFAULT),
            internal=internal,
            mtu=mtu,
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            labels=dict(labels or {}),
            automatic=automatic,
        )
        write(root, network)
    return network


def taken_subnets(others: Sequence[Network], parent: str = "") -> dict[str, str]:
    """The subnets that are somebody's, and whose; but for those of the interface ``parent``."""
    from minirun.network import host

    taken = {subnet.cidr: f"network {one.name}" for one in others for subnet in one.subnets}
    for cidr, whose in host.subnets(parent).items():
        taken.setdefault(cidr, whose)
    return taken


def write(root: str, network: Network) -> None:
    """Stores it; for who has the Turn."""
    path = _path(root, network.name)
    with open(f"{path}.new", "w") as file:
        file.write(json_quick.dumps(plain(network)))
    os.rename(f"{path}.new", path)


def remove(root: str, state: str, name: str, name_of: Callable[[str], str] = lambda id: id[:12]) -> None:
    """Removes a network, its bridge and elements. Raises NotFound; Conflict while it is used.

    ``name_of`` says the name of the container that an id is of.
    """
    from minirun.network import addresses, bridge

    network = find(root, name)
    with addresses.Turn(state, network.name):
        confirm(root, network)
        if users := sorted({name_of(id) for id in used_by(state, network.name)}):
            raise Conflict(
                f"cannot remove network {network.name}",
                f"it is used by {', '.join(users)}",
                f"minirun rm -f {' '.join(users)}, or minirun gc if there are no such containers",
            )
        # The file goes after the bridge: a removal that is cut off can be done again.
        bridge.remove(network, state)
        forget(root, state, network)


def forget(root: str, state: str, network: Network) -> None:
    """Removes the files of a network that the kernel does not know (any more)."""
    from minirun.linux.path import remove_tree

    os.unlink(_path(root, network.name))
    remove_tree(f"{state}/networks/{network.name}")


def used_by(state: str, name: str) -> list[str]:
    """The ids of those who are on the network ``name``, or have an address of it."""
    from minirun.network import addresses, names

    members = {member.id for member in names.members(state, name)}
    return sorted(members.union(addresses.owners(state, name).values()))


def check_name(name: str) -> None:
    """Raises InvalidInput unless ``name`` is one that docker would take, and no word of --network."""
    if why := _flaw(name):
        raise InvalidInput(f"'{name}' cannot be a network's name", why, "choose another name")


def _flaw(name: str) -> str:
    plain_name = name.replace("_", "").replace(".", "").replace("-", "")
    if name in _RESERVED:
        return "that word means something else behind --network"
    if not (name.isascii() and plain_name.isalnum() and name[0].isalnum()):
        return "a name is a letter or digit, then letters, digits, '_', '.' or '-'"
    if len(name) > _LONGEST_NAME:
        return f"it has more than {_LONGEST_NAME} characters, and is a part of domain names"
    return ""


def _path(root: str, name: str) -> str:
    return f"{root}/networks/{name}.json"


def _each(root: str, names: Sequence[str]) -> Iterator[Network]:
    for name in names:
        try:
            yield load(root, name)
        except NotFound:
            continue  # removed while we looked


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"no such network: {name}",
        "neither a name nor the beginning of an id",
        "minirun network ls lists them all"
        + ("" if _flaw(name) else f"; minirun network create {name} makes it"),
    )


class Turn:
    """One at a time chooses subnets and names for a root."""

    def __init__(self, root: str) -> None:
        self.place = f"{root}/networks"
        self.fd = -1

    def __enter__(self) -> None:
        os.makedirs(self.place, exist_ok=True)
        self.fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)
