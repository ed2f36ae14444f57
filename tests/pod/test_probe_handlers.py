"""Probes and hooks against real servers on loopback: what passes, what fails, and none takes too long."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun import __version__
from minirun.pod import handlers
from minirun.pod.manifest.types import (
    Container,
    ContainerPort,
    ExecAction,
    HTTPGetAction,
    HTTPHeader,
    LifecycleHandler,
    SleepAction,
    TCPSocketAction,
)
from minirun.pod.probes import ask, command, connection, grpc, http, names, tcp
from minirun.pod.probes.command import Started
from minirun.pod.probes.conversation import ProbeResult, run
from minirun.pod.probes.http import Request
from tests.needs import needs

HERE = "127.0.0.1"
#: What is sure to come in the end may take so long; a probe that has to fail is given SHORT.
PATIENCE, SHORT = 20.0, 0.3
#: And no more than this much longer, on a busy machine; the peers here go on for ever.
SLACK = 10.0

Answer = Callable[[socket.socket], None]


class Server:
    """Answers each connection, in a thread of its own, with ``answer``."""

    def __init__(self, answer: Answer, address: str = HERE, context: ssl.SSLContext | None = None) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, 0), family=family)
        self.port: int = self.listener.getsockname()[1]
        self.heard: list[bytes] = []
        self._answer = answer
        self._context = context
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return  # closed
            self._open.append(accepted)
            threading.Thread(target=self._attend, args=(accepted,), daemon=True).start()

    def _attend(self, accepted: socket.socket) -> None:
        try:
            if self._context:
                accepted = self._context.wrap_socket(accepted, server_side=True)
            self._answer(accepted)
        except (OSError, ValueError):
            pass  # the probe has hung up, or the test is over
        finally:
            accepted.close()

    def close(self) -> None:
        """Ends what is under way, too."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for accepted in self._open:
            try:
                accepted.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            accepted.close()


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; ends them after the test."""
    servers: list[Server] = []

    def start(answer: Answer | bytes, **options: object) -> Server:
        says = saying(answer) if isinstance(answer, bytes) else answer
        servers.append(Server(says, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def saying(*answers: bytes) -> Answer:
    """Reads a request, answers with the next of ``answers`` (the last one for ever) and hangs up."""
    left = list(answers)

    def answer(accepted: socket.socket) -> None:
        read_head(accepted)
        accepted.sendall(left.pop(0) if len(left) > 1 else left[0])

    return answer


def read_head(accepted: socket.socket) -> bytes:
    """A request without a body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = accepted.recv(1000)
        if not piece:
            break
        head += piece
    return head


def silent(accepted: socket.socket) -> None:
    """Listens, and says nothing."""
    while accepted.recv(1000):
        pass


def dripping(before: bytes = b"") -> Answer:
    """Says ``before``, and then goes on a byte at a time, for ever."""

    def answer(accepted: socket.socket) -> None:
        accepted.sendall(before)
        while True:
            accepted.sendall(b"x")
            time.sleep(0.02)  # slowness is what is tested

    return answer


def endless(before: bytes, piece: bytes = b"x" * 1000) -> Answer:
    """Says ``before``, and then goes on as fast as it can, for ever."""

    def answer(accepted: socket.socket) -> None:
        read_head(accepted)
        accepted.sendall(before)
        while True:
            accepted.sendall(piece)

    return answer


