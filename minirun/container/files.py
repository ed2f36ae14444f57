"""The small files of a container: written whole or not at all, read or not there.

Layer ``container``, below ``state.py``, which says which files there are. Every
file is written as NAME.new and renamed (rename(2) replaces in one step); the
monitor, in C, does it the same way.
"""

from __future__ import annotations

import os

from minirun import json_quick
from minirun.errors import InvalidInput
from minirun.values import TYPE_CHECKING, plain, revive

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

#: What a file is called while it is written.
UNFINISHED = ".new"


def write_json(path: str, value: object) -> None:
    """Writes ``value`` as JSON under a temporary name, then renames it.

    The temporary name is always the same: there is one writer, and the next
    one writes over what it did not finish.
    """
    temporary = path + UNFINISHED
    try:
        with open(temporary, "w") as file:
            file.write(json_quick.dumps(plain(value)))
        os.rename(temporary, path)
    except OSError:
        remove_file(temporary)
        raise


def parse(raw: bytes, kind: type[T], path: str) -> T:
    """The record that minirun wrote to ``path``. Raises InvalidInput when it is damaged."""
    try:
        return revive(json_quick.loads(raw), kind)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"{path} is damaged",
            f"{type(error).__name__}: {error}",
            "minirun rm -f the container, or remove that file's folder",
        ) from error


def read(path: str) -> bytes | None:
    """The file's content, None when it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove_file(path: str) -> None:
    """Unlinks ``path``; gone already is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def timestamp() -> str:
    """Now, as RFC 3339 with nanoseconds, UTC."""
    import time

    now = time.time_ns()
    seconds, rest = divmod(now, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"
