"""tcpSocket: it passes if a connection opens.

Layer: pod; the smallest conversation. The connection is closed again at once;
nothing is sent. Read next: connection.py. connect(2).
"""

from __future__ import annotations

from minirun.pod.probes import connection
from minirun.pod.probes.conversation import ProbeResult, run
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.probes.conversation import Talk


def probe(address: str, port: int, seconds: float) -> ProbeResult:
    """Connects, and waits for at most ``seconds``. Never raises for what the network does."""
    return run(talk(address, port), seconds)


def talk(address: str, port: int) -> Talk[ProbeResult]:
    """The same as a conversation."""
    opened = yield from connection.connect(address, port)
    opened.close()
    return ProbeResult(success=True, message=f"{connection.place(address, port)} accepts connections")