def ok(body: bytes = b"fine", status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def get(server: Server, seconds: float = PATIENCE, **fields: object) -> ProbeResult:
    request = Request(address=HERE, port=server.port, **fields)
    return run(http.talk(request), seconds)


class Within:
    """Fails the test if its body takes longer than a probe of ``seconds`` may."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        self.start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        assert time.monotonic() - self.start < self.seconds + SLACK


def closed_port() -> int:
    """Where nobody listens."""
    with socket.create_server((HERE, 0)) as one:
        return int(one.getsockname()[1])


# --- tcpSocket -----------------------------------------------------------------------


def test_tcp_passes_where_somebody_listens(serve: Serve) -> None:
    server = serve(silent)
    result = tcp.probe(HERE, server.port, PATIENCE)
    assert result == ProbeResult(success=True, message=f"127.0.0.1:{server.port} accepts connections")


def test_tcp_fails_where_nobody_does() -> None:
    port = closed_port()
    result = tcp.probe(HERE, port, PATIENCE)
    assert not result.success
    assert result.message == f"cannot connect to 127.0.0.1:{port}: ECONNREFUSED (Connection refused)"


def test_tcp_does_not_wait_for_who_never_accepts() -> None:
    """A full queue: the kernel drops what else comes, as a firewall would."""
    with socket.socket() as full:
        full.bind((HERE, 0))
        full.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        with Within(SHORT):
            result = tcp.probe(HERE, port, SHORT)
        assert not result.success
        assert result.message == f"not done within 0.3 seconds: it was connecting to 127.0.0.1:{port}"
        for one in crowd:
            one.close()


def test_tcp_over_ipv6(serve: Serve) -> None:
    try:
        server = serve(silent, address="::1")
    except OSError:
        pytest.skip("this machine lacks: IPv6")
    result = tcp.probe("::1", server.port, PATIENCE)
    assert result == ProbeResult(success=True, message=f"[::1]:{server.port} accepts connections")


def test_a_name_is_looked_up(serve: Serve) -> None:
    """localhost may be ::1 first, where nobody listens."""
    assert tcp.probe("localhost", serve(silent).port, PATIENCE).success


@pytest.mark.parametrize("name", ["no-such-host.invalid", "no host", "", "x" * 300, "a..b", "-v"])
def test_no_such_name(name: str) -> None:
    result = tcp.probe(name, 80, PATIENCE)
    assert not result.success
    assert result.message.startswith(f"cannot find the address of {name}: ")


def test_a_slow_name_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_LOOK_UP", "import time; time.sleep(1000)")
    with Within(SHORT):
        result = tcp.probe("slow.example", 80, SHORT)
    assert result.message == "not done within 0.3 seconds: it was looking up slow.example"


# --- httpGet -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "success"),
    [
        ("200 OK", True),
        ("204 No Content", True),
        ("299 Hm", True),
        ("300 Multiple Choices", True),
        ("301 Moved", True),  # with no place to go to
        ("304 Not Modified", True),
        ("399 Hm", True),
        ("400 Bad Request", False),
        ("404 Not Found", False),
        ("500 Oh", False),
        ("503", False),
        ("999 Hm", False),
        ("101 Switching Protocols", False),
    ],
)
def test_statuses(serve: Serve, status: str, success: bool) -> None:
    result = get(serve(ok(b"", status)))
    assert result == ProbeResult(success=success, message=f"HTTP status {status[:3]}")


def test_a_failing_answer_is_quoted(serve: Serve) -> None:
    result = get(serve(ok(b"no database\nsecond line", "500 Oh")))
    assert result == ProbeResult(success=False, message="HTTP status 500: no database")


def requested(serve: Serve, **fields: object) -> list[str]:
    """The lines of the request that a server gets to see."""
    heads: list[bytes] = []

    def answer(accepted: socket.socket) -> None:
        heads.append(read_head(accepted))
        accepted.sendall(ok())

    server = serve(answer)
    assert get(server, **fields).success
    return heads[0].decode().replace(str(server.port), "PORT").split("\r\n")


def test_the_request(serve: Serve) -> None:
    assert requested(serve, path="/healthz?deep=1") == [
        "GET /healthz?deep=1 HTTP/1.1",
        "Host: 127.0.0.1:PORT",
        f"User-Agent: kube-probe/minirun-{__version__}",
        "Accept: */*",
        "Connection: close",
        "",
        "",
    ]


def test_headers_of_its_own(serve: Serve) -> None:
    headers = (
        ("Host", "www.example"),
        ("user-agent", ""),
        ("ACCEPT", "text/plain"),
        ("X-Two", "1"),
        ("X-Two", "2"),
        ("Content-Length", "5"),
        ("Connection", "keep-alive"),
    )
    assert requested(serve, headers=headers) == [
        "GET / HTTP/1.1",
        "Host: www.example",
        "ACCEPT: text/plain",
        "X-Two: 1",
        "X-Two: 2",
        "Connection: close",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("healthz", "/healthz"),
        ("?a=b", "/?a=b"),
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/ü#part", "/%C3%BC"),
        ("http://elsewhere/x?y", "/x?y"),
        ("http://elsewhere", "/"),
        ("/x?to=http://elsewhere/", "/x?to=http://elsewhere/"),
        ("/a\r\nX: y", "/a%0D%0AX:%20y"),
    ],
)
def test_paths(serve: Serve, path: str, target: str) -> None:
    assert requested(serve, path=path)[0] == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\n", "a\0"])
def test_a_header_cannot_become_two(serve: Serve, value: str) -> None:
    result = get(serve(ok()), headers=(("X-Good", value),))
    assert result == ProbeResult(success=False, message="a header of the probe has a line break in it")


def redirect(where: str, status: str = "302 Found") -> bytes:
    return ok(b"", status, f"Location: {where}")


@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
@pytest.mark.parametrize(("end", "success"), [("200 OK", True), ("500 Oh", False)])
def test_a_redirect_to_the_same_host_is_followed(serve: Serve, status: str, end: str, success: bool) -> None:
    result = get(serve(saying(redirect("/there", f"{status} Go"), ok(b"", end))))
    assert result == ProbeResult(success=success, message=f"HTTP status {end[:3]}")


def test_a_redirect_to_another_port_of_it(serve: Serve) -> None:
    end = serve(ok(b"", "418 Tea"))
    result = get(serve(redirect(f"http://127.0.0.1:{end.port}/x")))
    assert result.message == "HTTP status 418"


def test_a_redirect_to_another_host_passes_and_is_not_followed(serve: Serve) -> None:
    other = serve(ok(b"", "500 Oh"), address="127.0.0.2")
    for where in (f"http://127.0.0.2:{other.port}/", f"//127.0.0.2:{other.port}"):
        result = get(serve(redirect(where)))
        assert result == ProbeResult(
            success=True, message="redirected to another host, 127.0.0.2: not followed"
        )


def test_a_redirect_takes_the_headers_along(serve: Serve) -> None:
    heads: list[bytes] = []

    def answer(accepted: socket.socket) -> None:
        heads.append(read_head(accepted))
        path = heads[-1].split()[1]
        port = accepted.getsockname()[1]
        where = {b"/": "near", b"/near": f"http://{HERE}:{port}/far?x"}.get(path, "")
        accepted.sendall(redirect(where) if where else ok())

    assert get(serve(answer), headers=(("Host", "www.example"), ("X-A", "b"))).success
    assert [head.split()[1] for head in heads] == [b"/", b"/near", b"/far?x"]
    assert [b"X-A: b" in head for head in heads] == [True] * 3
    assert [b"Host: www.example" in head for head in heads] == [True, True, False]


def test_ten_redirects_and_no_more(serve: Serve) -> None:
    asked = []

    def answer(accepted: socket.socket) -> None:
        asked.append(read_head(accepted))
        accepted.sendall(redirect("/again"))

    assert get(serve(answer)) == ProbeResult(success=False, message="stopped after 10 redirects")
    assert len(asked) == 10


@pytest.mark.parametrize(
    ("where", "complaint"),
    [("ftp://127.0.0.1/x", "which is not HTTP"), ("http://127.0.0.1:99999/", "redirected to")],
)
def test_a_redirect_to_nowhere(serve: Serve, where: str, complaint: str) -> None:
    result = get(serve(redirect(where)))
    assert not result.success
    assert complaint in result.message


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ok(b"all of it"), "HTTP status 200: all of it"),
        (HEAD + b"\r\nuntil the end", "HTTP status 200: until the end"),
        (b"HTTP/1.0 200\n\nold", "HTTP status 200: old"),
        (CHUNKED + b"4\r\nfour\r\n3;x=y\r\n + \r\n3\r\none\r\n0\r\n\r\n", "HTTP status 200: four + one"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + ok(), "HTTP status 200: fine"),
        (HEAD + b"Content-Length: 3\r\n\r\none and what is too much", "HTTP status 200: one"),
        (ok(b"x" * 20000), f"HTTP status 200: {'x' * 200}"),
        (HEAD + b"Content-Length: %d\r\n\r\n" % 10**24 + b"x" * 20000, f"HTTP status 200: {'x' * 200}"),
    ],
)  # fmt: skip
def test_bodies(serve: Serve, answer: bytes, message: str) -> None:
    assert get(serve(answer)) == ProbeResult(success=True, message=message)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"", "the server hung up"),
        (b"HTTP/1.1 200", "the server hung up"),
        (HEAD + b"A: b\r\n", "the server hung up"),
        (HEAD + b"Content-Length: 10\r\n\r\nshort", "the server hung up"),
        (CHUNKED + b"4\r\nfo", "the server hung up"),
        (CHUNKED + b"4\r\nfour\r\n", "the server hung up"),
        (CHUNKED + b"zz\r\n", "a chunk of size"),
        (HEAD + b"Content-Length: many\r\n\r\n", "a Content-Length of 'many'"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer in HTTP/1"),
        (b"HTTP/1.1 2000 OK\r\n\r\n"[:9] + b"20 OK\r\n\r\n", "does not answer in HTTP/1"),
        (b"HTTP/2 200\r\n\r\n", "does not answer in HTTP/1"),
        (HEAD + b"A: " + b"b" * 70000, "a line of more than"),
        (HEAD + b"A: b\r\n" * 20000 + b"\r\n", "a line of more than"),
    ],
)
def test_what_is_no_answer(serve: Serve, answer: bytes, complaint: str) -> None:
    result = get(serve(answer))
    assert not result.success
    assert complaint in result.message


@pytest.mark.parametrize(
    ("answer", "doing"),
    [
        (silent, "waiting for the answer"),
        (dripping(), "waiting for the answer"),
        (dripping(HEAD), "reading the answer's headers"),
        (dripping(HEAD + b"\r\n"), "reading the answer's body"),
        (dripping(CHUNKED + b"400\r\n"), "reading the answer's body"),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "waiting for the answer"),
    ],
)
def test_who_takes_too_long(serve: Serve, answer: Answer, doing: str) -> None:
    with Within(SHORT):
        result = get(serve(answer), SHORT)
    assert not result.success
    assert result.message.startswith("not done within 0.3 seconds: it was ")
    if answer is not endless:  # that one may be met anywhere
        assert doing in result.message or "headers" in result.message


@pytest.mark.parametrize("before", [HEAD + b"\r\n", CHUNKED])
def test_an_endless_answer_is_read_up_to_its_limit(serve: Serve, before: bytes) -> None:
    piece = b"3e8\r\n" + b"x" * 1000 + b"\r\n" if before is CHUNKED else b"x" * 1000
    assert get(serve(endless(before, piece))).success


def test_http_and_a_port_where_nobody_listens() -> None:
    port = closed_port()
    result = http.probe(HERE, port, PATIENCE)
    assert result.message == f"cannot connect to 127.0.0.1:{port}: ECONNREFUSED (Connection refused)"


# --- httpGet, scheme HTTPS -------------------------------------------------------------


@pytest.fixture(scope="module", params=["ec", "rsa:1024"])
def context(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate of its own making, for another host."""
    place: Path = tmp_path_factory.mktemp("tls")
    kind = [request.param] if request.param != "ec" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words = ["openssl", "req", "-x509", "-nodes", "-newkey", *kind, "-days", "1", "-subj", "/CN=elsewhere"]
    files = ["-keyout", str(place / "key"), "-out", str(place / "certificate")]
    subprocess.run([*words, *files], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("DEFAULT:@SECLEVEL=0")  # or OpenSSL refuses to serve with the short key
    server.load_cert_chain(place / "certificate", place / "key")
    return server


with_openssl = needs("openssl")


@with_openssl
def test_https_is_not_verified(serve: Serve, context: ssl.SSLContext) -> None:
    server = serve(ok(b"safe"), context=context)
    assert get(server, scheme="HTTPS") == ProbeResult(success=True, message="HTTP status 200: safe")
    assert get(serve(ok(b"", "500 Oh"), context=context), scheme="HTTPS").message == "HTTP status 500"


@with_openssl
def test_https_long_answers(serve: Serve, context: ssl.SSLContext) -> None:
    for answer in (ok(b"x" * 20000), HEAD + b"\r\n" + b"y" * 5000):
        assert get(serve(answer, context=context), scheme="HTTPS").success
    assert get(serve(endless(HEAD + b"\r\n"), context=context), scheme="HTTPS").success


@with_openssl
def test_https_that_breaks_off(serve: Serve, context: ssl.SSLContext) -> None:
    result = get(serve(HEAD + b"Content-Length: 10\r\n\r\nx", context=context), scheme="HTTPS")
    assert result.message == "the server hung up before its answer was complete"


@with_openssl
def test_a_redirect_from_http_to_https(serve: Serve, context: ssl.SSLContext) -> None:
    end = serve(ok(b"safe"), context=context)
    assert get(serve(redirect(f"https://{HERE}:{end.port}/"))).message == "HTTP status 200: safe"


def plain_web(accepted: socket.socket) -> None:
    """Answers any first words, as a web server does: with 400 if they are none of its own."""
    asks = accepted.recv(1000)
    accepted.sendall(ok() if asks.startswith(b"GET ") else ok(b"", "400 Bad Request"))


@with_openssl
def test_https_and_http_confused(serve: Serve, context: ssl.SSLContext) -> None:
    result = get(serve(plain_web), scheme="HTTPS")
    why = "TLS: the server does not speak it on this port (scheme: HTTP?)"
    assert result == ProbeResult(success=False, message=why)
    assert not get(serve(ok(), context=context)).success


@with_openssl
@pytest.mark.parametrize("answer", [silent, dripping(b"\x16\x03\x03\x40\x00")])
def test_https_with_who_takes_too_long(serve: Serve, answer: Answer) -> None:
    with Within(SHORT):
        result = get(serve(answer), SHORT, scheme="HTTPS")
    assert result.message == "not done within 0.3 seconds: it was agreeing on TLS keys"


@with_openssl
def test_https_slow_after_the_keys(serve: Serve, context: ssl.SSLContext) -> None:
    with Within(SHORT):
        result = get(serve(dripping(HEAD), context=context), SHORT, scheme="HTTPS")
    assert result.message.startswith("not done within 0.3 seconds: ")


def test_https_with_who_hangs_up(serve: Serve) -> None:
    result = get(serve(lambda accepted: None), scheme="HTTPS")
    assert not result.success


# --- grpc ------------------------------------------------------------------------


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, 0, 0)
#: What grpc's own server (grpcio 1.85) says first.
GRPCIO = bytes.fromhex(
    "000018040000000000000400400000000500400000000600004000fe0300000001000004080000000000003f0001"
    "00000004010000000000000408000000000000000005000008060000000000d3827bc3db0724d8"
)
GRPCIO_HEAD = (
    "00004e01040000000188400c636f6e74656e742d74797065106170706c69636174696f6e2f677270634014677270632d"
    "6163636570742d656e636f64696e67176964656e746974792c206465666c6174652c20677a6970"
)
GRPCIO_TRAILER = "00001e010500000001400b677270632d737461747573013%d000c677270632d6d65737361676500"
#: Another implementation (h2 4.4): Huffman's code, the table, padding.
H2 = bytes.fromhex(
    "00002a04000000000000010000100000020000000000040000ffff000500004000000800000000000300000064000600010000"
    "00000004010000000000000806000000000031323334353637380000"
    "2a010400000001885f8b1d75d0620d263d4c4d65646196d07abe941054d444a8200595040b8166e082a62d1bff76829c5f"
    "00000d000800000001050000000002080100000000000000"
    "19010500000001c040889acac8b21234da8f810740899acac8b5254207317f80"
)


def grpcio(message: str, status: int = 0) -> bytes:
    data = f"0000{5 + len(message) // 2:02x}00000000000100000000{len(message) // 2:02x}{message}"
    if status:
        data = "000005000000000001" + "00" * 5
    return GRPCIO + bytes.fromhex(GRPCIO_HEAD + data + GRPCIO_TRAILER % status)


GRPCIO_UNIMPLEMENTED = GRPCIO + bytes.fromhex(
    "00005001050000000188400c636f6e74656e742d74797065106170706c69636174696f6e2f67727063400b677270632d737461"
    "747573023132000c677270632d6d657373616765114d6574686f64206e6f7420666f756e6421"
)


def block(**headers: str) -> bytes:
    """Headers, each in full."""
    raw = b""
    for name, value in headers.items():
        for text in (name.replace("_", "-").replace("--", ":"), value):
            raw += (b"\0" if text is not value else b"") + bytes([len(text)]) + text.encode()
    return raw


REPLY = frame(1, 4, 1, b"\x88")  # :status 200
SERVING = frame(0, 0, 1, b"\0\0\0\0\2\x08\x01")
DONE = frame(1, 5, 1, block(grpc_status="0"))


def read_call(accepted: socket.socket) -> bytes:
    """A gRPC request: up to the frame that ends its stream."""
    said = b""
    while b"\x00\x01\x00\x00\x00\x01" not in said[24:]:
        said += accepted.recv(1000)
    return said


def replying(*parts: bytes) -> Answer:
    def answer(accepted: socket.socket) -> None:
        read_call(accepted)
        for part in parts:
            accepted.sendall(part)
        silent(accepted)

    return answer


def check(server: Server, seconds: float = PATIENCE, service: str = "") -> ProbeResult:
    return grpc.probe(HERE, server.port, seconds, service)


@pytest.mark.parametrize(
    ("reply", "success", "message"),
    [
        (grpcio("0801"), True, "the service is SERVING"),
        (grpcio("0802"), False, "the service is NOT_SERVING"),
        (grpcio("0803"), False, "the service is SERVICE_UNKNOWN"),
        (grpcio(""), False, "the service is UNKNOWN"),
        (grpcio("0809"), False, "the service is 9"),
        (grpcio("", 5), False, "the call failed: NOT_FOUND"),
        (
            GRPCIO_UNIMPLEMENTED,
            False,
            "the server does not have the health service grpc.health.v1.Health (UNIMPLEMENTED)",
        ),
        (H2, True, "the service is SERVING"),
    ],
)
def test_grpc_answers_as_servers_give_them(serve: Serve, reply: bytes, success: bool, message: str) -> None:
    assert check(serve(replying(reply))) == ProbeResult(success=success, message=message)


@pytest.mark.parametrize(
    "reply",
    [
        [REPLY, SERVING, DONE],
        [REPLY + SERVING[:12], SERVING[12:] + DONE],
        # its message in pieces, padded; other fields before and behind the status
        [REPLY, frame(0, 8, 1, b"\x02\0\0\0\0zz"), frame(0, 0, 1, b"\x02\x08\x01"), DONE],
        [REPLY, frame(0, 0, 1, b"\0\0\0\0\x09" + b"\x12\x01x" + b"\x08\x00\x08\x01" + b"\x18\x05"), DONE],
        # headers in pieces, with a priority and padding
        [
            frame(1, 8 | 0x20, 1, b"\x01" + bytes(5) + b"\0" + b"z"),
            frame(9, 0, 1, b"\x07:status"),
            frame(9, 4, 1, b"\x03200"),
            SERVING,
            DONE,
        ],
        # informational headers; other streams; frames that nobody knows; a window
        [frame(1, 4, 1, block(__status="103")), frame(77, 255, 1, b"?"), REPLY, SERVING, DONE],
        # an answer for the stream, and then away
        [frame(7, 0, 0, (1).to_bytes(4, "big") + bytes(4)), REPLY, SERVING, DONE],
        [frame(6, 0, 0, b"12345678") * 50, REPLY, SERVING, DONE],
    ],
)
def test_grpc_forms_of_an_answer(serve: Serve, reply: list[bytes]) -> None:
    result = check(serve(replying(SETTINGS, *reply)))
    assert result == ProbeResult(success=True, message="the service is SERVING")


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak HTTP/2"),
        ([REPLY], "does not speak HTTP/2"),
        ([SETTINGS, frame(1, 5, 1, block(__status="404"))], "HTTP status 404 where gRPC was expected"),
        (
            [SETTINGS, REPLY, SERVING, frame(1, 5, 1, block(grpc_status="14", grpc_message="later"))],
            "UNAVAILABLE later",
        ),
        ([SETTINGS, REPLY, SERVING, frame(1, 5, 1, block(grpc_status="77"))], "failed: status 77"),
        ([SETTINGS, frame(3, 0, 1, bytes([0, 0, 0, 7]))], "ended the request (error 7 of HTTP/2)"),
        ([SETTINGS, frame(7, 0, 0, bytes(4) + bytes([0, 0, 0, 11]))], "goes away (error 11 of HTTP/2)"),
        ([SETTINGS, REPLY, frame(0, 0, 1, b"\x01\0\0\0\2\x08\x01"), DONE], "compressed"),
        ([SETTINGS, REPLY, frame(0, 0, 1, b"\0\0\0\0\3\x08\x01"), DONE], "breaks off"),
        ([SETTINGS, REPLY, frame(0, 0, 1, b"\0"), DONE], "breaks off"),
        ([SETTINGS, REPLY, frame(0, 0, 1, b"\0\0\0\0\2\x08\x80"), DONE], "no HealthCheckResponse"),
        ([SETTINGS, REPLY, frame(0, 0, 1, b"\0\0\0\0\1\x0b"), DONE], "no HealthCheckResponse"),
        ([SETTINGS, frame(0, 1, 1, b"\0")], "no headers"),
        ([SETTINGS, REPLY, SERVING, frame(0, 1, 1)], "failed: status missing"),
        ([SETTINGS, frame(1, 4, 1, b"\x80")], "keep to HTTP/2"),
        ([SETTINGS, frame(1, 0, 1, b"\x88"), SERVING], "keep to HTTP/2"),
        ([SETTINGS, frame(5, 4, 1, b"\0\0\0\2")], "keep to HTTP/2"),
        ([SETTINGS, REPLY, frame(0, 8, 1, b"\x05abc")], "keep to HTTP/2"),
        ([SETTINGS, frame(1, 0, 1, b"\x88"), *[frame(9, 0, 1, b"\x88" * 9999)] * 7], "headers are longer"),
        ([SETTINGS, REPLY, *[frame(0, 0, 1, b"x" * 16000)] * 5], "longer than"),
        ([b"\x01\0\0\4\0\0\0\0\0"], "does not speak HTTP/2"),
    ],
)  # fmt: skip
def test_grpc_answers_that_are_none(serve: Serve, reply: list[bytes], complaint: str) -> None:
    result = check(serve(replying(*reply)))
    assert not result.success
    assert complaint in result.message


def test_what_grpc_asks(serve: Serve) -> None:
    """A server that takes it apart: the preface, the frames, the service."""
    said: list[bytes] = []

    def answer(accepted: socket.socket) -> None:
        said.append(read_call(accepted))
        accepted.sendall(SETTINGS + frame(6, 0, 0, b"87654321") + REPLY + SERVING)
        said.append(b"")
        while len(said[1]) < 9 + 17:
            said[1] += accepted.recv(1000)
        accepted.sendall(DONE)
        silent(accepted)

    server = serve(answer)
    assert check(server, service="my.Service").success
    assert said[0].startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"\0\x02\0\0\0\0"))
    assert said[0].endswith(frame(0, 1, 1, b"\0\0\0\0\x0c\x0a\x0amy.Service"))
    for text in (
        b"/grpc.health.v1.Health/Check",
        b"application/grpc",
        b"te\x08trailers",
        b"kube-probe/minirun",
    ):
        assert text in said[0]
    assert said[1] == frame(4, 1, 0) + frame(6, 1, 0, b"87654321")  # both acknowledged


def test_a_long_service_name(serve: Serve) -> None:
    said: list[bytes] = []

    def answer(accepted: socket.socket) -> None:
        said.append(read_call(accepted))
        accepted.sendall(SETTINGS + REPLY + SERVING + DONE)
        silent(accepted)

    assert check(serve(answer), service="s" * 300).success
    assert b"\0\0\0\x01\x2f\x0a\xac\x02" + b"s" * 300 in said[0]


@pytest.mark.parametrize(
    ("answer", "doing"),
    [
        (silent, "waiting for the server's HTTP/2 settings"),
        (replying(SETTINGS), "waiting for the reply"),
        (replying(SETTINGS, REPLY, SERVING), "waiting for the reply"),
        (dripping(SETTINGS + b"\0\x40\0\x63" + bytes(5)), "waiting for the reply"),
    ],
)
def test_grpc_with_who_takes_too_long(serve: Serve, answer: Answer, doing: str) -> None:
    with Within(SHORT):
        result = check(serve(answer), SHORT)
    assert result == ProbeResult(success=False, message=f"not done within 0.3 seconds: it was {doing}")


def test_grpc_with_a_server_that_never_ends(serve: Serve) -> None:
    def answer(accepted: socket.socket) -> None:
        accepted.sendall(SETTINGS)
        while True:
            accepted.sendall(frame(8, 0, 0, b"\0\0\0\1") * 100)

    with Within(SHORT):
        result = check(serve(answer), SHORT)
    assert result.message.startswith("not done within 0.3 seconds")


def test_grpc_where_the_server_hangs_up(serve: Serve) -> None:
    result = check(serve(lambda accepted: accepted.sendall(SETTINGS)))
    assert not result.success


# --- lifecycle hooks -----------------------------------------------------------------

CONTAINER = Container(name="c", ports=(ContainerPort(containerPort=1, name="web"),))


def no_exec(_: str, words: tuple[str, ...]) -> Started:
    raise AssertionError("nothing was to be run")


def shell(_: str, words: tuple[str, ...]) -> Started:
    return command.spawn(["/bin/sh", "-c", *words])


def hook(seconds: float | None = PATIENCE, **action: object) -> ProbeResult:
    return handlers.run(LifecycleHandler(**action), CONTAINER, HERE, shell, seconds)


def test_a_hook_that_gets(serve: Serve) -> None:
    heads: list[bytes] = []

    def answer(accepted: socket.socket) -> None:
        heads.append(read_head(accepted))
        accepted.sendall(ok())

    headers = (HTTPHeader(name="X-A", value="b"),)
    server = serve(answer)
    assert hook(httpGet=HTTPGetAction(port=str(server.port), path="/bye", httpHeaders=headers)).success
    assert b"GET /bye HTTP/1.1\r\n" in heads[0]
    assert f"User-Agent: kube-lifecycle/minirun-{__version__}\r\n".encode() in heads[0]
    assert b"X-A: b\r\n" in heads[0]


def test_a_hook_asks_for_no_more_than_an_answer(serve: Serve) -> None:
    server = serve(ok(b"", "500 Oh"))
    assert hook(httpGet=HTTPGetAction(port=server.port)) == ProbeResult(
        success=True, message="HTTP status 500"
    )
    assert not hook(httpGet=HTTPGetAction(port=closed_port())).success
    assert (
        hook(httpGet=HTTPGetAction(port="nobody")).message == "container c has no port of the name 'nobody'"
    )


