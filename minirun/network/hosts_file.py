"""Lines of a hosts(5) file that come and go while programs read it.

Layer ``network``. A container's /etc/hosts is a bind mount of a file: it has to
stay that file, so it cannot be replaced by rename(2), and whoever looks a name
up may read it at any moment. So no line ever moves, and a line comes and goes
by **one byte**:

    10.88.0.3<TAB>web web.minirun      counts
    #0.88.0.3<TAB>web web.minirun      does not: it is a comment
    #                                  a place for another line, as long or shorter

A new line is written as a comment, into such a place or at the end, and then
given its first byte. ``added`` and ``removed`` are pure: the content goes in,
and what to write where, in this order, comes out. Lines are longer than one
byte and have no newline. ``names.py`` has who is told of whom.
"""

from __future__ import annotations

import os

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: At which offset, and what.
    Write = tuple[int, bytes]
    Change = Callable[[bytes, Sequence[bytes]], list[Write]]

#: The container may write its file, too. One that it made larger is left alone.
LIMIT = 1 << 20

_PLACE = b"\n#  "


def add(path: str, lines: Sequence[bytes]) -> None:
    """Adds ``lines`` to the file. A file that is not there is passed over."""
    _change(path, added, lines)


def remove(path: str, lines: Sequence[bytes]) -> None:
    """Takes ``lines`` out of the file. A file that is not there is passed over."""
    _change(path, removed, lines)


def _change(path: str, change: Change, lines: Sequence[bytes]) -> None:
    try:
        # O_NONBLOCK: a program in the container may hold a lease on its file, for which
        # open(2) would wait 45 seconds (fcntl(2), "Leases"). Then it goes without names.
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        size = os.fstat(fd).st_size
        if size <= LIMIT:
            content = os.read(fd, size)
            for offset, what in change(content, lines):
                os.pwrite(fd, what, offset)
    except OSError:
        return  # no space is left; what it has stays as it was
    finally:
        os.close(fd)


def added(content: bytes, lines: Sequence[bytes]) -> list[Write]:
    """The writes that add ``lines``, each into a place that is free, or at the end."""
    writes: list[Write] = []
    switches: list[Write] = []
    tail = b"" if not content or content.endswith(b"\n") else b"\n"
    search = 0
    for line in lines:
        offset, length = _place(content, len(line), search)
        if offset < 0:
            search = len(content)  # no place, nor for those that follow: most are as long
            offset = len(content) + len(tail)
            tail += b"#" + line[1:] + b"\n"
        else:
            search = offset + length
            writes.append((offset, b"#" + line[1:].ljust(length - 1)))
        switches.append((offset, line[:1]))
    if tail:
        writes.append((len(content), tail))
    return writes + switches


def _place(content: bytes, length: int, start: int) -> tuple[int, int]:
    """Offset and length of the first place for a line of ``length`` bytes; -1 if there is none."""
    at = content.find(_PLACE, start)
    while at >= 0:
        end = content.find(b"\n", at + 1)
        if end < 0:
            break  # half a line: somebody is writing
        if end - at - 1 >= length and not content[at + 2 : end].strip(b" "):
            return at + 1, end - at - 1
        at = content.find(_PLACE, end)
    return -1, 0


def removed(content: bytes, lines: Sequence[bytes]) -> list[Write]:
    """The writes that take ``lines`` out, wherever they are, and leave their places."""
    switches: list[Write] = []
    writes: list[Write] = []
    for line in lines:
        rest = line[1:]
        at = content.find(rest)
        while at >= 0:
            end = content.find(b"\n", at)
            end = len(content) if end < 0 else end
            begins = at == 1 or content[at - 2 : at - 1] == b"\n"
            # As a comment, too: whoever wrote it was killed between the two writes.
            ours = begins and content[at - 1 : at] in (line[:1], b"#")
            if ours and not content[at + len(rest) : end].strip(b" "):
                switches.append((at - 1, b"#"))
                writes.append((at, b" " * (end - at)))
            at = content.find(rest, at + 1)
    return switches + writes
