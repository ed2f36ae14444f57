"""QEMU's own protocol (QMP), as far as a template needs it.

Layer ``vm``. A migration with one end: the state of a machine's devices goes
into a file, or comes from one. The memory does not travel (the capability
x-ignore-shared), for it is a file already. See QEMU's docs/interop/qmp-spec and
docs/devel/migration. Part of ``template.py``.
"""

from __future__ import annotations

import array
import json
import os
import socket

from minirun.errors import MinirunError
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def write_state(sock: socket.socket, path: str) -> None:
    """Stops the machine and writes its state to the new file ``path``. Raises MinirunError."""
    state = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _migrate(Monitor(sock), "migrate", state)
    finally:
        os.close(state)


def read_state(sock: socket.socket, path: str) -> None:
    """Has a machine that waits go on with the state in ``path``. Raises MinirunError."""
    state = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _migrate(Monitor(sock), "migrate-incoming", state)
    finally:
        os.close(state)


def _migrate(monitor: Monitor, command: str, state: int) -> None:
    wanted = [{"capability": name, "state": True} for name in ("events", "x-ignore-shared")]
    monitor.ask("migrate-set-capabilities", capabilities=wanted)
    monitor.ask("getfd", state, fdname="state")
    monitor.ask(command, uri="fd:state")
    while (status := monitor.wait("MIGRATION")["status"]) != "completed":
        if status in ("failed", "cancelled"):
            raise MinirunError(
                "QEMU could not write or read a template", f"its migration {status}", "run it with --cold"
            )


class Monitor:
    """The conversation: a request, an answer, and events at any time. Raises MinirunError."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unread = b""
        self.events: list[dict[str, Any]] = []
        self._next()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, fd: int = -1, **arguments: object) -> Any:
        """Sends a command, with a descriptor if given; what it returns."""
        request = json.dumps({"execute": command, "arguments": arguments}).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd >= 0 else []
        self.sock.sendmsg([request], rights)
        while True:
            answer = self._next()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise MinirunError(f"QEMU refused {command}", answer["error"]["desc"], "run it with --cold")
            else:
                return answer["return"]

    def wait(self, name: str) -> Any:
        """The data of the next event ``name``."""
        while True:
            event = self.events.pop(0) if self.events else self._next()
            if event.get("event") == name:
                return event["data"]

    def _next(self) -> dict[str, Any]:
        while b"\n" not in self.unread:
            data = self.sock.recv(1 << 16)
            if not data:
                raise MinirunError("QEMU died", "its monitor was closed", "run it with --cold --console")
            self.unread += data
        line, _, self.unread = self.unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
