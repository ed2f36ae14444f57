"""``-p``: a port of the host's that leads into the guest.

Layer ``vm``. QEMU itself listens on the host and hands each connection on, into
the little network that it makes up for the guest (slirp). Spelled as docker has
it: ``[ADDRESS:][HOSTPORT:]PORT[/tcp|udp]``. Read ``machine.py`` next.
"""

from __future__ import annotations

import socket

from minirun.errors import Conflict, UsageError, reason
from minirun.values import Value
from minirun.vm.machine import ADDRESS


class Published(Value):
    """A port that is led into the guest; ``host`` and ``port`` are its two numbers."""

    address: str
    host: int
    port: int
    protocol: str

    @property
    def forward(self) -> str:
        """In QEMU's words."""
        return f"hostfwd={self.protocol}:{self.address}:{self.host}-{ADDRESS}:{self.port}"

    def __str__(self) -> str:
        """As docker shows it."""
        return f"{self.address}:{self.host}->{self.port}/{self.protocol}"


def publish(text: str) -> Published:
    """What ``-p TEXT`` asks for. Raises UsageError, and Conflict where the port is taken."""
    address, host, port, protocol = parse(text)
    if not host:
        host = _any(address, protocol)
    else:
        _try(address, host, protocol, text)
    return Published(address=address, host=host, port=port, protocol=protocol)


def parse(text: str) -> tuple[str, int, int, str]:
    """Address, the host's port (0: any that is free), the guest's, protocol. Raises UsageError."""
    words, _, protocol = text.partition("/")
    protocol = protocol or "tcp"
    parts = words.split(":")
    if protocol not in ("tcp", "udp"):
        raise _not_understood(text, f"{protocol} is not forwarded here: only tcp and udp are")
    if len(parts) > 3 or not all(part.isascii() and part.isdigit() for part in parts[-2:] if part):
        raise _not_understood(text, "it is [ADDRESS:][HOSTPORT:]PORT, and an address has four numbers")
    port = _number(parts[-1], text)
    host = _number(parts[-2], text) if len(parts) > 1 and parts[-2] else 0
    address = parts[0] if len(parts) == 3 else "0.0.0.0"
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError:
        raise _not_understood(text, f"{address!r} is not an IPv4 address") from None
    return address, host, port, protocol


def _number(text: str, said: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise _not_understood(said, "ports go from 1 to 65535")
    return int(text)


def _not_understood(text: str, why: str) -> UsageError:
    return UsageError(
        f"--publish {text!r} is not understood", why, "for example 8080:80, 127.0.0.1:8080:80 or 53:53/udp"
    )


def _socket(protocol: str) -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)


def _try(address: str, port: int, protocol: str, text: str) -> None:
    """An error before anything has started; QEMU would say it later, and shorter."""
    with _socket(protocol) as trial:
        if protocol == "tcp":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as error:
            raise Conflict(
                f"cannot publish port {port} ({text})",
                reason(error),
                "choose another port of the host, or end who has it",
            ) from error


def _any(address: str, protocol: str) -> int:
    with _socket(protocol) as trial:
        trial.bind((address, 0))
        port: int = trial.getsockname()[1]
        return port
