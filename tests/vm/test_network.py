"""The guest's network: none but lo, or QEMU's own with ports that lead into it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.conftest import Minirun
from tests.lifecycle import shell
from tests.needs import needs
from tests.patience import PATIENCE
from tests.vm.conftest import running

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run")


def fetch(port: int, request: bytes) -> bytes:
    """What a server on this machine's loopback answers."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(request)
        answer = b""
        while part := sock.recv(65536):
            answer += part
        return answer


def test_none_has_only_lo(vm: Minirun) -> None:
    done = vm(
        *RUN,
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "ls /sys/class/net; ping -c1 -W1 127.0.0.1 >&2; ip route",
    )
    assert (done.stdout, done.returncode) == ("lo\n", 0), done.stderr


def test_ports_lead_into_the_guest(vm: Minirun) -> None:
    """From the host's loopback to a server in there, on a port that `vm ps` tells."""
    script = """
        mkdir /www; echo page > /www/index.html; httpd -h /www -p 80
        ip -o -4 addr show dev eth0 | awk '{print $4}'; cat /etc/resolv.conf
        echo ready; sleep 1000"""
    words = ("--name", "web", "-p", "127.0.0.1::80", "-p", "127.0.0.1::81/udp", "busybox", "sh", "-c", script)
    process = shell.watched(vm, *RUN, *words)
    assert [shell.line(process) for _ in range(3)] == ["10.0.2.15/24", "nameserver 10.0.2.3", "ready"]
    row = json.loads(vm("vm", "ps", "--format", "json", check=True).stdout)[0]
    web, datagrams = (int(port.split(":")[1].partition("->")[0]) for port in row["ports"])
    assert row["ports"] == [f"127.0.0.1:{web}->80/tcp", f"127.0.0.1:{datagrams}->81/udp"]
    assert f"{datagrams:04X}" in Path("/proc/net/udp").read_text()
    assert fetch(web, b"GET / HTTP/1.0\r\n\r\n").endswith(b"page\n")
    done = vm(*RUN, "-p", f"127.0.0.1:{web}:80", "busybox", "true")
    assert (
        done.returncode == 125 and f"cannot publish port {web}" in done.stderr and "EADDRINUSE" in done.stderr
    )
    vm("vm", "stop", "-t", "0", "web", check=True)
    assert shell.end(process) == 137


def test_the_guest_reaches_the_hosts_loopback_at_the_gateway(vm: Minirun) -> None:
    """As --network user says of itself; and an answer comes back."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        words = ("--network", "user", "busybox", "nc", "10.0.2.2", str(port))
        process = shell.watched(vm, *RUN, *words)
        server.settimeout(PATIENCE)
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"from the host\n")
        assert shell.line(process) == "from the host"
        assert shell.end(process) == 0


def test_what_contradicts_itself(vm: Minirun) -> None:
    done = vm(*RUN, "--network", "none", "-p", "8080:80", "busybox", "true")
    assert done.returncode == 125 and "contradict" in done.stderr
    done = vm(*RUN, "-p", "8080:99999", "busybox", "true")
    assert done.returncode == 125 and "1 to 65535" in done.stderr
    assert running(vm) == set()
