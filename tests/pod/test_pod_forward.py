"""``minirun pod port-forward``: into a pod's own 127.0.0.1, for as long as it runs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from minirun.errors import Conflict, UsageError
from minirun.linux import namespace
from minirun.pod import forward_words
from minirun.pod.forward_words import Forwarding
from minirun.pod.manifest.types import Container, ContainerPort, PodSpec
from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Living, Pods, app, pod

rooted = needs("root", "overlay", "memory", "cpu", "pids")

#: Answers on the pod's loopback only.
SERVER = f"mkdir -p /www; echo hello >/www/index.html; httpd -p 127.0.0.1:80 -h /www; {FOREVER}"
SPEC = PodSpec(
    containers=(
        Container(
            name="a",
            ports=(
                ContainerPort(containerPort=80, name="http"),
                ContainerPort(containerPort=53, name="dns", protocol="UDP"),
            ),
        ),
    )
)


@pytest.mark.parametrize(
    "word, local, remote",
    [
        ("80", 80, 80),
        ("8080:80", 8080, 80),
        (":80", 0, 80),
        ("0:80", 0, 80),
        ("http", 80, 80),
        ("8080:http", 8080, 80),
        (":http", 0, 80),
    ],
)
def test_words(word: str, local: int, remote: int) -> None:
    """As kubectl reads them."""
    assert forward_words.parse(word, SPEC) == Forwarding(local=local, remote=remote)


@pytest.mark.parametrize(
    "word", ["", ":", "0", "65536", "80:0", "70000:80", "a:80", "80:", "-1:80", "80:80:80"]
)
def test_words_that_are_none(word: str) -> None:
    """Each is refused, with a remedy."""
    with pytest.raises(UsageError) as caught:
        forward_words.parse(word, SPEC)
    assert caught.value.remedy


@pytest.mark.parametrize("word", ["dns", "1:https"])
def test_a_name_has_to_be_a_tcp_ports(word: str) -> None:
    """UDP is not led anywhere."""
    with pytest.raises(UsageError, match="no TCP port called"):
        forward_words.parse(word, SPEC)


def test_localhost_is_both_loopbacks_with_one_number() -> None:
    """Whichever way a client looks the name up."""
    found = forward_words.listen(["localhost"], [Forwarding(local=0, remote=80)])
    try:
        assert len({one.local for one in found}) == 1
        assert found[0].name == f"127.0.0.1:{found[0].local}"
        taken = Forwarding(local=found[0].local, remote=80)
        with pytest.raises(Conflict, match="cannot listen on"):
            forward_words.listen(["127.0.0.1"], [taken])
        with pytest.raises(Conflict) as caught:
            forward_words.listen(["nowhere.invalid"], [taken])
        assert "--address" in caught.value.remedy
    finally:
        for one in found:
            one.sock.close()


@pytest.fixture
def web(pods: Pods) -> Iterator[Living]:
    """A pod that nobody outside can talk to; on port 7 there is an echo."""
    living = pods.create(pod("web", app(SERVER, ports=[{"containerPort": 80, "name": "http"}])))
    pid = os.fork()
    if pid == 0:
        try:
            namespace.join(f"/proc/{living.pause}/ns/net", namespace.CloneFlag.NEWNET)
            echo(7)
        finally:
            os._exit(1)
    try:
        until("both listen", lambda: listening(living) == {80, 7})
        yield living
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def echo(port: int) -> None:
    """Says to each client what that one says, until that one has said all."""
    listener = socket.create_server(("127.0.0.1", port), backlog=300)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_echo_to, args=(client,)).start()


def _echo_to(client: socket.socket) -> None:
    try:
        while data := client.recv(65536):
            client.sendall(data)
    except OSError:
        pass  # it has left
    client.close()


def listening(web: Living) -> set[int]:
    """The TCP ports on which somebody in the pod listens."""
    with open(f"/proc/{web.pause}/net/tcp") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return {int(line[1].partition(":")[2], 16) for line in lines if line[3] == "0A"}


class Forwarded:
    """The command, while it runs, and the local port of each of its words."""

    def __init__(self, web: Living, *words: str) -> None:
        self.words = web.minirun.command("pod", "port-forward", "web", *words)
        self.process = subprocess.Popen(
            self.words,
            env=web.minirun.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.ports: dict[int, int] = {}
        wanted = words.index("--address")
        assert self.process.stdout
        while len(self.ports) < wanted:
            line = self.process.stdout.readline()
            found = re.fullmatch(r"Forwarding from (\S+):(\d+) -> (\d+)\n", line)
            assert found, (line, self.process.stderr.read() if self.process.stderr and not line else "")
            self.ports[int(found[3])] = int(found[2])

    def connect(self, remote: int) -> socket.socket:
        """A connection to what leads there."""
        return socket.create_connection(("127.0.0.1", self.ports[remote]), timeout=20)

    def get(self, remote: int = 80) -> str:
        """What an HTTP server answers."""
        with closing(self.connect(remote)) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return everything(sock).decode().rpartition("\r\n\r\n")[2].strip()

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code, and what it complained of."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


def everything(sock: socket.socket) -> bytes:
    """What comes until the end."""
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


@pytest.fixture
def forwarded(web: Living) -> Iterator[Forwarded]:
    """Ports 80, 7 and 9, of which the last is nobody's."""
    made = Forwarded(web, ":http", ":7", ":9", "--address", "127.0.0.1")
    yield made
    if made.process.poll() is None:
        made.end(signal.SIGKILL)


