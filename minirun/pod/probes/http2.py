"""HTTP/2, as much of it as one question needs: a stream, a request, its reply.

Layer: pod. Everything is a frame: nine bytes (length, type, flags, stream), then
what it carries. Ours is stream 1; stream 0 is the connection itself.

    client                                        server
    preface, SETTINGS, HEADERS, DATA  ->       <- SETTINGS
    SETTINGS (ack)                    ->       <- HEADERS, DATA, HEADERS (trailers)

Read next: grpc.py. RFC 9113, sections 4, 6 and 8.1.
"""

from __future__ import annotations

from minirun.pod.probes import hpack
from minirun.pod.probes.connection import Stream
from minirun.pod.probes.conversation import Failed
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minirun.pod.probes.conversation import Talk

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_ENABLE_PUSH = 2

_OURS = 1
#: Nobody may send larger ones to who has not asked for it.
_LARGEST_FRAME = 16384
_DATA_LIMIT = _HEADERS_LIMIT = 64 * 1024


class Reply(Value):
    """What came back. Of a header that comes twice the first counts."""

    headers: dict[str, str]
    data: bytes
    trailers: dict[str, str]
    """Headers after the data; without data they are the headers."""


class Frame(Value):
    """What stands between two frames' heads."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def exchange(opened: Stream, headers: Iterable[tuple[str, str]], data: bytes) -> Talk[Reply]:
    """Sends a request, and waits for the whole reply. Raises Failed, OSError."""
    no_push = _ENABLE_PUSH.to_bytes(2, "big") + bytes(4)
    yield from opened.send(
        _PREFACE
        + written(SETTINGS, 0, 0, no_push)
        + written(HEADERS, END_HEADERS, _OURS, hpack.encode(headers))
        + written(DATA, END_STREAM, _OURS, data)
    )
    opened.doing = "waiting for the server's HTTP/2 settings"
    first = yield from _read_frame(opened)
    if first.kind != SETTINGS or first.flags & ACK:
        raise Failed("the server does not speak HTTP/2")
    yield from opened.send(written(SETTINGS, ACK, 0))
    opened.doing = "waiting for the reply"
    return (yield from _read_reply(opened))


def written(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _read_reply(opened: Stream) -> Talk[Reply]:
    decoder = hpack.Decoder()
    blocks: list[dict[str, str]] = []
    data = b""
    while True:
        frame = yield from _read_frame(opened)
        if frame.stream == 0:
            yield from _attend(opened, frame)
        elif frame.kind == HEADERS:
            block = yield from _whole_block(opened, frame)
            found = _headers(decoder, block)
            if not found.get(":status", "").startswith("1"):  # "go on", and no reply yet
                blocks.append(found)
        elif frame.kind == DATA:
            data += _unpadded(frame)
            if len(data) > _DATA_LIMIT:
                raise Failed(f"the reply is longer than {_DATA_LIMIT} bytes")
        elif frame.kind == RST_STREAM:
            raise Failed(
                f"the server ended the request (error {int.from_bytes(frame.payload, 'big')} of HTTP/2)"
            )
        elif frame.kind in (PUSH_PROMISE, CONTINUATION):
            raise Failed("the server does not keep to HTTP/2")
        if frame.kind in (DATA, HEADERS) and frame.flags & END_STREAM:
            if not blocks:
                raise Failed("the reply has no headers")
            return Reply(headers=blocks[0], data=data, trailers=blocks[-1])


def _attend(opened: Stream, frame: Frame) -> Talk[None]:
    """What is about the connection."""
    if frame.kind in (SETTINGS, PING) and not frame.flags & ACK:
        yield from opened.send(written(frame.kind, ACK, 0, frame.payload if frame.kind == PING else b""))
    elif frame.kind == GOAWAY and int.from_bytes(frame.payload[:4], "big") < _OURS:
        raise Failed(f"the server goes away (error {int.from_bytes(frame.payload[4:8], 'big')} of HTTP/2)")


def _whole_block(opened: Stream, frame: Frame) -> Talk[bytes]:
    """The headers of a HEADERS frame, with those of the frames that continue it."""
    block = _unpadded(frame)
    if frame.flags & PRIORITY:
        block = block[5:]
    while not frame.flags & END_HEADERS:
        frame = yield from _read_frame(opened)
        if frame.kind != CONTINUATION:
            raise Failed("the server does not keep to HTTP/2")
        block += frame.payload
        if len(block) > _HEADERS_LIMIT:
            raise Failed(f"the reply's headers are longer than {_HEADERS_LIMIT} bytes")
    return block


def _headers(decoder: hpack.Decoder, block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    try:
        for name, value in decoder.decode(block):
            headers.setdefault(name, value)
    except hpack.Malformed as error:
        raise Failed(f"the server does not keep to HTTP/2: {error}") from error
    return headers


def _unpadded(frame: Frame) -> bytes:
    if not frame.flags & PADDED:
        return frame.payload
    padding = frame.payload[0] if frame.payload else 0
    if padding >= len(frame.payload):
        raise Failed("the server does not keep to HTTP/2")
    return frame.payload[1 : len(frame.payload) - padding]


def _read_frame(opened: Stream) -> Talk[Frame]:
    head = yield from opened.exactly(9)
    length = int.from_bytes(head[:3], "big")
    if length > _LARGEST_FRAME:  # as the letters "HTT" of an older server's answer make one
        raise Failed("the server does not speak HTTP/2")
    payload = yield from opened.exactly(length)
    return Frame(
        kind=head[3], flags=head[4], stream=int.from_bytes(head[5:], "big") & 0x7FFFFFFF, payload=payload
    )
