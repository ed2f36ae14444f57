"""Published ports: elements of the maps that NAT looks destinations up in.

Layer ``network``, beside ``table.py``, whose maps these are. ``-p 8080:80`` is
an element of publish_any4, from ``tcp . 8080`` to ``10.88.0.2 . 80``, and one of
publish_any6 if the container has an IPv6 address; with an address of the host it
is one of publish_host4 or publish_host6, which are looked at first. An element is
made or refused in one step, so a port never leads to two containers, and is only
taken back by the one it leads to; one that leads there already is as good as made,
for ``restore`` may have come first. See nft(8), "NAT STATEMENTS"; ``ports.py``
for who has which.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms

from minirun.errors import Conflict, NotFound, Unsupported
from minirun.linux import netlink_nftables as nftables
from minirun.linux import netlink_route, procfs
from minirun.network.port_words import check_address
from minirun.spec import Port
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Element = tuple[str, bytes, bytes]

_TABLE = "minirun"
_BR_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
MAPS = ("publish_any4", "publish_any6", "publish_host4", "publish_host6")
_SHOWN = 3  # elements that a plan tells of, before it only counts
#: Host addresses that stand for all of one family.
_ANY = {"0.0.0.0": 4, "::": 6}


def _show(message: str) -> Callable[..., str]:
    def show(ports: Sequence[Port], addresses: Sequence[str]) -> str:
        try:
            words = [_words(name, port, address) for name, port, address in _pairs(ports, addresses)]
        except Unsupported:
            words = []  # doing it is what raises
        more = [f"{len(words) - _SHOWN} more"] if len(words) > _SHOWN else []
        return f"sendmsg({message}, {{{' '.join((_TABLE, ', '.join(words[:_SHOWN] + more))).strip()}}})"

    return show


@syscall("sendmsg", "nft(8)", show=_show("NFT_MSG_NEWSETELEM"))
def publish(ports: Sequence[Port], addresses: Sequence[str]) -> None:
    """Leads ports of the host to a container with ``addresses``: all of them, or none.

    Of each family the first address counts. Raises Conflict for a port that leads
    to another one, Unsupported for one that no address of the container's can
    have, NotFound if there is no table, OSError.
    """
    elements = [_element(*pair) for pair in _pairs(ports, addresses)]
    try:
        nftables.add_elements(_TABLE, elements, exclusive=False)
    except FileExistsError as error:
        raise _taken(elements) from error
    except FileNotFoundError as error:
        raise NotFound(
            "cannot publish the ports", f"the nftables table inet {_TABLE} is gone", "try again"
        ) from error
    _forget_askers([port for port in ports if _is_udp(port)])


@syscall("sendmsg", "nft(8)", show=_show("NFT_MSG_DELSETELEM"))
def unpublish(ports: Sequence[Port], addresses: Sequence[str]) -> None:
    """Takes back what leads to ``addresses``; what is gone, or leads elsewhere, is left alone.

    Takes 10 to 20 ms: once something was removed, closing any netfilter socket
    waits for who still reads it, in other processes too. Raises OSError.
    """
    pairs = list(_possible((port, addresses) for port in ports))
    ours = [element for pair in pairs if _leads_there(element := _element(*pair))]
    try:
        nftables.delete_elements(_TABLE, ours)
    except FileNotFoundError:
        if len(ours) > 1:  # somebody took one of them back meanwhile
            for port in ports:
                unpublish([port], addresses)
    _forget_answered([(address, port.port) for _, port, address in pairs if _is_udp(port)])


def restore(claims: Sequence[tuple[Port, Sequence[str]]]) -> None:
    """Publishes those of ``claims``, ports and whom they lead to, that the table does not have (any more).

    A port that leads elsewhere by now is left alone. Raises OSError.
    """
    there = {(name, key) for name in MAPS for key, _ in nftables.dump_elements(_TABLE, name)}
    missing = [pair for pair in _possible(claims) if _element(*pair)[:2] not in there]
    elements = [_element(*pair) for pair in missing]
    try:
        nftables.add_elements(_TABLE, elements, exclusive=False)
    except FileExistsError:  # somebody with another directory was faster with one of them
        for element in elements:
            try:
                nftables.add_elements(_TABLE, [element], exclusive=False)
            except FileExistsError:
                continue
    _forget_askers([port for _, port, _ in missing if _is_udp(port)])


def _leads_there(element: Element) -> bool:
    name, key, data = element
    return nftables.element(_TABLE, name, key) == data


@syscall("sendmsg", "bridge(8)", show=lambda interface: f'sendmsg(RTM_SETLINK, {{"{interface}", hairpin}})')
def turn_back(interface: str) -> bool:
    """Lets the container behind the host's ``interface`` reach a port that it published itself.

    Only br_netfilter wants it, which applies NAT to packets that stay within a
    bridge, and a bridge does not send back by the port it received from; False
    where that is off. Raises OSError.
    """
    try:
        if procfs.read(_BR_NETFILTER).strip() == "0":
            return False
    except FileNotFoundError:
        return False
    netlink_route.set_hairpin(interface)
    return True


def published() -> list[tuple[Port, str]]:
    """Every published port and the address that it leads to; nothing where there is no table."""
    found: list[tuple[Port, str]] = []
    for name in MAPS:
        try:
            elements = nftables.dump_elements(_TABLE, name)
        except FileNotFoundError:
            continue
        found += [_read(name, key, data) for key, data in elements]
    return sorted(found, key=lambda one: (one[0].protocol, one[0].host_port, one[0].host_address, one[1]))


def _possible(claims: Iterable[tuple[Port, Sequence[str]]]) -> Iterator[tuple[str, Port, str]]:
    """The pairs of each claim; none of one that cannot be published: its start will be told, or was."""
    for port, addresses in claims:
        try:
            yield from list(_pairs([port], addresses))
        except Unsupported:
            continue


def _pairs(ports: Iterable[Port], addresses: Sequence[str]) -> Iterator[tuple[str, Port, str]]:
    """Which map, which port, which address of the container's."""
    first = {6 if ":" in address else 4: address for address in reversed(addresses)}
    for port in ports:
        check_address(port.host_address, f"{port.host_port}:{port.port}/{port.protocol}")
        family = _ANY.get(port.host_address) or (6 if ":" in port.host_address else 4)
        families = (family,) if port.host_address else (4, 6)
        name = "publish_any" if port.host_address in ("", *_ANY) else "publish_host"
        if not any(one in first for one in families):
            raise Unsupported(
                f"cannot publish {_port(port)}",
                f"the container has no IP{f'v{family}' if port.host_address else ''} address",
                "give it one, or publish on an address of the other family",
            )
        yield from ((f"{name}{one}", port, first[one]) for one in families if one in first)


