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

from minirun.errors import Unsupported, UsageError
from minirun.spec import Port

PROTOCOLS = ("tcp", "udp", "sctp")

#: How an address of several begins, of IPv4 and of IPv6: multicast, broadcast, nobody's (RFC 1112, 4291).
_MANY = (range(224, 256), range(255, 256))
_EXAMPLES = "for example 8080:80, 127.0.0.1:8080:80, [2001:db8::1]:8080:80, 53:53/udp or 8000-8010:8000-8010"


def parse(text: str) -> tuple[Port, ...]:
    """The ports that ``-p TEXT`` asks for. Raises UsageError, Unsupported.

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
        check_address(address, f"{of_host}:{rest}")
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


def check_address(address: str, ports: str) -> None:
    """Raises Unsupported for an address from which no packet can be led to a container."""
    first = inet_pton(AF_INET6 if ":" in address else AF_INET, address)[0] if address else 0
    if address == "::1":
        why = "the kernel drops packets to ::1 that did not come by the loopback interface"
        remedy = f"publish it on the other loopback: -p 127.0.0.1:{ports}"
    elif address.startswith("fe80:"):
        why = "a link-local address is one of an interface, and -p names none"
        remedy = f"publish it on a global address, or on every one: -p [::]:{ports}"
    elif first in _MANY[":" in address]:
        why = "what is sent to it is for several hosts"
        remedy = f"publish it on an address of this host's, or on every one: -p {ports}"
    else:
        return
    shown_address = f"[{address}]" if ":" in address else address
    raise Unsupported(f"cannot publish {shown_address}:{ports}", why, remedy)


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
