"""Who is on a network, and how the others call it.

Layer ``network``. Containers find one another by their /etc/hosts: there is no
server to ask, so none that can fail. Each container has a hosts file of its
own on the host, and whoever joins a network is written into those of all
members, they into its own. Who that is, one file says:

    STATE/networks/NAME/names    a line each: id, addresses, names, hosts file

It is read and written whole (rename(2)) under a flock(2) on the network's
directory, so joins and leaves take turns. ``hosts_file.py`` has how a hosts
file changes under its readers; see hosts(5).
"""

from __future__ import annotations

import fcntl
import os

from minirun.errors import InvalidInput, UsageError
from minirun.network import hosts_file
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A resolver may read lines into a buffer of 512 bytes (musl does) and take no more.
_LONGEST = 500

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Member(Value):
    """A container on a network."""

    id: str
    names: tuple[str, ...] = ()
    """What it is called: its own name first, then hostname, short id, aliases."""
    addresses: tuple[str, ...] = ()
    """Without prefix lengths."""
    hosts_file: str = ""
    """The path of its /etc/hosts on the host; "" if it has none of its own."""


def join(state: str, network: str, member: Member) -> None:
    """Makes ``member`` known to the network's others, and them to it.

    One that is there already is replaced. Raises UsageError for a name that
    cannot stand in a hosts file.
    """
    for name in member.names:
        check_name(name)
    own = hosts_lines(network, member)
    place = f"{state}/networks/{network}"
    lock = _locked(place)
    try:
        everybody = _read(place)
        if any(each.id == member.id for each in everybody):
            everybody = _without(place, network, everybody, member.id)
        # First of all in the list: what a killed join has left, the leave finds.
        _write(place, [*everybody, member])
        theirs: list[bytes] = []
        for other in everybody:
            hosts_file.add(other.hosts_file, own)
            theirs += hosts_lines(network, other)
        hosts_file.add(member.hosts_file, [*own, *theirs])
    finally:
        os.close(lock)


def leave(state: str, network: str, id: str) -> None:
    """Takes the member's lines out of the others' files and theirs out of its own; gone is fine."""
    place = f"{state}/networks/{network}"
    if not os.path.isdir(place):
        return
    lock = _locked(place)
    try:
        if os.path.exists(f"{place}/names.new"):
            os.unlink(f"{place}/names.new")  # whoever was writing it was killed
        _without(place, network, _read(place), id)
    finally:
        os.close(lock)


def members(state: str, network: str) -> list[Member]:
    """Who is on the network, in the order in which they came."""
    return _read(f"{state}/networks/{network}")


def hosts_lines(network: str, member: Member) -> list[bytes]:
    """The lines for ``member``: ``10.88.0.3<TAB>web web.minirun abcdef123456``.

    Every name but the short id has a form with the network's domain, too; that of
    ``cni:pods`` is pods.
    """
    domain = network.rpartition(":")[2]
    names: dict[str, None] = {}
    for name in member.names:
        names[name] = None
        if name != member.id[:12]:
            names[f"{name}.{domain}"] = None
    return [line for address in member.addresses for line in _wrapped(address, list(names))]


def check_name(name: str, said: str = "") -> None:
    """Raises UsageError for what cannot be a name in a hosts file; ``said`` names its origin."""
    if not name or len(name) > 253 or not _LETTERS.issuperset(name) or name[0] in ".-":
        raise UsageError(
            f"{said or 'the name'} {name!r} cannot be looked up",
            "a host's name has letters, digits, dots, dashes and underscores, at most 253",
            "for example web or db-1",
        )


def _wrapped(address: str, names: Sequence[str]) -> list[bytes]:
    """One line, or several where it would be longer than a resolver reads."""
    whole = f"{address}\t{' '.join(names)}"
    if len(whole) <= _LONGEST or len(names) < 2:
        return [whole.encode()] if names else []
    half = len(names) // 2
    return [*_wrapped(address, names[:half]), *_wrapped(address, names[half:])]


def _without(place: str, network: str, everybody: list[Member], id: str) -> list[Member]:
    """Takes the member ``id`` out of all files, and at last out of the list."""
    others = [each for each in everybody if each.id != id]
    gone = [each for each in everybody if each.id == id]
    for member in gone:
        own = hosts_lines(network, member)
        theirs: list[bytes] = []
        for other in others:
            hosts_file.remove(other.hosts_file, own)
            theirs += hosts_lines(network, other)
        hosts_file.remove(member.hosts_file, [*own, *theirs])
    if gone:
        _write(place, others)
    return others


def _read(place: str) -> list[Member]:
    try:
        with open(f"{place}/names", errors="surrogateescape") as file:
            text = file.read()
    except FileNotFoundError:
        return []
    try:
        return [_member(line) for line in text.splitlines()]
    except ValueError as error:
        raise InvalidInput(
            f"{place}/names is damaged", "a line has not its four columns", "remove the network"
        ) from error


def _member(line: str) -> Member:
    id, addresses, names, path = line.split("\t", 3)
    return Member(id=id, addresses=tuple(addresses.split()), names=tuple(names.split()), hosts_file=path)


def _write(place: str, everybody: Sequence[Member]) -> None:
    text = "".join(
        f"{each.id}\t{' '.join(each.addresses)}\t{' '.join(each.names)}\t{each.hosts_file}\n"
        for each in everybody
    )
    temporary = f"{place}/names.new"
    with open(temporary, "w", errors="surrogateescape") as file:
        file.write(text)
    os.rename(temporary, f"{place}/names")


def _locked(place: str) -> int:
    """A descriptor that holds the network's lock until it is closed."""
    while True:
        os.makedirs(place, 0o700, exist_ok=True)
        try:
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # removed in between
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(lock), os.stat(place)):
                return lock
        except FileNotFoundError:
            pass  # removed while we waited
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
