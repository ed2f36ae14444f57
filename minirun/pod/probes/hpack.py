"""HPACK: how HTTP/2 writes headers.

Layer: pod, pure. Writing is done in the plainest of its forms; reading has to
know them all, since the server chooses. Read next: http2.py. RFC 7541.

A header is a number (of a table that both sides keep), or a name and a value,
each as it is or in Huffman's code; what is written "with indexing" goes into
the table for later. That code is a canonical one, so the lengths of its words
are enough to make it: words of one length are consecutive numbers, in the order
of the symbols.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TABLE_SIZE = 4096
_ENTRY_OVERHEAD = 32
#: A few bytes can stand for many: a block that grows past this is an attack.
_DECODED_LIMIT = 64 * 1024

#: RFC 7541, appendix A; of each name only the first entry is needed beside those with values.
_STATIC = [
    (name, value)
    for name, _, value in (
        entry.partition(" ")
        for entry in (
            ":authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|"
            ":status 200|:status 204|:status 206|:status 304|:status 400|:status 404|:status 500|"
            "accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|"
            "access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|"
            "content-encoding|content-language|content-length|content-location|content-range|content-type|"
            "cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|"
            "if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|"
            "proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|"
            "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
        ).split("|")
    )
]

#: How long the word for each byte is (a digit of base 36 each), and at the end that for "end of string".
_LENGTHS = (
    "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca"
    "d67777777777777777777777878djde6f56565666577666567655677777fbeds"
    "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn"
    "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq"
    "u"
)
_END_OF_STRING = 256


class Malformed(ValueError):
    """It is no HPACK."""


def encode(headers: Iterable[tuple[str, str]]) -> bytes:
    """A block that names each header in full, and leaves the server's table alone."""
    block = b""
    for name, value in headers:
        block += b"\0"  # a literal, without indexing, with a new name
        for text in (name.encode(), value.encode()):
            block += _number(len(text), 7) + text
    return block


class Decoder:
    """Reads the blocks of one connection, in their order: each may change the table."""

    def __init__(self) -> None:
        self._table: list[tuple[str, str]] = []
        self._size = _TABLE_SIZE

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        """The headers. Raises Malformed."""
        headers = []
        room = _DECODED_LIMIT
        try:
            for name, value in self._read(_Reader(block)):
                room -= len(name) + len(value) + _ENTRY_OVERHEAD
                if room < 0:
                    raise Malformed("the headers are too long")
                headers.append((name, value))
        except IndexError:
            raise Malformed("the headers break off") from None
        return headers

    def _read(self, block: _Reader) -> Iterator[tuple[str, str]]:
        while block.rest():
            first = block.peek()
            if first & 0x80:  # 1nnnnnnn: an entry of the table
                yield self._entry(block.number(7))
            elif first & 0xE0 == 0x20:  # 001nnnnn: the table gets smaller, or larger again
                self._resize(block.number(5))
            else:  # 01nnnnnn: a header for the table; 000xnnnn: one that is not
                indexed = bool(first & 0x40)
                index = block.number(6 if indexed else 4)
                name = self._entry(index)[0] if index else block.text()
                header = (name, block.text())
                if indexed:
                    self._table.insert(0, header)
                    self._evict()
                yield header

    def _entry(self, index: int) -> tuple[str, str]:
        entries = len(_STATIC)
        if 1 <= index <= entries:
            return _STATIC[index - 1]
        if 1 <= index - entries <= len(self._table):
            return self._table[index - entries - 1]
        raise Malformed(f"there is no header of number {index}")

    def _resize(self, size: int) -> None:
        if size > _TABLE_SIZE:
            raise Malformed(f"a table of {size} bytes is more than was agreed on")
        self._size = size
        self._evict()

    def _evict(self) -> None:
        while sum(len(name) + len(value) + _ENTRY_OVERHEAD for name, value in self._table) > self._size:
            self._table.pop()


class _Reader:
    """A block, from its beginning to its end. Past the end: IndexError."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._at = 0

    def rest(self) -> int:
        return len(self._block) - self._at

    def peek(self) -> int:
        return self._block[self._at]

    def byte(self) -> int:
        self._at += 1
        return self._block[self._at - 1]

    def number(self, bits: int) -> int:
        """Section 5.1: in the low ``bits`` of the first byte, or more bytes, seven bits each."""
        full = (1 << bits) - 1
        number = self.byte() & full
        if number < full:
            return number
        for shift in range(0, 28, 7):
            byte = self.byte()
            number += (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise Malformed("a number is too large")

    def text(self) -> str:
        """Section 5.2."""
        coded = bool(self.peek() & 0x80)
        length = self.number(7)
        if length > self.rest():
            raise Malformed("a text is longer than its block")
        raw = self._block[self._at : self._at + length]
        self._at += length
        return (huffman(raw) if coded else raw).decode("latin-1")


def huffman(coded: bytes) -> bytes:
    """The text that ``coded`` stands for. Raises Malformed."""
    words = _words()
    text = bytearray()
    word = length = 0
    for byte in coded:
        for shift in range(7, -1, -1):
            word = word << 1 | byte >> shift & 1
            length += 1
            symbol = words.get((length, word))
            if symbol == _END_OF_STRING:
                raise Malformed("a text has its end inside")
            if symbol is not None:
                text.append(symbol)
                word = length = 0
    if length > 7 or word != (1 << length) - 1:
        raise Malformed("a text ends in the middle of a letter")
    return bytes(text)


def _words() -> dict[tuple[int, int], int]:
    """(length, code) -> symbol."""
    if not _code:
        word = before = 0
        for length, symbol in sorted((int(digit, 36), symbol) for symbol, digit in enumerate(_LENGTHS)):
            word <<= length - before
            _code[length, word] = symbol
            word, before = word + 1, length
    return _code


_code: dict[tuple[int, int], int] = {}


def _number(number: int, bits: int) -> bytes:
    full = (1 << bits) - 1
    if number < full:
        return bytes([number])
    number -= full
    more = bytearray([full])
    while number >= 0x80:
        more.append(number & 0x7F | 0x80)
        number >>= 7
    more.append(number)
    return bytes(more)
