"""Compiled filters, a file each, named after what they were compiled from.

Compiling costs ten milliseconds and more, reading a file a tenth of one, and a start pays that
every time. What cannot be read, or is not what was written, is as good as absent: the filter is
compiled again. This module is on the hot path and imports next to nothing. Used by __init__.py.
"""

from __future__ import annotations

import binascii
import os

_MAGIC = b"minirun\x01"
_HEADER = len(_MAGIC) + 4  # and a CRC-32 of name and program


def load(directory: str, name: str) -> bytes | None:
    """The program stored as ``name``; None where there is none to be trusted."""
    try:
        descriptor = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        # A file that someone else could write is not one to take a filter from.
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
            return None
        content = os.read(descriptor, status.st_size + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    program = content[_HEADER:]
    if not program or len(program) % 8 or content[:_HEADER] != _header(name, program):
        return None
    return program


def store(directory: str, name: str, program: bytes) -> None:
    """Keeps ``program`` as ``name``, whole or not at all; where nothing can be written, not."""
    temporary = os.path.join(directory, f".{name}.{os.getpid()}")
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return
    try:
        try:
            os.write(descriptor, _header(name, program) + program)
        finally:
            os.close(descriptor)
        os.rename(temporary, os.path.join(directory, name))
    except OSError:
        os.unlink(temporary)


def sweep(directory: str, current: tuple[str, ...]) -> list[str]:
    """Removes all files whose names do not begin with one of ``current``; their paths."""
    removed = []
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        writer = name.rpartition(".")[2] if name.startswith(".") else ""
        if name.startswith(current) or (writer and os.path.exists(f"/proc/{writer}")):
            continue  # in use, or being written
        os.unlink(f"{directory}/{name}")
        removed.append(f"{directory}/{name}")
    return removed


def _header(name: str, program: bytes) -> bytes:
    return _MAGIC + binascii.crc32(name.encode() + program).to_bytes(4, "little")
