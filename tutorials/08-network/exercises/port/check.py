import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from minirun.learn.attempt import Attempt
from minirun.learn.looking import Process


def check(attempt: Attempt) -> None:
    for who in ("container", "world"):
        (attempt.rootfs / who).mkdir()
        (attempt.rootfs / who / "who").write_text(who)
    with world(attempt) as there:
        words = ("run", str(attempt.rootfs), "busybox", "httpd", "-f", "-p", "80", "-h", "/container")
        with attempt.started(*words):
            attempt.until(lambda: asked(there, "198.51.100.1") == "container", "closed", seconds=5)
            attempt.expect(asked(attempt.host, "198.51.100.1") == "container", "not-from-here")
            beyond = asked(server(attempt), "198.51.100.2")
            attempt.expect(beyond == "world", "everybodys-port", said=beyond or "nobody")


def asked(who: Process, address: str) -> str:
    """What is served at port 8080 of an address, as seen from somebody's network namespace."""

    def ask() -> str:
        try:
            with socket.create_connection((address, 8080), timeout=0.5) as connection:
                connection.sendall(b"GET /who HTTP/1.0\r\n\r\n")
                return b"".join(iter(lambda: connection.recv(4096), b"")).decode().rpartition("\r\n\r\n")[2]
        except OSError:
            return ""

    return str(who.inside(ask, "net"))


def server(attempt: Attempt) -> Process:
    """The server in the container: the one below the program."""
    found = [Process(pid) for pid in attempt.fence.processes()]
    return next(one for one in found if "/container" in one.words() and one.words()[0] == "busybox")


@contextmanager
def world(attempt: Attempt) -> Iterator[Process]:
    """A machine beyond the host, 198.51.100.2, with a server of its own on port 8080."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    serve = f"chroot {attempt.rootfs} httpd -p 8080 -h /world"
    words = ["unshare", "--net", "sh", "-c", f"{serve}; echo here; read end; : done"]
    with attempt.fence.popen(words, str(attempt.folder), environment, **pipes) as started:
        assert started.stdout
        started.stdout.readline()
        there = Process(started.pid)
        for line in (
            f"ip link add uplink type veth peer name eth0 netns {there.pid}",
            "ip address add 198.51.100.1/24 dev uplink",
            "ip link set uplink up",
        ):
            attempt.on_host(*line.split())
        for line in ("ip address add 198.51.100.2/24 dev eth0", "ip link set eth0 up"):
            there.run(*line.split())
        try:
            yield there
        finally:
            attempt.fence.kill()
