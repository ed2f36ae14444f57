"""A small world of network namespaces, with a host in the middle and sockets anywhere.

    outside --- lan [ host ] minirun0 --- a1, a2     a network
                           ] mr-b     --- b1, ab     another one; ab is on both
                           ] mr-i     --- i1, i2     an internal one

A socket stays in the network namespace that it was made in, so one process can
hold both ends of a conversation and needs no threads.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from minirun.linux import namespace, procfs
from minirun.linux import netlink_route as route
from minirun.linux.namespace import CloneFlag
from minirun.network import table

T = TypeVar("T")
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
PATIENCE = 2.0  # seconds for what has to arrive
HOPELESS = 0.3  # seconds for what must not: it is refused at once, or never


class Place:
    """A network namespace, kept by a process of its own that does nothing else."""

    def __init__(self) -> None:
        ready, say_ready = os.pipe()
        wait, self.leave = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.leave)
                namespace.unshare(CloneFlag.NEWNET)
                os.write(say_ready, b"1")
                os.read(wait, 1)
            finally:
                os._exit(0)
        os.close(say_ready)
        os.close(wait)
        assert os.read(ready, 1), "no network namespace"
        os.close(ready)

    def close(self) -> None:
        """Lets the namespace go, and waits for its process."""
        os.close(self.leave)
        os.kill(self.pid, signal.SIGKILL)  # places made later hold our end of its pipe too
        os.waitpid(self.pid, 0)

    def __call__(self, function: Callable[[], T]) -> T:
        """What ``function`` gives when it is called in here."""
        with self.inside():
            return function()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The caller is in here meanwhile."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        namespace.join(f"/proc/{self.pid}/ns/net", CloneFlag.NEWNET)
        try:
            yield
        finally:
            namespace.join_process(home, CloneFlag.NEWNET)
            os.close(home)

    def run(self, *words: str, input: str | None = None) -> str:
        """What a program says in here."""
        with self.inside():
            done = subprocess.run(words, input=input, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sysctl(self, name: str, value: str) -> None:
        """Sets a sysctl of this namespace."""
        with self.inside():
            procfs.write_sysctl(name, value)

    def read_sysctl(self, name: str) -> str:
        """What a sysctl of this namespace says."""
        with self.inside():
            return Path(procfs.sysctl_path(name)).read_text().strip()

    def listen(self, address: str, port: int, protocol: str = "tcp") -> socket.socket:
        """A socket that is bound in here."""
        sock = self.socket(address, protocol)
        if protocol != "udp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if protocol != "udp":
            sock.listen()
        return sock

    def socket(self, address: str, protocol: str = "tcp") -> socket.socket:
        """A socket in here of the address's family, with PATIENCE."""
        with self.inside():
            sock = socket.socket(FAMILIES[6 if ":" in address else 4], *KINDS[protocol])
        sock.settimeout(PATIENCE)
        return sock


class World:
    """The host, with table and networks, and everybody around it."""

    SUBNETS: Mapping[str, tuple[str, ...]] = {
        "lan": ("192.0.2.{}/24", "2001:db8::{}/64"),
        "minirun0": ("10.88.0.{}/24", "fd88::{}/64"),
        "mr-b": ("10.89.0.{}/24", "fd89::{}/64"),
        "mr-i": ("10.90.0.{}/24", "fd90::{}/64"),
    }
    WIRES = (
        ("outside", "lan", 9),
        ("a1", "minirun0", 2),
        ("a2", "minirun0", 3),
        ("b1", "mr-b", 2),
        ("ab", "mr-b", 4),
        ("i1", "mr-i", 2),
        ("i2", "mr-i", 3),
    )

    def __init__(self, br_netfilter: bool) -> None:
        self.host = Place()
        self.places = {"host": self.host}
        for toggle in ("iptables", "ip6tables"):
            name = f"net/bridge/bridge-nf-call-{toggle}"
            if os.path.exists(procfs.sysctl_path(name)):
                self.host.sysctl(name, str(int(br_netfilter)))
        with self.host.inside():
            route.up("lo")
            table.ensure()
            for bridge in self.SUBNETS:
                self._bridge(bridge)
        for name, bridge, number in self.WIRES:
            self.places.setdefault(name, Place())
            self.wire(name, bridge, number)
        self.wire("ab", "minirun0", 4, "eth1")

    def close(self) -> None:
        """Everything goes."""
        for place in self.places.values():
            place.close()

    def __getitem__(self, name: str) -> Place:
        return self.places[name]

    def _bridge(self, bridge: str) -> None:
        route.create_bridge(bridge, 1500, "")
        subnets = self.SUBNETS[bridge]
        for subnet in subnets:
            route.add_address(bridge, subnet.format(1))
        # The host asks who has an address from its own link-local one, and waits with that
        # for as long as somebody else might have it (RFC 4862).
        route.add_address(bridge, "fe80::1/64")
        route.up(bridge)
        if bridge != "lan":
            table.add_network(bridge, [subnet.format(0) for subnet in subnets], bridge == "mr-i")
            procfs.write_sysctl(f"net/ipv4/conf/{bridge}/route_localnet", "1")

    def wire(self, name: str, bridge: str, number: int, interface: str = "eth0") -> None:
        """Plugs a place into a bridge; its first one has the way out, even to the internal network."""
        place = self[name]
        with self.host.inside():
            route.create_veth(f"{name}-{bridge}", bridge, 1500, interface, "", place.pid)
            table.turn_back(f"{name}-{bridge}")
        with place.inside():
            route.up("lo")
            for subnet in self.SUBNETS[bridge]:
                route.add_address(interface, subnet.format(number))
            route.up(interface)
            for subnet in self.SUBNETS[bridge] if interface == "eth0" else ():
                route.add_route("default", subnet.format(1).partition("/")[0], interface)

    def address(self, name: str, family: int, bridge: str = "") -> str:
        """The address of somebody; the host has one on each bridge."""
        number = 1 if name == "host" else next(number for who, _, number in self.WIRES if who == name)
        bridge = bridge or next((wire for who, wire, _ in self.WIRES if who == name), "lan")
        return self.SUBNETS[bridge][family == 6].format(number).partition("/")[0]

    def seen(
        self,
        client: str,
        address: str,
        port: int,
        server: socket.socket,
        protocol: str = "tcp",
        source: str = "",
    ) -> str:
        """The address that ``server`` sees ``client`` come from, who calls ``address``; a word both ways."""
        with self[client].socket(address, protocol) as caller:
            if source:
                caller.bind((source, 0))
            if protocol == "udp":
                return _by_udp(caller, (address, port), server)
            caller.connect((address, port))
            peer, (who, *_) = server.accept()
            with peer:
                caller.sendall(b"there")
                assert peer.recv(64) == b"there"
                peer.sendall(b"and back")
                assert caller.recv(64) == b"and back"
            return str(who)

    def reaches(self, client: str, address: str, port: int, protocol: str = "tcp") -> bool:
        """Whether ``client`` gets anywhere with ``address``: TCP is connected, of UDP nothing comes back."""
        with self[client].socket(address, protocol) as caller:
            caller.settimeout(HOPELESS)
            try:
                caller.connect((address, port))
            except OSError:
                return False
            return True


def _by_udp(caller: socket.socket, to: tuple[str, int], server: socket.socket) -> str:
    caller.sendto(b"there", to)
    said, who = server.recvfrom(64)
    assert said == b"there"
    server.sendto(b"and back", who)
    said, answerer = caller.recvfrom(64)
    assert (said, answerer[:2]) == (b"and back", to)
    return str(who[0])
