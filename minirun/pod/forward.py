"""forward: connections to the host's own addresses, led into a pod.

Layer: pod. No rule of a firewall and no process in the pod. A socket belongs to the
network namespace in which it was made, for ever: so this process opens its
listening sockets at home, moves into the pod's network namespace (setns(2)), and
whatever it opens from then on is in there, on the pod's own 127.0.0.1. One thread,
one loop: who does not read makes the other one wait, nobody else.

    client --- accepted at home | opened in the pod --- 127.0.0.1:PORT
               an End           |            an End

The pod's pause program is watched: when it dies, the namespace is nobody's any more.
Read ``forward_words.py`` next. See socket(7), network_namespaces(7), poll(2).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

from minirun.errors import MinirunError
from minirun.linux import namespace
from minirun.linux.namespace import CloneFlag
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minirun.pod.forward_words import Listener

#: Bytes that wait in one direction of a connection.
_BUFFER = 256 << 10
_CHUNK = 64 << 10
#: Where a program of the pod may listen: nobody outside gets there but by this.
_LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
#: There is no room for one more descriptor.
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class End:
    """One of the two sockets of a connection, and what is on its way to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.waiting = bytearray()
        self.has_said_all = False
        """Whether nothing more comes from it."""
        self.was_told_all = False
        """Whether it knows that nothing more comes from the other one."""
        self.other = self


class Pair:
    """A connection: the client's end and, once somebody in the pod has taken it, the other."""

    def __init__(self, client: socket.socket, name: str, remote: int) -> None:
        self.client = End(client)
        self.name = name
        self.remote = remote
        self.tries = list(_LOOPBACK)
        self.sockets = [client]

    @property
    def ends(self) -> tuple[End, End]:
        """The client's, and the one in the pod."""
        return self.client, self.client.other

    @property
    def is_over(self) -> bool:
        """Whether both have heard all that the other had to say."""
        return all(end.was_told_all for end in self.ends)


class Forwarder:
    """Passes connections on. From ``enter`` on this process is in the pod's network namespace.

    ``said`` is told of each connection, ``wrong`` of each that nobody takes.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        pidfd: int,
        said: Callable[[str], None],
        wrong: Callable[[str], None],
    ) -> None:
        self.listeners = {one.sock.fileno(): one for one in listeners}
        self.pidfd = pidfd
        self.said = said
        self.wrong = wrong
        self.pairs: set[Pair] = set()
        self.ways: dict[int, tuple[Pair, socket.socket]] = {}
        """Connections into the pod that are being made."""
        self.ends: dict[int, tuple[Pair, End]] = {}
        self.is_full = False

    def enter(self) -> None:
        """Moves into the pod's network namespace: what is opened from here on is opened there."""
        namespace.join_process(self.pidfd, CloneFlag.NEWNET)

    def run(self) -> None:
        """Until it is interrupted. Raises MinirunError when the pod's sandbox has gone."""
        try:
            while True:
                for fd, _ in self._poll().poll():
                    if fd == self.pidfd:
                        raise _lost()
                    if fd in self.listeners:
                        self._accept(self.listeners[fd])
                    elif fd in self.ways:
                        self._arrive(*self.ways.pop(fd))
                    elif fd in self.ends:
                        self._pass_on(*self.ends[fd])
        finally:
            for pair in tuple(self.pairs):
                self._drop(pair)

    def _poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        for fd in () if self.is_full else self.listeners:
            poll.register(fd, select.POLLIN)
        for fd in self.ways:
            poll.register(fd, select.POLLOUT)
        for fd, (_, end) in self.ends.items():
            # One of which nothing is wanted is left out: that it has hung up would be told for ever.
            if wanted := _wanted(end):
                poll.register(fd, wanted)
        return poll

    def _accept(self, listener: Listener) -> None:
        try:
            client, _ = listener.sock.accept()
        except OSError as error:
            self.is_full = error.errno in _FULL and bool(self.pairs)  # until one of them ends
            return
        client.setblocking(False)
        pair = Pair(client, f"{listener.local} -> {listener.remote}", listener.remote)
        self.said(f"Handling connection for {listener.local}")
        self.pairs.add(pair)
        self._set_out(pair)

    def _set_out(self, pair: Pair) -> None:
        """On the way into the pod, to the next of its loopback addresses."""
        number = errno.ECONNREFUSED
        while pair.tries:
            family, address = pair.tries.pop(0)
            try:
                sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            except OSError as error:
                return self._refuse(pair, error.errno or number)
            number = sock.connect_ex((address, pair.remote))
            if number in (0, errno.EINPROGRESS):
                pair.sockets.append(sock)
                self.ways[sock.fileno()] = (pair, sock)
                return None
            sock.close()
        return self._refuse(pair, number)

    def _arrive(self, pair: Pair, sock: socket.socket) -> None:
        """The way into the pod was taken, or is none."""
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            pair.sockets.remove(sock)
            sock.close()
            return self._set_out(pair) if pair.tries else self._refuse(pair, number)
        pair.client.other = End(sock)
        pair.client.other.other = pair.client
        for end in pair.ends:
            end.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ends[end.sock.fileno()] = (pair, end)
        return None

    def _refuse(self, pair: Pair, number: int) -> None:
        self.wrong(f"{pair.name}: nobody in the pod takes the connection: {os.strerror(number)}")
        # Closed with a reset rather than an end: the client shall not take it for an empty answer.
        pair.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._drop(pair)

    def _pass_on(self, pair: Pair, end: End) -> None:
        try:
            _write(end)
            if _has_room(end.other) and not end.has_said_all:
                _read(end)
        except OSError:  # one of the two is gone, and so is the connection
            return self._drop(pair)
        return self._drop(pair) if pair.is_over else None

    def _drop(self, pair: Pair) -> None:
        for sock in pair.sockets:
            self.ends.pop(sock.fileno(), None)
            self.ways.pop(sock.fileno(), None)
            sock.close()
        self.pairs.discard(pair)
        self.is_full = False


def _read(end: End) -> None:
    """From one, towards the other; that one is told the end once it has all that came before."""
    try:
        data = end.sock.recv(_CHUNK)
    except BlockingIOError:
        return
    end.other.waiting += data
    end.has_said_all = not data
    _write(end.other)


def _write(end: End) -> None:
    """As much as it takes now of what is waiting for it; then, if so, that nothing more comes."""
    if end.waiting:
        try:
            del end.waiting[: end.sock.send(end.waiting)]
        except BlockingIOError:
            return
    if not end.waiting and end.other.has_said_all and not end.was_told_all:
        end.was_told_all = True
        end.sock.shutdown(socket.SHUT_WR)


def _has_room(end: End) -> bool:
    return len(end.waiting) < _BUFFER


def _wanted(end: End) -> int:
    """What to wait for on this end."""
    reads = select.POLLIN if _has_room(end.other) and not end.has_said_all else 0
    return reads | (select.POLLOUT if end.waiting else 0)


def _lost() -> MinirunError:
    return MinirunError(
        "lost the connection to the pod",
        "its sandbox has ended, and with it the network that was led to",
        "minirun pod ps; then start this command again",
    )
