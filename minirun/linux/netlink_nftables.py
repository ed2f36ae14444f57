"""Elements of nftables' sets and maps, by nfnetlink.

Layer ``linux``, on ``netlink.py``. nftables keeps tables of chains of rules, and
sets and maps that rules look things up in. Rules are text for nft(8), which
takes 6 ms; an element is a key, in a map with data, and takes 10 us: a published
port is one. A change is a batch, and all of it happens or nothing.

    nfgenmsg   family(1) version(1) resource(2, big-endian)
    BATCH_BEGIN, NEWSETELEM {table, set, elements {key, data} ...} ..., BATCH_END

Keys and data are in network byte order; each part of a concatenation
(``tcp . 8080``) is filled up to four bytes. Everything here is of the family
inet. See nft(8), "SETS", "MAPS"; <linux/netfilter/nf_tables.h>. Read
``network/table.py`` next.
"""

from __future__ import annotations

import struct

from minirun.linux.netlink import NETLINK_NETFILTER, MessageFlag, Socket, attribute, attributes, nested, text
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
_GETTABLE, _DELTABLE = _SUBSYSTEM | 1, _SUBSYSTEM | 2
_NEWSETELEM, _GETSETELEM, _DELSETELEM = _SUBSYSTEM | 12, _SUBSYSTEM | 13, _SUBSYSTEM | 14
_BATCH_BEGIN, _BATCH_END = 16, 17
_HEADER = struct.pack("=BBH", 1, 0, 0)  # NFPROTO_INET
_BATCH_HEADER = struct.pack(">BBH", 0, 0, 10)
_TABLE_NAME, _TABLE_HANDLE, _TABLE_USERDATA = 1, 4, 6
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS, _ELEMENT = 1, 2, 3, 1
_ELEMENT_KEY, _ELEMENT_DATA, _DATA_VALUE = 1, 2, 1
_USERDATA_COMMENT = 0
_ONE_PACKET, _READINGS = 64, 4  # elements that surely come in one packet; how often more of them are read
_LARGEST = 1 << 15  # bytes of elements in one message: an attribute ends at 1 << 16


class Table(Value):
    """A table's handle, which no other table will ever have, and its comment."""

    handle: int
    comment: str = ""


def add_elements(table: str, elements: Sequence[tuple[str, bytes, bytes]], *, exclusive: bool = True) -> None:
    """Adds elements (name of the set or map, key, data or b"" for a set), all or none.

    Raises FileExistsError if there is one (of a map, not ``exclusive``: with
    other data), FileNotFoundError for no such table or set, OSError.
    """
    flags = MessageFlag.CREATE | MessageFlag.EXCL if exclusive else MessageFlag.CREATE
    _change(_NEWSETELEM, flags, table, elements)


def delete_elements(table: str, elements: Sequence[tuple[str, bytes, bytes]]) -> None:
    """Removes elements by name of the set and key, all or none.

    Raises FileNotFoundError if one is not there, OSError.
    """
    _change(_DELSETELEM, MessageFlag(0), table, [(name, key, b"") for name, key, _ in elements])


def dump_elements(table: str, name: str) -> list[tuple[bytes, bytes]]:
    """All elements of a set or map: key and data. Raises FileNotFoundError, OSError.

    While others change the set, the kernel counts its way through a table whose
    order changes, and may pass over an element that was there all the time
    without a word of it (NLM_F_DUMP_INTR tells of whole changes only). So what
    takes several packets is read until two readings agree; where the changes do
    not end, the answer is what either of the last two has.
    """
    before = dict[bytes, bytes]()
    with Socket(NETLINK_NETFILTER) as sock:
        for _ in range(_READINGS):
            entries = sock.dump(_GETSETELEM, _HEADER + text(_LIST_TABLE, table) + text(_LIST_SET, name))
            found = dict(element for _, body in entries for element in _elements(body))
            if len(found) < _ONE_PACKET or found == before:
                return list(found.items())
            before, older = found, before
    return list({**older, **before}.items())


