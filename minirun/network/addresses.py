"""Who has which address of a network: a link for each, so that none is given twice.

Layer ``network``. A taken address is a symbolic link whose text is the owner's id;
symlink(2) makes it or refuses, in one step. Takers take turns behind one small
file, which also remembers what was given last: the next one gets what follows, so
that an address does not go at once from a dead container to another that its
peers would take for it. All of it is below STATE, and gone after a reboot, as the
containers are.

    STATE/networks/NAME/addresses/.turn       locked by whoever takes; "10.87.0.5 fd12::5"
    STATE/networks/NAME/addresses/10.87.0.5   -> the owner's id

On the way of every start: an address is a number here (ipaddress costs 10 ms).
What a crashed owner left is given back by the container layer (gc).
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import fcntl
import os

from minirun.errors import Conflict, InvalidInput
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.network.networks import Network, Subnet


def take(state: str, network: Network, owner: str, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Gives ``owner`` an address of each subnet, with its prefix length: "10.87.0.2/16".

    ``wanted`` names some of them. Then call ``networks.confirm``. Raises Conflict
    when one is taken or none is left, InvalidInput when one is in no subnet.
    """
    pools = [_Pool(network.name, subnet) for subnet in network.subnets]
    choices = _choices(pools, wanted)
    with Turn(state, network.name) as turn:
        given: list[str] = []
        last = turn.read()
        try:
            for pool, choice in zip(pools, choices, strict=True):
                given.append(_take(turn.place, pool, choice, last, owner))
        except (Conflict, OSError):
            for address in given:
                os.unlink(f"{turn.place}/{address}")
            raise
        turn.write([*(one for one, choice in zip(given, choices, strict=True) if not choice), *last])
    return tuple(f"{address}/{pool.prefix}" for address, pool in zip(given, pools, strict=True))


def release(state: str, network: str, owner: str) -> None:
    """Gives back what ``owner`` has of a network; nothing is fine."""
    if not os.path.isdir(f"{state}/networks/{network}/addresses"):
        return
    with Turn(state, network) as turn:
        for address, holder in owners(state, network).items():
            if holder == owner:
                os.unlink(f"{turn.place}/{address}")


def release_all(state: str, owner: str) -> None:
    """Gives back what ``owner`` has of any network."""
    for network in _names(f"{state}/networks"):
        release(state, network, owner)


def owners(state: str, network: str) -> dict[str, str]:
    """Address -> the owner's id."""
    place = f"{state}/networks/{network}/addresses"
    found = {address: _holder(f"{place}/{address}") for address in _names(place)}
    return {address: holder for address, holder in found.items() if holder}


class Turn:
    """``with Turn(state, network):`` nobody else takes or gives back an address of it."""

    def __init__(self, state: str, network: str) -> None:
        self.place = f"{state}/networks/{network}/addresses"
        self.fd = -1

    def __enter__(self) -> Turn:
        path = f"{self.place}/.turn"
        while True:
            try:
                self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                os.makedirs(self.place, exist_ok=True)  # the first since the boot
                continue
            fcntl.flock(self.fd, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(self.fd), os.stat(path)):
                    return self
            except FileNotFoundError:
                pass
            os.close(self.fd)  # the network was removed while this waited

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def read(self) -> list[str]:
        """The addresses that were given last."""
        return os.pread(self.fd, 256, 0).decode(errors="replace").split()

    def write(self, addresses: Sequence[str]) -> None:
        """Remembers the first address of each family."""
        latest = {_family(address): address for address in reversed(addresses)}
        text = " ".join(latest.values()).encode()
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text, 0)


class _Pool:
    """The addresses of a subnet that may be given, as numbers."""

    def __init__(self, network: str, subnet: Subnet) -> None:
        self.network = network
        self.cidr = subnet.cidr
        self.prefix = subnet.cidr.partition("/")[2]
        self.family = _family(subnet.cidr)
        self.bytes = 4 if self.family == _socket.AF_INET else 16
        self.subnet = self._numbers(subnet.cidr)
        self.range = self._numbers(subnet.ip_range) if subnet.ip_range else self.subnet
        self.gateway = self.number(subnet.gateway) if subnet.gateway else -1

    def is_kept(self, number: int) -> bool:
        """Whether nobody gets it: the gateway's, the subnet's own, and IPv4's broadcast address."""
        if self.family == _socket.AF_INET and number == self.subnet[-1]:
            return True
        return number in (self.subnet[0], self.gateway)

    def number(self, address: str) -> int:
        """The address as a number. Raises OSError when it is none of the family."""
        return int.from_bytes(_socket.inet_pton(self.family, address), "big")

    def text(self, number: int) -> str:
        """The number as an address."""
        return _socket.inet_ntop(self.family, number.to_bytes(self.bytes, "big"))

    def _numbers(self, cidr: str) -> range:
        address, _, prefix = cidr.partition("/")
        first = self.number(address)
        return range(first, first + (1 << 8 * self.bytes - int(prefix)))


def _choices(pools: Sequence[_Pool], wanted: Sequence[str]) -> list[str]:
    """For each pool the address that is wanted of it, or "". Raises InvalidInput."""
    choices = [""] * len(pools)
    for address in wanted:
        place, number = _place(pools, address)
        pool = pools[place]
        if pool.is_kept(number):
            kept = "its gateway" if number == pool.gateway else "the subnet itself, or everybody in it"
            raise InvalidInput(
                f"the address {address} cannot be given to a container",
                f"in {pool.cidr} it is {kept}",
                "choose another --ip",
            )
        if choices[place]:
            raise InvalidInput(
                f"{choices[place]} and {address} are of one subnet",
                f"a container has one address of {pool.cidr}",
                "leave one of them out",
            )
        choices[place] = pool.text(number)
    return choices


def _place(pools: Sequence[_Pool], address: str) -> tuple[int, int]:
    """Which pool the address is of, and its number."""
    family = _family(address)
    for place, pool in enumerate(pools):
        if pool.family == family:
            try:
                number = pool.number(address)
            except OSError:
                raise InvalidInput(
                    f"{address!r} is not an IP address", "it cannot be read as one", "write --ip 10.87.0.9"
                ) from None
            if number in pool.subnet:
                return place, number
    raise InvalidInput(
        f"the address {address} is not in network {pools[0].network if pools else ''}",
        f"its subnets are {' and '.join(pool.cidr for pool in pools)}",
        "choose an address inside, or another --network",
    )


def _take(directory: str, pool: _Pool, choice: str, last: Sequence[str], owner: str) -> str:
    if not choice:
        return _take_next(directory, pool, last, owner)
    try:
        os.symlink(owner, f"{directory}/{choice}")
    except FileExistsError:
        raise Conflict(
            f"the address {choice} is taken",
            f"in network {pool.network} container {_holder(f'{directory}/{choice}')[:12]} has it",
            "choose another --ip, or leave it to minirun",
        ) from None
    return choice


def _take_next(directory: str, pool: _Pool, last: Sequence[str], owner: str) -> str:
    start, size = _after(pool, last), pool.range.stop - pool.range.start
    taken: set[str] = set()
    for step in range(size):
        number = pool.range.start + (start - pool.range.start + step) % size
        address = pool.text(number)
        if pool.is_kept(number) or address in taken:
            continue
        try:
            os.symlink(owner, f"{directory}/{address}")
            return address
        except FileExistsError:
            taken = taken or set(os.listdir(directory))
    raise Conflict(
        f"no address is left in network {pool.network}",
        f"all of {pool.cidr} that it hands out are taken",
        "minirun rm some containers, or make a network with a larger --subnet",
    )


def _after(pool: _Pool, last: Sequence[str]) -> int:
    """Where to look first: behind what was given last."""
    for address in last:
        try:
            number = pool.number(address) + 1
        except OSError:
            continue  # of the other family
        if number in pool.range:
            return number
    return pool.range.start


def _family(address: str) -> int:
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def _holder(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""  # given back while we looked


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
