"""The addresses of a host: an IP address as it is, a name as the host resolves it.

Layer: pod. A probe's ``host`` may be a name, and getaddrinfo(3) blocks for as
long as a name server keeps it waiting: so a process of its own asks, and the
conversation waits for that one. Read next: connection.py. getaddrinfo(3).
"""

from __future__ import annotations

import _socket
import sys

from minirun.pod.probes import command
from minirun.pod.probes.conversation import Failed
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from minirun.pod.probes.conversation import Talk

#: An address a line, most wanted first.
_LOOK_UP = """
import _socket, sys
try:
    for found in _socket.getaddrinfo(sys.argv[1], None, 0, _socket.SOCK_STREAM):
        print(found[4][0])
except (OSError, UnicodeError) as error:
    sys.exit(getattr(error, "strerror", None) or "no name of a host")
"""


def addresses(host: str, port: int) -> Talk[list[tuple[int, Any]]]:
    """(address family, socket address) of ``host``, most wanted first. Raises Failed."""
    try:
        return _numeric(host, port)
    except (OSError, UnicodeError):
        # -I -S: only the interpreter, none of the site's packages.
        looking = command.spawn([sys.executable, "-I", "-S", "-c", _LOOK_UP, host])
        status, said = yield from command.finish(looking, f"looking up {host}")
        text = said.decode(errors="replace").strip()
        if status:
            raise Failed(f"cannot find the address of {host}: {text}") from None
        return [found for line in text.splitlines() for found in _numeric(line, port)]


def _numeric(host: str, port: int) -> list[tuple[int, Any]]:
    found = _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM, 0, _socket.AI_NUMERICHOST)
    return [(entry[0], entry[4]) for entry in found]
