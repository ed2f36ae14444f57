"""One byte there and back, again and again, on one connection: what a round trip costs.

    python ping_pong.py serve PORT
    python ping_pong.py ask ADDRESS PORT SECONDS      prints round trips a second

A program of its own, since each end runs in a network namespace of its own. The
server says when it listens, and ends with its one client.
"""

from __future__ import annotations

import socket
import sys
import time

AT_ONCE = 100
"""Round trips between two looks at the clock."""


def main(role: str, *words: str) -> None:
    """Is one of the two ends."""
    if role == "serve":
        serve(int(words[0]))
    else:
        print(ask(words[0], int(words[1]), float(words[2])))


def serve(port: int) -> None:
    """Gives each byte back."""
    with socket.create_server(("", port)) as listener:
        print("listening", flush=True)
        client, _ = listener.accept()
    with client:
        while said := client.recv(1):
            client.send(said)


def ask(address: str, port: int, seconds: float) -> float:
    """Round trips a second; those of the first tenth do not count."""
    with socket.create_connection((address, port)) as server:
        trips(server, seconds / 10)
        return trips(server, seconds)


def trips(server: socket.socket, seconds: float) -> float:
    """Round trips a second, for about as long."""
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        for _ in range(AT_ONCE):
            server.send(b"x")
            server.recv(1)
        count += AT_ONCE
    return count / spent


if __name__ == "__main__":
    main(*sys.argv[1:])
