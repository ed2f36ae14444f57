"""Connection tracking: forgetting connections, by nfnetlink.

Layer ``linux``, on ``netlink.py``. NAT is decided by the first packet of a
connection, and conntrack remembers it for the others. TCP has an end that shows;
a UDP "connection" is whoever sends from the same port again, and as long as they
do, their packets go where the first one went. So when a UDP port begins or ceases
to lead to a container, what conntrack knows of it has to go. That is a walk over
the kernel's whole table, 10 ms where it is large. See conntrack(8);
<linux/netfilter/nfnetlink_conntrack.h>.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import struct

from minirun.linux.netlink import (
    NETLINK_NETFILTER,
    MessageFlag,
    Socket,
    attribute,
    attributes,
    nested,
    number,
)
from minirun.steps import syscall
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    Ends = Collection[tuple[str, int]]

_GET, _DELETE = 1 << 8 | 1, 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_*
_HEADER = struct.Struct("=BBH")  # struct nfgenmsg: family, version, resource
_ORIGINAL, _REPLY, _ID, _FILTER = 1, 2, 12, 25  # CTA_*
_TUPLE_IP, _TUPLE_PROTOCOL, _PROTOCOL_NUMBER = 1, 2, 1
_FILTER_ORIGINAL, _FILTER_REPLY, _BY_PROTOCOL = 1, 2, 1 << 3
#: CTA_PROTO_*_PORT, its bit in a filter, and CTA_IP_V4_* and V6_* of who is asked and who answers.
_ASKED = (3, 1 << 5, {_socket.AF_INET: 2, _socket.AF_INET6: 4})
_ANSWERING = (2, 1 << 4, {_socket.AF_INET: 1, _socket.AF_INET6: 3})


def _show(ends: str) -> Callable[..., str]:
    return lambda _, given: (
        f"sendmsg(IPCTNL_MSG_CT_DELETE, {{{ends} {' '.join(f'{a} . {p}' for a, p in given)}}})"
    )


@syscall("sendmsg", "conntrack(8)", show=_show("asked"))
def forget_asked(protocol: int, ends: Ends) -> int:
    """Forgets what was sent to one of ``ends`` (address, port), whoever answers; how many. Raises OSError."""
    return _forget(_ORIGINAL, _FILTER_ORIGINAL, _ASKED, protocol, ends)


@syscall("sendmsg", "conntrack(8)", show=_show("answered by"))
def forget_answered(protocol: int, ends: Ends) -> int:
    """Forgets what one of ``ends`` (address, port) answers, whoever was asked; how many. Raises OSError."""
    return _forget(_REPLY, _FILTER_REPLY, _ANSWERING, protocol, ends)


def _forget(
    direction: int, filter_: int, which: tuple[int, int, dict[int, int]], protocol: int, ends: Ends
) -> int:
    gone = 0
    for family in which[2]:
        wanted = {(_socket.inet_pton(family, one), port) for one, port in ends if _family(one) == family}
        if wanted:
            gone += _forget_of_family(family, direction, filter_, which, protocol, wanted)
    return gone


def _forget_of_family(
    family: int,
    direction: int,
    filter_: int,
    which: tuple[int, int, dict[int, int]],
    protocol: int,
    wanted: set[tuple[bytes, int]],
) -> int:
    port_kind, by_port, address_kinds = which
    ports = {port for _, port in wanted}
    of_protocol, by = attribute(_PROTOCOL_NUMBER, bytes([protocol])), _BY_PROTOCOL
    if len(ports) == 1:
        of_protocol += attribute(port_kind, min(ports).to_bytes(2, "big"))
        by |= by_port
    header = _HEADER.pack(family, 0, 0)
    flags = {_FILTER_ORIGINAL: 0, _FILTER_REPLY: 0, filter_: by}
    question = header + nested(direction, nested(_TUPLE_PROTOCOL, of_protocol))
    question += nested(_FILTER, *(number(kind, value) for kind, value in flags.items()))
    gone = 0
    # Removing by a filter came with Linux 6.8; listing by one (5.8) and removing each works before.
    with Socket(NETLINK_NETFILTER) as sock:
        for _, body in sock.dump(_GET, question):
            said = dict(attributes(body[_HEADER.size :]))
            end = dict(attributes(said[direction]))
            address = dict(attributes(end[_TUPLE_IP]))[address_kinds[family]]
            port = int.from_bytes(dict(attributes(end[_TUPLE_PROTOCOL]))[port_kind], "big")
            if (address, port) in wanted:
                found = nested(_ORIGINAL, said[_ORIGINAL]) + attribute(_ID, said[_ID])
                gone += _delete(sock, header + found)
    return gone


def _delete(sock: Socket, connection: bytes) -> bool:
    try:
        sock.request(_DELETE, MessageFlag(0), connection)
    except FileNotFoundError:
        return False  # it ended meanwhile
    return True


def _family(address: str) -> int:
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET
