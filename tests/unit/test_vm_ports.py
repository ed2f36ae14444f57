"""-p of vm run: docker's spelling in, QEMU's out."""

from __future__ import annotations

import socket

import pytest

from minirun.errors import Conflict, UsageError
from minirun.vm import ports


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8080:80", ("0.0.0.0", 8080, 80, "tcp")),
        ("80", ("0.0.0.0", 0, 80, "tcp")),
        ("127.0.0.1:8080:80", ("127.0.0.1", 8080, 80, "tcp")),
        ("127.0.0.1::53/udp", ("127.0.0.1", 0, 53, "udp")),
        ("1:65535/tcp", ("0.0.0.0", 1, 65535, "tcp")),
    ],
)
def test_dockers_spelling(text: str, found: tuple[str, int, int, str]) -> None:
    assert ports.parse(text) == found


@pytest.mark.parametrize(
    "text",
    "x 0 65536 80:0 80:65536 a:80 80/sctp 1.2.3:80:80 ::1:80:80 host:80:80 -1 80-81:80-81 ² 1:2:3:4".split(),
)
def test_what_is_not_understood(text: str) -> None:
    with pytest.raises(UsageError) as error:
        ports.parse(text)
    assert text in str(error.value) and error.value.remedy


def test_empty_words_are_not_understood() -> None:
    for text in ("", ":", "::", "80:", "/tcp"):
        with pytest.raises(UsageError):
            ports.parse(text)


def test_in_qemus_words_and_in_dockers() -> None:
    one = ports.Published(address="127.0.0.1", host=8080, port=80, protocol="tcp")
    assert one.forward == "hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80"
    assert str(one) == "127.0.0.1:8080->80/tcp"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_port_that_is_taken_is_told_before_anything_starts(kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"cannot publish port {port}"):
            ports.publish(f"127.0.0.1:{port}:80/{'tcp' if kind == socket.SOCK_STREAM else 'udp'}")


def test_no_port_is_any_that_is_free() -> None:
    found = ports.publish("127.0.0.1::80")
    assert 1024 <= found.host < 65536 and found.port == 80
    with socket.create_server(("127.0.0.1", found.host)):
        pass  # it is free indeed