def test_a_hook_that_says_https_to_a_server_without_it(serve: Serve) -> None:
    """It is asked again in HTTP, for the manifests of when the scheme was not looked at."""
    secret = (HTTPHeader(name="authorization", value="x"), HTTPHeader(name="X-A", value="b"))
    heads: list[bytes] = []

    def answer(accepted: socket.socket) -> None:
        heads.append(accepted.recv(1000))
        accepted.sendall(ok() if heads[-1].startswith(b"GET ") else ok(b"", "400 Bad Request"))

    server = serve(answer)
    action = HTTPGetAction(port=server.port, scheme="HTTPS", httpHeaders=secret)
    assert hook(httpGet=action) == ProbeResult(success=True, message="HTTP status 200: fine")
    assert b"X-A: b" in heads[1]
    assert b"authorization" not in heads[1]


def test_a_hook_elsewhere(serve: Serve) -> None:
    server = serve(ok(), address="127.0.0.3")
    assert hook(httpGet=HTTPGetAction(port=server.port, host="127.0.0.3")).success


def test_a_hook_that_runs() -> None:
    assert hook(exec=ExecAction(command=("echo bye",))) == ProbeResult(success=True, message="bye")
    assert hook(exec=ExecAction(command=("exit 2",))) == ProbeResult(success=False, message="exit code 2")


