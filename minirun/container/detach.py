"""The keys by which a user leaves an attached terminal, while the container goes on.

Layer ``container``. Ctrl-P Ctrl-Q, as docker has it. ``attach.py`` and
``console.py`` let what is typed pass through here.
"""

from __future__ import annotations

from minirun.errors import MinirunError

KEYS = b"\x10\x11"  # Ctrl-P Ctrl-Q


class Detached(MinirunError):
    """The user typed the detach keys. ``typed`` is what came before them."""

    exit_code = 0

    def __init__(self, typed: bytes) -> None:
        super().__init__("detached", "", "minirun attach goes back")
        self.typed = typed


class Watch:
    """Looks for the keys in what is typed, however it is cut into pieces."""

    def __init__(self) -> None:
        self.held = b""
        """The first of the keys, until the next one tells what it was."""

    def passed(self, typed: bytes) -> bytes:
        """What of ``typed`` goes on to the program now. Raises Detached."""
        before, found, _ = (self.held + typed).partition(KEYS)
        if found:
            raise Detached(before)
        self.held = KEYS[:1] if before.endswith(KEYS[:1]) else b""
        return before.removesuffix(self.held)