def element(table: str, name: str, key: bytes) -> bytes | None:
    """The data of one element, b"" in a set; None if there is none. Raises OSError."""
    try:
        with Socket(NETLINK_NETFILTER) as sock:
            found = _elements(sock.ask(_GETSETELEM, _HEADER + _list(table, name, [_one(key, b"")])))
            return next((data for _, data in found), None)
    except FileNotFoundError:
        return None


def find_table(table: str) -> Table | None:
    """The table ``table`` of the family inet, None if there is none. Raises OSError."""
    try:
        with Socket(NETLINK_NETFILTER) as sock:
            said = dict(attributes(sock.ask(_GETTABLE, _HEADER + text(_TABLE_NAME, table))[len(_HEADER) :]))
    except FileNotFoundError:
        return None
    handle = int.from_bytes(said.get(_TABLE_HANDLE, b""), "big")
    return Table(handle=handle, comment=_comment(said.get(_TABLE_USERDATA, b"")))


def delete_table(table: str) -> bool:
    """Removes a whole table of the family inet; False if there is none. Raises OSError."""
    try:
        _batch([(_DELTABLE, MessageFlag(0), _HEADER + text(_TABLE_NAME, table))])
    except FileNotFoundError:
        return False
    return True


def _change(kind: int, flags: MessageFlag, table: str, elements: Sequence[tuple[str, bytes, bytes]]) -> None:
    messages = [(kind, flags, _HEADER + _list(table, name, part)) for name, part in _by_set(elements)]
    if messages:
        _batch(messages)


def _by_set(elements: Sequence[tuple[str, bytes, bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """What goes into one message: neighbours of the same set, as many as it takes."""
    current, size, part = "", 0, list[bytes]()
    for name, key, data in elements:
        one = _one(key, data)
        if part and (name != current or size + len(one) > _LARGEST):
            yield current, part
            size, part = 0, []
        current = name
        size += len(one)
        part.append(one)
    if part:
        yield current, part


def _batch(messages: list[tuple[int, MessageFlag, bytes]]) -> None:
    last = len(messages) - 1
    # Errors are told of every message, and in their order; of success one word is enough,
    # for the words of hundreds would not fit into the socket.
    asked = [
        (kind, flags | MessageFlag.REQUEST | (MessageFlag.ACK if number == last else 0), body)
        for number, (kind, flags, body) in enumerate(messages)
    ]
    begin = (_BATCH_BEGIN, MessageFlag.REQUEST, _BATCH_HEADER)
    end = (_BATCH_END, MessageFlag.REQUEST, _BATCH_HEADER)
    with Socket(NETLINK_NETFILTER) as sock:
        sock.send([begin, *asked, end])
        sock.acknowledged()


def _list(table: str, name: str, elements: list[bytes]) -> bytes:
    return text(_LIST_TABLE, table) + text(_LIST_SET, name) + nested(_LIST_ELEMENTS, *elements)


def _one(key: bytes, data: bytes) -> bytes:
    value = nested(_ELEMENT_DATA, attribute(_DATA_VALUE, data)) if data else b""
    return nested(_ELEMENT, nested(_ELEMENT_KEY, attribute(_DATA_VALUE, key)), value)


def _elements(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    listed = dict(attributes(body[len(_HEADER) :])).get(_LIST_ELEMENTS, b"")
    for _, raw in attributes(listed):
        said = dict(attributes(raw))
        yield _value(said.get(_ELEMENT_KEY, b"")), _value(said.get(_ELEMENT_DATA, b""))


def _value(raw: bytes) -> bytes:
    return dict(attributes(raw)).get(_DATA_VALUE, b"")


def _comment(raw: bytes) -> str:
    """nft's own record in what the kernel keeps unread: type(1) length(1) value ..."""
    while len(raw) >= 2:
        kind, length = raw[0], raw[1]
        if kind == _USERDATA_COMMENT:
            return raw[2 : 2 + length].rstrip(b"\0").decode(errors="replace")
        raw = raw[2 + length :]
    return ""