def test_a_hook_that_sleeps() -> None:
    start = time.monotonic()
    assert hook(sleep=SleepAction(seconds=1)) == ProbeResult(success=True, message="slept for 1 s")
    assert 1 <= time.monotonic() - start < 1 + SLACK
    assert hook(sleep=SleepAction(seconds=0)).success


@pytest.mark.parametrize(
    "action",
    [{"sleep": SleepAction(seconds=1000)}, {"exec": ExecAction(command=("sleep 1000",))}],
    ids=["sleep", "exec"],
)
def test_a_hook_is_bounded(action: dict[str, object]) -> None:
    with Within(SHORT):
        result = hook(SHORT, **action)
    assert result.message.startswith("not done within 0.3 seconds: it was ")


def test_a_hook_that_get_no_answer(serve: Serve) -> None:
    with Within(SHORT):
        assert not hook(SHORT, httpGet=HTTPGetAction(port=serve(silent).port)).success


@pytest.mark.parametrize("action", [{"tcpSocket": TCPSocketAction(port=80)}, {}])
def test_a_hook_that_is_none(action: dict[str, object]) -> None:
    result = handlers.run(LifecycleHandler(**action), CONTAINER, HERE, no_exec, 1)
    assert not result.success
    assert "exec, httpGet" in result.message


def test_a_probe_of_a_manifest(serve: Serve) -> None:
    """By the name of a port, at the pod's address."""
    server = serve(ok())
    named = Container(name="c", ports=(ContainerPort(containerPort=server.port, name="web"),))
    request = ask.request(HTTPGetAction(port="web", path="/x", scheme="HTTP"), named, HERE)
    assert (request.address, request.port, request.path) == (HERE, server.port, "/x")
    assert run(http.talk(request), PATIENCE).success
    assert connection.place("fd00::2", 80) == "[fd00::2]:80"
