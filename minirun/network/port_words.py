"""What ``-p`` and an image's ``EXPOSE`` say: words in, ports out, and back.

Layer ``network``, pure. Spelled as docker has it:

    80                   a free port of the host's leads to the container's 80
    8080:80/udp          that very port, on every address of the host
    127.0.0.1:8080:80    on one address; an IPv6 address stands in brackets
    127.0.0.1::80        a free port of one address
    8080-8081:80-81      one to one
    8080-8090:80         the first free one of a range

A protocol is tcp, unless it says udp or sctp. Read ``ports.py`` next: what is
chosen, and who has it. See also the EXPOSE of the OCI image-spec, config.md.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from minirun.errors import UsageError
from minirun.spec import Port

PROTOCOLS = ("tcp", "udp", "sctp")

_EXAMPLES = "for example 8080:80, 127.0.0.1:8080:80, [::1]:8080:80, 53:53/udp or 8000-8010:8000-8010"


def parse(text: str) -> tuple[Port, ...]:
    """The ports that ``-p TEXT`` asks for. Raises UsageError.

    A ``host_port`` of 0 is to be chosen, one with a ``host_port_end`` out of a range.
    """
    said = f"--publish {text!r}"
    address, of_host, rest = _split(text)
    protocol, inside = _protocol(rest, said)
    first, last = _range(inside, said, "the container's")
    lowest, highest = 0, 0
    if of_host.strip("0"):  # "0:80" leaves the choice, too
        lowest, highest = _range(of_host, said, "the host's")
    if address:
        address = _address(address, said)
    if first == last and lowest != highest:
        return (
            Port(
                protocol=protocol,
                host_address=address,
                host_port=lowest,
                host_port_end=highest,
                port=first,
            ),
        )
    if lowest and highest - lowest != last - first:
        raise _not_understood(said, f"{of_host} and {inside} are not equally many ports")
    return tuple(
        Port(protocol=protocol, host_address=address, host_port=lowest and lowest + n, port=first + n)
        for n in range(last - first + 1)
    )


def expose(text: str) -> tuple[Port, ...]:
    """The ports of an image's ``80/tcp`` or ``8000-8010``, for -P. Raises UsageError."""
    said = f"the exposed port {text!r}"
    protocol, inside = _protocol(text, said)
    first, last = _range(inside, said, "the container's")
    return tuple(Port(protocol=protocol, port=port) for port in range(first, last + 1))


def shown(port: Port) -> str:
    """``0.0.0.0:8080->80/tcp``, as ``docker ps`` has it; ``80/tcp`` for one not chosen yet."""
    inside = f"{port.port}/{port.protocol}"
    return f"{host_side(port)}->{inside}" if port.host_port else inside


def line(port: Port) -> str:
    """``80/tcp -> 0.0.0.0:8080``, as ``docker port`` has it."""
    return f"{port.port}/{port.protocol} -> {host_side(port)}"


def host_side(port: Port) -> str:
    """``0.0.0.0:8080`` or ``[::1]:8080``."""
    address = port.host_address or "0.0.0.0"
    return f"[{address}]:{port.host_port}" if ":" in address else f"{address}:{port.host_port}"


def _split(text: str) -> tuple[str, str, str]:
    """``ADDRESS:HOSTPORT:PORT`` from its end, for the address may have colons of its own."""
    before, _, inside = text.rpartition(":")
    address, _, of_host = before.rpartition(":")
    return address, of_host, inside


def _protocol(text: str, said: str) -> tuple[str, str]:
    ports, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise _not_understood(said, f"{protocol!r} is not a protocol: there are {', '.join(PROTOCOLS)}")
    return protocol, ports


def _range(text: str, said: str, whose: str) -> tuple[int, int]:
    """``80`` or ``80-90``, both ends."""
    first, dash, last = text.partition("-")
    low = _number(first, said, whose)
    high = _number(last, said, whose) if dash else low
    if high < low:
        raise _not_understood(said, f"{whose} range {text} ends before it begins")
    return low, high


def _number(text: str, said: str, whose: str) -> int:
    if not text:
        raise _not_understood(said, f"{whose} port is missing")
    if not (text.isascii() and text.isdigit()):
        raise _not_understood(said, f"{text!r} is not a port's number")
    # 65536 has five digits; int() of thousands of them would take its time.
    if len(text) > 5 or not 0 < int(text) < 65536:
        raise _not_understood(said, f"{whose} port {text[:20]} is not between 1 and 65535")
    return int(text)


def _address(text: str, said: str) -> str:
    """In the kernel's own spelling, so that one address has one name."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    family = AF_INET6 if ":" in bare else AF_INET
    try:
        packed = inet_pton(family, bare)
    except (OSError, ValueError):
        raise _not_understood(said, f"{text!r} is not an IP address (names are not looked up)") from None
    if family == AF_INET6 and packed.startswith(bytes(10) + b"\xff\xff"):
        return inet_ntop(AF_INET, packed[12:])  # ::ffff:127.0.0.1, an IPv4 address in disguise
    return inet_ntop(family, packed)


def _not_understood(said: str, why: str) -> UsageError:
    return UsageError(f"{said} is not understood", why, _EXAMPLES)
