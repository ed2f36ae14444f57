"""grpc: the call grpc.health.v1.Health/Check; the answer SERVING passes.

Layer: pod. A gRPC call is a POST over HTTP/2 (without TLS here, and without
asking first whether the server speaks it). Its message is one byte (0: not
compressed), its length, and a protocol buffer; how it went stands in the
trailers. Read next: command.py. Kubernetes, "Probes", "grpc"; gRPC over HTTP2;
GRPC Health Checking Protocol.
"""

from __future__ import annotations

from minirun.pod.probes import connection, http2
from minirun.pod.probes.conversation import Failed, ProbeResult, run
from minirun.pod.probes.http import PROBE_AGENT
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.probes.conversation import Talk

#: HealthCheckResponse.ServingStatus.
_SERVING = 1
_ANSWERS = {0: "UNKNOWN", _SERVING: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

#: grpc-status.
_STATUSES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED"
    " RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE"
    " DATA_LOSS UNAUTHENTICATED"
).split()

# The wire types of a protocol buffer.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def probe(address: str, port: int, seconds: float, service: str = "") -> ProbeResult:
    """Asks how ``service`` is ("": the server), and waits for at most ``seconds``."""
    return run(talk(address, port, service), seconds)


def talk(address: str, port: int, service: str = "") -> Talk[ProbeResult]:
    """The same as a conversation."""
    name = service.encode()
    request = b"\x0a" + _varint(len(name)) + name if name else b""  # field 1, bytes
    headers = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", connection.place(address, port)),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", PROBE_AGENT),
    )
    opened = yield from connection.connect(address, port)
    try:
        reply = yield from http2.exchange(opened, headers, b"\0" + len(request).to_bytes(4, "big") + request)
    finally:
        opened.close()
    answer = _answer(reply)
    healthy = answer == _SERVING
    return ProbeResult(success=healthy, message=f"the service is {_ANSWERS.get(answer, answer)}")


def _answer(reply: http2.Reply) -> int:
    """The ServingStatus. Raises Failed if the call did not succeed."""
    status = reply.headers.get(":status", "")
    code = reply.trailers.get("grpc-status", "")
    if code != "0":
        if status != "200" and not code:
            raise Failed(f"HTTP status {status or 'missing'} where gRPC was expected")
        if code == str(_STATUSES.index("UNIMPLEMENTED")):
            raise Failed("the server does not have the health service grpc.health.v1.Health (UNIMPLEMENTED)")
        known = code.isascii() and code.isdigit() and int(code[:4]) < len(_STATUSES)
        name = _STATUSES[int(code)] if known else f"status {code[:20] or 'missing'}"
        raise Failed(f"the call failed: {name} {reply.trailers.get('grpc-message', '')[:200]}".rstrip())
    return _serving(_message(reply.data))


def _message(data: bytes) -> bytes:
    length = int.from_bytes(data[1:5], "big")
    if len(data) < 5 or len(data) - 5 != length:
        raise Failed("the reply breaks off")
    if data[0]:
        raise Failed("the reply is compressed, which was not asked for")
    return data[5:]


def _serving(message: bytes) -> int:
    """Field 1 of a HealthCheckResponse; not there is 0. The last one counts."""
    serving = 0
    try:
        for field, kind, value in _fields(message):
            if field == 1 and kind == _VARINT:
                serving = value
    except IndexError:
        raise Failed("the reply is no HealthCheckResponse") from None
    return serving


def _fields(message: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, wire type and, of a varint, value of each field. Raises IndexError."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        kind, value = tag & 7, 0
        if kind == _VARINT:
            value, at = _read_varint(message, at)
        elif kind == _BYTES:
            length, at = _read_varint(message, at)
            at += length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise IndexError(kind)
        yield tag >> 3, kind, value


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError(at)


def _varint(value: int) -> bytes:
    more = bytearray()
    while value >= 0x80:
        more.append(value & 0x7F | 0x80)
        value >>= 7
    more.append(value)
    return bytes(more)
