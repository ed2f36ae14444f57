"""Signals by name, as a person or an image writes them; see signal(7)."""

from __future__ import annotations


def number(text: str) -> int:
    """A signal's number, from ``TERM``, ``SIGTERM``, ``RTMIN+3`` or ``15``. Raises ValueError."""
    import _signal  # type: ignore[import-not-found]  # the C half of signal: names, and no enum

    if text.isascii() and text.isdigit():
        given = int(text)
        if not 1 <= given <= _signal.SIGRTMAX:
            raise ValueError(f"signals go from 1 to {int(_signal.SIGRTMAX)}")
        return given
    name, plus, offset = text.upper().removeprefix("SIG").partition("+")
    base = getattr(_signal, f"SIG{name}", None) if not name.startswith("_") else None
    if not isinstance(base, int) or (plus and name != "RTMIN"):
        raise ValueError("there is no such signal: see `kill -l` or signal(7)")
    return int(base) + (int(offset) if plus else 0)