@rooted
def test_it_leads_to_the_pods_own_loopback(forwarded: Forwarded) -> None:
    """And ends on Ctrl-C, without complaint."""
    assert forwarded.get() == "hello"
    assert forwarded.end() == (0, "")


@rooted
def test_what_it_prints(web: Living) -> None:
    """As kubectl: one line for each address, one for each connection; TERM ends it, too."""
    made = Forwarded(web, "0:80", "--address", "127.0.0.1")
    assert made.get() == "hello"
    assert made.process.stdout
    assert made.process.stdout.readline() == f"Handling connection for {made.ports[80]}\n"
    assert made.end(signal.SIGTERM) == (0, "")
    refused = web.minirun("pod", "port-forward", "web", ":nosuch")
    assert refused.returncode == 125 and "no TCP port called 'nosuch'" in refused.stderr


@rooted
def test_many_at_once(forwarded: Forwarded) -> None:
    """Each has its own answer; none waits for the one before it."""
    sockets = [forwarded.connect(7) for _ in range(200)]
    for number, sock in enumerate(sockets):
        sock.sendall(b"%d" % number)
        sock.shutdown(socket.SHUT_WR)
    for number, sock in reversed(list(enumerate(sockets))):
        assert everything(sock) == b"%d" % number
        sock.close()


@rooted
def test_a_flood_in_both_directions_is_whole(forwarded: Forwarded) -> None:
    """More than any buffer: who does not read makes the other one wait, and nothing is lost."""
    sent = os.urandom(1 << 20) * 8
    with closing(forwarded.connect(7)) as sock:
        pid = os.fork()
        if pid == 0:
            try:
                sock.settimeout(None)
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
            finally:
                os._exit(0)
        with closing(forwarded.connect(7)) as other:  # one that stands still holds up nobody
            other.sendall(b"x" * 1000)
            assert everything(sock) == sent
        os.waitpid(pid, 0)


@rooted
def test_a_port_that_is_nobodys_is_said(forwarded: Forwarded) -> None:
    """The client is reset, the others go on."""
    with pytest.raises(ConnectionResetError), closing(forwarded.connect(9)) as sock:
        sock.recv(1)
    assert forwarded.get() == "hello"
    code, said = forwarded.end()
    assert code == 0 and "-> 9: nobody in the pod takes the connection" in said


@rooted
def test_a_client_that_leaves_takes_nothing_along(forwarded: Forwarded) -> None:
    """Half a request, a reset: no busy loop, no connection left in the pod."""
    for _ in range(20):
        sock = forwarded.connect(7)
        sock.sendall(b"x" * 100)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    assert forwarded.get() == "hello"
    fds = f"/proc/{forwarded.process.pid}/fd"
    until("only the listeners are left", lambda: sockets_of(fds) == 3)


def sockets_of(fds: str) -> int:
    """How many sockets a process has."""
    found = 0
    for fd in os.listdir(fds):
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            found += os.readlink(f"{fds}/{fd}").startswith("socket:")
    return found


@rooted
def test_it_ends_with_the_pod(web: Living, forwarded: Forwarded) -> None:
    """Where its sandbox dies there is nobody to lead to."""
    web("rm", "-f")
    _, said = forwarded.process.communicate(timeout=20)
    assert forwarded.process.returncode == 125 and "lost the connection to the pod" in said
