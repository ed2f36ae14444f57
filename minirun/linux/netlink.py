"""Netlink: messages to the kernel's tables of links, addresses, routes and rules.

Layer ``linux``. A system call takes numbers and pointers; this takes messages,
through a socket, and answers each with an errno and, since Linux 4.12, a
sentence on what it did not like. A message is a header, a struct of the family,
and attributes: length, type, value, each filled up to four bytes, and nested
where a value is a list of attributes again.

    nlmsghdr   length(4) type(2) flags(2) sequence(4) port(4)
    nlattr     length(2) type(2) value ...

Written here because importing a library for it costs a start more than fifty
containers. See netlink(7); <linux/netlink.h>. Read ``netlink_route.py`` next.
"""

from __future__ import annotations

import _socket  # the C module: importing socket costs 9 ms
import errno
import os
import struct

from minirun.linux.flags import Flags
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

AF_NETLINK, NETLINK_ROUTE, NETLINK_NETFILTER = 16, 0, 12
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_SO_SNDBUFFORCE = 32
_ERROR, _DONE = 2, 3
_ERROR_TEXT = 1  # NLMSGERR_ATTR_MSG
_INTERRUPTED, _ACK_HAS_ATTRIBUTES = 0x10, 0x200  # flags of answers: NLM_F_DUMP_INTR, NLM_F_ACK_TLVS
_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ORDINARY = 1 << 16  # bytes; a packet beyond that asks for room first
_PATIENCE = 100  # dumps that somebody else's change came between


class MessageFlag(Flags, prefix="NLM_F_"):
    """The flags of a request; <linux/netlink.h>."""

    REQUEST = 0x1
    MULTI = 0x2
    ACK = 0x4
    REPLACE = 0x100
    EXCL = 0x200
    CREATE = 0x400
    APPEND = 0x800
    DUMP = 0x300


class Socket:
    """A netlink socket of one family, in the network namespace of its maker. A context."""

    def __init__(self, family: int) -> None:
        self.sock = _socket.socket(AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, family)
        self.sequence = 0
        # Errors come without a copy of what was sent, and with words.
        self.sock.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self.sock.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def request(self, kind: int, flags: MessageFlag, body: bytes) -> None:
        """Sends one message and waits for its acknowledgement. Raises OSError with the kernel's words."""
        self.send([(kind, flags | MessageFlag.REQUEST | MessageFlag.ACK, body)])
        self.acknowledged()

    def acknowledged(self) -> None:
        """Waits for one acknowledgement. Raises OSError if it is an error."""
        while True:
            for kind, flags, body in self._messages():
                if kind == _ERROR:
                    _raise_if_error(flags, body)
                    return

    def ask(self, kind: int, body: bytes) -> bytes:
        """The body of the one answer to a question for one thing. Raises OSError."""
        self.send([(kind, MessageFlag.REQUEST, body)])
        for answer, flags, content in self._messages():
            if answer == _ERROR:
                _raise_if_error(flags, content)
            return content
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))

    def dump(self, kind: int, body: bytes) -> list[tuple[int, bytes]]:
        """A whole table: kind and body of each entry. Raises OSError."""
        for _ in range(_PATIENCE):
            self.send([(kind, MessageFlag.REQUEST | MessageFlag.DUMP, body)])
            entries, whole = self._entries()
            if whole:
                return entries
        raise OSError(errno.EINTR, "the table changed each time that it was read")

    def _entries(self) -> tuple[list[tuple[int, bytes]], bool]:
        entries: list[tuple[int, bytes]] = []
        whole = True
        while True:
            for answer, flags, content in self._messages():
                # A table that changes between two packets may have been told twice, or not at all.
                whole = whole and not flags & _INTERRUPTED
                if answer == _DONE:
                    return entries, whole
                if answer == _ERROR:
                    _raise_if_error(flags, content)
                entries.append((answer, content))

    def send(self, messages: list[tuple[int, int, bytes]]) -> None:
        """Sends messages (kind, flags, body) in one packet."""
        parts = []
        for kind, flags, body in messages:
            self.sequence += 1
            header = _HEADER.pack(_HEADER.size + len(body), kind, int(flags), self.sequence, 0)
            parts.append(header + body + bytes(-len(body) % 4))
        packet = b"".join(parts)
        if len(packet) > _ORDINARY:
            self.sock.setsockopt(_socket.SOL_SOCKET, _SO_SNDBUFFORCE, 2 * len(packet))
        self.sock.send(packet)

    def _messages(self) -> Iterator[tuple[int, int, bytes]]:
        """The messages of the next packet: kind, flags, body."""
        packet = self.sock.recv(1 << 17)
        while len(packet) >= _HEADER.size:
            length, kind, flags, _, _ = _HEADER.unpack_from(packet)
            if length < _HEADER.size:
                return  # nothing that the kernel writes
            yield kind, flags, packet[_HEADER.size : length]
            packet = packet[length + -length % 4 :]


def _raise_if_error(flags: int, body: bytes) -> None:
    number = -struct.unpack_from("=i", body)[0]
    if not number:
        return
    said = ""
    if flags & _ACK_HAS_ATTRIBUTES:
        # struct nlmsgerr: the errno, and the header of what was sent.
        words = dict(attributes(body[4 + _HEADER.size :])).get(_ERROR_TEXT, b"")
        said = words.rstrip(b"\0").decode(errors="replace")
    text = os.strerror(number)
    raise OSError(number, f"{text}: {said}" if said else text)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, filled up to four bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def nested(kind: int, *inner: bytes) -> bytes:
    """An attribute whose value are attributes."""
    return attribute(kind | _NESTED, b"".join(inner))


def text(kind: int, value: str) -> bytes:
    """A string, with the zero byte that ends it."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """A number of 32 bits in the machine's own order."""
    return attribute(kind, struct.pack("=I", value))


def attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind (without the mark of a nested one) and value of each attribute in ``body``."""
    while len(body) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(body)
        if length < _ATTRIBUTE.size:
            return  # nothing that the kernel writes
        yield kind & 0x3FFF, body[_ATTRIBUTE.size : length]
        body = body[length + -length % 4 :]
