"""httpGet: a GET request; a status from 200 to 399 passes.

Layer: pod. HTTP/1.1, one request a connection. As the kubelet does it: a
redirect is followed to the same host only, ten times at most, and passes where
it leads elsewhere; the answer's body is read, up to 10 KiB, and an answer that
breaks off in it fails. Read next: grpc.py. RFC 9112; Kubernetes, "HTTP probes".
"""

from __future__ import annotations

from minirun import __version__
from minirun.pod.probes import connection, tls
from minirun.pod.probes.connection import Stream
from minirun.pod.probes.conversation import Failed, ProbeResult, run
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from minirun.pod.probes.conversation import Talk

PROBE_AGENT = f"kube-probe/minirun-{__version__}"
HOOK_AGENT = f"kube-lifecycle/minirun-{__version__}"

BODY_LIMIT = 10 * 1024
#: Of status line and headers together.
_HEAD_LIMIT = 64 * 1024
_REDIRECTS = 10
#: What the request says by itself.
_OURS = ("host", "connection", "content-length", "transfer-encoding", "trailer")


class Request(Value):
    """What to get, and from where. ``path`` may have a query."""

    address: str
    port: int
    path: str = "/"
    scheme: str = "HTTP"
    headers: tuple[tuple[str, str], ...] = ()
    agent: str = PROBE_AGENT


class Answer(Value):
    """What came back."""

    status: int
    headers: dict[str, str]
    """By their names in small letters."""
    body: bytes = b""


def probe(address: str, port: int, seconds: float, path: str = "/", scheme: str = "HTTP") -> ProbeResult:
    """Gets ``path``, and waits for at most ``seconds``. Never raises for what the network does."""
    return run(talk(Request(address=address, port=port, path=path, scheme=scheme)), seconds)


def talk(request: Request) -> Talk[ProbeResult]:
    """Gets it as a conversation."""
    first = request.address.lower()
    for _ in range(_REDIRECTS):
        answer = yield from exchange(request)
        target = _redirected(request, answer)
        if target is None:
            passed = 200 <= answer.status < 400
            return ProbeResult(success=passed, message=_message(answer))
        if target.address != first:
            return ProbeResult(
                success=True, message=f"redirected to another host, {target.address}: not followed"
            )
        request = target
    raise Failed(f"stopped after {_REDIRECTS} redirects")


def exchange(request: Request) -> Talk[Answer]:
    """Sends one request, and reads its answer. Raises Failed, OSError."""
    asked = _written(request)
    opened: Stream = yield from connection.connect(request.address, request.port)
    try:
        if request.scheme.upper() == "HTTPS":
            secured = tls.Secured(opened, request.address)
            yield from secured.handshake()
            opened = secured
        yield from opened.send(asked)
        answer = yield from _read_head(opened)
        while 100 <= answer.status < 200 and answer.status != 101:  # "go on", and no answer yet
            answer = yield from _read_head(opened)
        body = yield from _read_body(opened, answer)
        return replace(answer, body=body)
    finally:
        opened.close()


def _written(request: Request) -> bytes:
    given = {name.lower(): value for name, value in request.headers}
    lines = [
        f"GET {_target(request.path)} HTTP/1.1",
        f"Host: {given.get('host') or connection.place(request.address, request.port)}",
    ]
    for name, value in (("User-Agent", request.agent), ("Accept", "*/*")):
        if name.lower() not in given:
            lines.append(f"{name}: {value}")
    for name, value in request.headers:
        # An empty one of these two means: without it.
        if name.lower() not in _OURS and (value or name.lower() not in ("user-agent", "accept")):
            lines.append(f"{name}: {value}")
    if any(character in line for line in lines for character in "\r\n\0"):
        raise Failed("a header of the probe has a line break in it")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


def _target(path: str) -> str:
    """``path`` as a request line can carry it: no scheme, no host, no fragment, no blanks."""
    path = path.partition("#")[0]
    if "://" in path.partition("?")[0]:
        rest = path.partition("://")[2]
        path = rest[min((rest.find(sign) for sign in "/?" if sign in rest), default=len(rest)) :]
    if not path.startswith("/"):
        path = f"/{path}"
    raw = path.encode(errors="surrogateescape")
    return "".join(chr(byte) if 0x21 <= byte < 0x7F else f"%{byte:02X}" for byte in raw)


def _read_head(opened: Stream) -> Talk[Answer]:
    opened.doing = "waiting for the answer"
    left = _HEAD_LIMIT
    line = yield from opened.line(left)
    version, _, rest = line.decode("latin-1").partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not (status.isascii() and status.isdigit() and len(status) == 3):
        raise Failed(f"the server does not answer in HTTP/1: {line[:40]!r}")
    headers: dict[str, str] = {}
    opened.doing = "reading the answer's headers"
    while line:
        left -= len(line) + 2
        line = yield from opened.line(max(left, 1))
        name, _, value = line.decode("latin-1").partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return Answer(status=int(status), headers=headers)


def _read_body(opened: Stream, answer: Answer) -> Talk[bytes]:
    """Its first 10 KiB. Raises HungUp if it breaks off before."""
    opened.doing = "reading the answer's body"
    if answer.status in (101, 204, 304):
        return b""
    if answer.headers.get("transfer-encoding", "").lower() == "chunked":
        return (yield from _read_chunks(opened))
    length = answer.headers.get("content-length")
    if length is None:
        return (yield from opened.up_to_the_end(BODY_LIMIT))
    if not (length.isascii() and length.isdigit()):
        raise Failed(f"the answer has a Content-Length of {length[:40]!r}")
    return (yield from opened.exactly(min(int(length[:18]), BODY_LIMIT)))


def _read_chunks(opened: Stream) -> Talk[bytes]:
    body = b""
    while len(body) < BODY_LIMIT:
        line = yield from opened.line(1024)
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError:
            raise Failed(f"the answer has a chunk of size {digits[:40]!r}") from None
        if size <= 0:
            break
        body += yield from opened.exactly(min(size, BODY_LIMIT - len(body)))
        if len(body) < BODY_LIMIT:
            yield from opened.exactly(2)  # the line's end behind the chunk
    return body


def _redirected(request: Request, answer: Answer) -> Request | None:
    """The request that a redirect asks for; None if it is none."""
    where = answer.headers.get("location", "")
    if answer.status not in (301, 302, 303, 307, 308) or not where:
        return None
    from urllib.parse import urljoin, urlsplit  # brings re, and is rarely needed

    here = (
        f"{request.scheme.lower()}://{connection.place(request.address, request.port)}{_target(request.path)}"
    )
    try:
        url = urlsplit(urljoin(here, where))
        port = url.port
    except ValueError as error:
        raise Failed(f"redirected to {where[:80]!r}: {error}") from None
    if url.scheme not in ("http", "https"):
        raise Failed(f"redirected to {where[:80]!r}, which is not HTTP")
    headers = request.headers
    if urlsplit(where).netloc:  # a Host of the probe's own was for the first place
        headers = tuple(pair for pair in headers if pair[0].lower() != "host")
    return replace(
        request,
        address=url.hostname or "",
        port=port if port is not None else {"http": 80, "https": 443}[url.scheme],
        path=url.path + (f"?{url.query}" if url.query else ""),
        scheme=url.scheme.upper(),
        headers=headers,
    )


def _message(answer: Answer) -> str:
    text = answer.body[:200].decode(errors="replace").split("\n")[0].strip()
    return f"HTTP status {answer.status}{f': {text}' if text else ''}"