def _element(name: str, port: Port, address: str) -> Element:
    key = _part(bytes([PROTOCOLS[port.protocol]])) + _part(port.host_port.to_bytes(2, "big"))
    if name.startswith("publish_host"):
        key = _raw(port.host_address) + key
    return name, key, _raw(address) + _part(port.port.to_bytes(2, "big"))


def _part(raw: bytes) -> bytes:
    return raw.ljust(4, b"\0")


def _raw(address: str) -> bytes:
    return _socket.inet_pton(_family(address), address)


def _family(address: str) -> int:
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def _read(name: str, key: bytes, data: bytes) -> tuple[Port, str]:
    """What an element stands for: ``_element``, backwards."""
    family = _socket.AF_INET if name.endswith("4") else _socket.AF_INET6
    host, protocol, port = key[:-8], key[-8], key[-4:-2]
    address, target = data[:-4], data[-4:-2]
    return Port(
        protocol=next(word for word, number in PROTOCOLS.items() if number == protocol),
        host_address=_socket.inet_ntop(family, host) if host else "",
        host_port=int.from_bytes(port, "big"),
        port=int.from_bytes(target, "big"),
    ), _socket.inet_ntop(family, address)


def _taken(elements: Sequence[Element]) -> Conflict:
    for name, key, _ in elements:
        there = nftables.element(_TABLE, name, key)
        if there:
            port, address = _read(name, key, there)
            return Conflict(
                f"cannot publish {_port(port)}",
                f"it leads to {address} port {port.port} already",
                "choose another port, or stop that container; `minirun gc` removes what a crash left",
            )
    return Conflict("cannot publish the ports", "one of them leads elsewhere", "try again")


def _is_udp(port: Port) -> bool:
    return port.protocol == "udp"


def _forget_askers(ports: Sequence[Port]) -> None:
    """Who has been sending to these ports goes on to; the next packet shall see the map."""
    if not ports:
        return
    from minirun.linux import netlink_conntrack

    own = [one.address.partition("/")[0] for one in netlink_route.addresses()]
    asked = [
        (address, port.host_port)
        for port in ports
        for address in (own if port.host_address in ("", *_ANY) else [port.host_address])
    ]
    netlink_conntrack.forget_asked(PROTOCOLS["udp"], asked)


def _forget_answered(ends: Sequence[tuple[str, int]]) -> None:
    """Who goes on sending shall not reach whoever has the address next."""
    if ends:
        from minirun.linux import netlink_conntrack

        netlink_conntrack.forget_answered(PROTOCOLS["udp"], ends)


def _words(name: str, port: Port, address: str) -> str:
    host = f"{port.host_address} . " if name.startswith("publish_host") else ""
    return f"{name}: {host}{port.protocol} . {port.host_port} : {address} . {port.port}"


def _port(port: Port) -> str:
    host = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
    return f"{host}:{port.host_port}/{port.protocol}".lstrip(":")
