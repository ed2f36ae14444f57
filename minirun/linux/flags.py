"""The kernel's named numbers: ``MS_NOSUID|MS_NODEV``, ``CAP_KILL``.

Lowest file of linux/ beside libc.py. A class lists the names of one header
without their prefix; its members are ints that print as the header has them.
To a reader and to mypy these are ``enum.IntFlag`` and ``enum.IntEnum``. At run
time they are the few lines below, because the module enum, with what it
imports, costs a start 3 ms, more than all the mounts of a container.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    import enum

    class Flags(enum.IntFlag):
        """Bits that are combined: ``class MountFlag(Flags, prefix="MS_")``."""

        def __init_subclass__(cls, prefix: str = "", **rest: object) -> None: ...

    class Numbers(enum.IntEnum):
        """Numbers of which one is meant: ``class Capability(Numbers)``."""

else:

    class _Named(type):
        """Turns the integers of a class body into members of that class."""

        def __new__(cls, name, bases, body, prefix=""):
            numbers = {key: body.pop(key) for key in list(body) if key[0] != "_" and type(body[key]) is int}
            kind = super().__new__(cls, name, bases, body)
            kind.prefix = prefix
            kind.__members__ = {key: int.__new__(kind, number) for key, number in numbers.items()}
            kind.every = 0
            for key, member in kind.__members__.items():
                setattr(kind, key, member)
                kind.every |= int(member)
            return kind

        def __iter__(cls):
            return iter(cls.__members__.values())

        def __len__(cls):
            return len(cls.__members__)

        def __getitem__(cls, name):
            return cls.__members__[name]

    class Numbers(int, metaclass=_Named):
        """Numbers of which one is meant."""

        def __new__(cls, number):
            for member in cls.__members__.values():
                if member == number:
                    return member
            raise ValueError(f"{number} is not a valid {cls.__name__}")

        @property
        def value(self):
            """The bare number."""
            return int(self)

        @property
        def name(self):
            """The member's name, without the prefix of the header."""
            return next(key for key, member in type(self).__members__.items() if member == self)

    class Flags(int, metaclass=_Named):
        """Bits that are combined; zero prints as ``0``, unknown bits in hexadecimal."""

        def __or__(self, other):
            return int.__new__(type(self), int(self) | int(other))

        def __and__(self, other):
            return int.__new__(type(self), int(self) & int(other))

        def __invert__(self):
            return int.__new__(type(self), type(self).every & ~int(self))

        __ror__ = __or__
        __rand__ = __and__

        def __contains__(self, other):
            return int(self) & int(other) == int(other)

        @property
        def value(self):
            """The bare number."""
            return int(self)

        @property
        def name(self):
            """The name of a single bit, without the prefix; None of a combination."""
            return next((key for key, member in type(self).__members__.items() if member == self), None)

        def __str__(self):
            left, names = int(self), []
            for name, member in type(self).__members__.items():
                if member and left & member == member:
                    names.append(type(self).prefix + name)
                    left &= ~int(member)
            if left or not names:
                names.append(hex(left) if left else "0")
            return "|".join(names)
