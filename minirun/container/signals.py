"""Signals: the module, without its price, and names as a person or an image writes them.

Layer ``container``. ``signal`` here is the C half of Python's module of that
name: the same functions and numbers, without enum, whose import costs a start
3 ms. See signal(7).
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

__all__ = ["number", "signal"]


def number(text: str) -> int:
    """A signal's number, from ``TERM``, ``SIGTERM``, ``RTMIN+3`` or ``15``. Raises ValueError."""
    last = int(signal.SIGRTMAX)
    if text.isascii() and text.isdigit():
        found = int(text)
    else:
        name, plus, offset = text.upper().removeprefix("SIG").partition("+")
        base = getattr(signal, f"SIG{name}", None) if not name.startswith("_") else None
        if not isinstance(base, int) or (plus and (name != "RTMIN" or not offset.isdigit())):
            raise ValueError("there is no such signal: see `kill -l` or signal(7)")
        found = int(base) + int(offset or 0)
    if not 1 <= found <= last:
        raise ValueError(f"signals go from 1 to {last}")
    return found
