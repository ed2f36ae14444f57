"""What a learner's program reads and writes, as files: nobody who holds one can make us wait.

Layer ``learn``. A pipe ends when the last who has it ends, and that may be a
process that the program left behind. Read ``attempt.py`` next.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes. More than this of what it writes is not looked at.
MOST = 1 << 20


@contextlib.contextmanager
def files(input: str) -> Iterator[tuple[IO[bytes], IO[bytes], IO[bytes]]]:
    """Its stdin, with ``input`` in it, stdout and stderr; they are gone with the block."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(input.encode())
        given.seek(0)
        yield given, out, err


def text(file: IO[bytes]) -> str:
    """What is in it by now."""
    return os.pread(file.fileno(), MOST, 0).decode(errors="replace")


def last_line(text: str) -> str:
    """The last line that says something; empty if none does."""
    return text.strip().rpartition("\n")[2].strip()
