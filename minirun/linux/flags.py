"""Flags that print as their header names: ``MS_NOSUID|MS_NODEV``.

Lowest file of linux/ beside libc.py. A subclass gives the prefix once; the
members are named as in the kernel's header without it.
"""

from __future__ import annotations

import enum


class Flags(enum.IntFlag):
    """``class MountFlag(Flags, prefix="MS_")``; zero prints as ``0``."""

    def __init_subclass__(cls, prefix: str = "", **rest: object) -> None:
        super().__init_subclass__(**rest)
        cls._header_prefix = prefix  # type: ignore[attr-defined]

    def __str__(self) -> str:
        prefix: str = getattr(type(self), "_header_prefix", "")
        left, names = int(self), []
        for name, member in type(self).__members__.items():
            if member and left & member == member:
                names.append(prefix + name)
                left &= ~int(member)
        if left or not names:
            names.append(hex(left) if left else "0")
        return "|".join(names)
