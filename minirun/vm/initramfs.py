"""The guest's first file system: a cpio archive that the kernel unpacks into its memory.

Layer ``vm``. It holds the guest's PID 1 (native/guest.c) and the drivers that
have to be there before the host's files can be reached. The form is "newc",
told in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst;
it stays uncompressed, because unpacking is slow where instructions are
emulated. Read ``machine.py`` next.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence

from minirun.errors import MinirunError, hint, reason
from minirun.values import Value
from minirun.vm import modules
from minirun.vm.kernel import Kernel


class Entry(Value):
    """A file of the archive; ``name`` is its path without the first slash, ``rdev`` major and minor."""

    name: str
    data: bytes = b""
    mode: int = 0o100755
    rdev: tuple[int, int] = (0, 0)


def build(kernel: Kernel, init: bytes, module_names: Sequence[str], path: str) -> str:
    """Writes the initramfs to ``path``, whole or not at all, and gives ``path`` back.

    In it are /init, /dev/console and /modules/NN-name.ko in the order of loading.
    Raises Unsupported where the kernel lacks a driver, MinirunError where it cannot be written.
    """
    content = pack(_entries(init, modules.needed(kernel, module_names)))
    temporary = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
        os.rename(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise MinirunError(f"cannot write the initramfs {path}", reason(error), hint(error)) from error
    except BaseException:
        _remove(temporary)
        raise
    return path


def _entries(init: bytes, files: Sequence[str]) -> Iterator[Entry]:
    yield Entry(name="init", data=init)
    # The kernel opens it as the first program's stdin, stdout and stderr.
    yield Entry(name="dev/console", mode=stat.S_IFCHR | 0o600, rdev=(5, 1))
    for number, file in enumerate(files):
        name = os.path.basename(file).partition(".ko")[0]
        yield Entry(name=f"modules/{number:02}-{name}.ko", data=modules.read(file), mode=0o100644)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def pack(entries: Iterable[Entry]) -> bytes:
    """A cpio archive of ``entries``; the directories that they stand in come before them."""
    archive = bytearray()
    directories: set[str] = set()
    number = 0
    for entry in entries:
        for one in (*_above(entry.name, directories), entry):
            number += 1
            _append(archive, one, number)
    _append(archive, Entry(name="TRAILER!!!", mode=0), 0)
    return bytes(archive)


def _above(name: str, known: set[str]) -> Iterator[Entry]:
    parts = name.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        directory = "/".join(parts[:length])
        if directory not in known:
            known.add(directory)
            yield Entry(name=directory, mode=stat.S_IFDIR | 0o755)


def _append(archive: bytearray, entry: Entry, inode: int) -> None:
    name = os.fsencode(entry.name) + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    major, minor = entry.rdev
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, major, minor, len(name), 0)
    archive += b"070701" + b"".join(b"%08x" % field for field in fields) + name
    archive += bytes(-len(archive) % 4)
    archive += entry.data
    archive += bytes(-len(archive) % 4)
