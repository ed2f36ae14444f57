"""The kernel as an ELF file: whether it is whole, and whether QEMU can enter it.

Layer ``vm``. Its program headers (elf(5)) say which bytes go where in memory. A
kernel built with CONFIG_PVH also has a note with the address of a 32-bit entry:
a hypervisor that knows it needs no boot loader (the kernel's
Documentation/arch/x86/boot.rst and include/xen/interface/elfnote.h). Read
``bzimage.py`` next.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from minirun.errors import InvalidInput, Unsupported

GIVE = "give a vmlinuz or vmlinux of x86_64, or fetch one with `minirun vm kernel fetch`"

_ET_EXEC = 2
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_PT_LOAD = 1
_PT_NOTE = 4
_XEN_ELFNOTE_PHYS32_ENTRY = 18
_MACHINES = {3: "32-bit x86", 20: "powerpc", 21: "ppc64", 22: "s390x", 40: "arm", 183: "arm64", 243: "riscv"}


def check(elf: bytes, path: str) -> None:
    """Raises InvalidInput for a damaged file or no program, Unsupported for another architecture."""
    if len(elf) < 64:
        raise damaged(path, "it ends within the ELF header")
    kind, machine = struct.unpack_from("<HH", elf, 16)
    if elf[4:6] != b"\x02\x01" or machine != 62:  # 64 bits, little endian, EM_X86_64
        raise foreign(path, _MACHINES.get(machine, f"ELF machine {machine}"))
    offset, size, count = _table(elf)
    if kind != _ET_EXEC or size != _PROGRAM_HEADER.size or not count:
        raise InvalidInput(f"{path} is no kernel", "it is an ELF file, but no program", GIVE)
    if offset + size * count > len(elf):
        raise damaged(path, "it ends within the program headers")
    if any(start + length > len(elf) for _, _, start, length in _segments(elf)):
        raise damaged(path, "it ends in the middle of a segment")


def has_pvh_entry(elf: bytes) -> bool:
    """Whether QEMU can enter this file, which ``check`` has passed."""
    notes = (elf[start : start + length] for _, kind, start, length in _segments(elf) if kind == _PT_NOTE)
    return any(_has_note(note, b"Xen\0", _XEN_ELFNOTE_PHYS32_ENTRY) for note in notes)


def without_zeros(elf: bytes) -> bytes:
    """The file without the zeros at the end of its last segment.

    A kernel's .bss is a third of it. Nobody has to store and load that: what the
    file lacks of a segment is zero in memory (elf(5), ``p_memsz``).
    """
    header, kind, start, length = max(_segments(elf), key=lambda segment: segment[2] + segment[3])
    shorter = bytearray(elf[: start + length].rstrip(b"\0"))
    offset, size, count = _table(elf)
    if kind != _PT_LOAD or len(shorter) < max(start, offset + size * count):
        return elf
    struct.pack_into("<Q", shorter, header + 32, len(shorter) - start)  # p_filesz
    # The table of sections stood behind: e_shoff; e_shentsize, e_shnum, e_shstrndx.
    struct.pack_into("<Q", shorter, 0x28, 0)
    struct.pack_into("<HHH", shorter, 0x3A, 0, 0, 0)
    return bytes(shorter)


def damaged(path: str, why: str) -> InvalidInput:
    """The error for a kernel that was a good one."""
    return InvalidInput(f"the kernel {path} is damaged or cut off", why, "copy or fetch it anew")


def foreign(path: str, what: str) -> Unsupported:
    """The error for a kernel of another architecture."""
    return Unsupported(f"the kernel {path} cannot be booted here", f"it is for {what}, not for x86_64", GIVE)


def _table(elf: bytes) -> tuple[int, int, int]:
    """Where the program headers begin, the size of one, and how many there are."""
    offset, *_, size, count = struct.unpack_from("<QQIHHH", elf, 0x20)
    return offset, size, count


def _segments(elf: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Of each program header: its place, its type, where the segment starts in the file, its length there."""
    offset, size, count = _table(elf)
    for header in range(offset, offset + size * count, size):
        kind, _, start, _, _, length, _, _ = _PROGRAM_HEADER.unpack_from(elf, header)
        yield header, kind, start, length


def _has_note(notes: bytes, name: bytes, kind: int) -> bool:
    position = 0
    while position + 12 <= len(notes):
        name_size, size, found = struct.unpack_from("<III", notes, position)
        position += 12
        if found == kind and notes[position : position + name_size] == name:
            return True
        position += (name_size + 3 & ~3) + (size + 3 & ~3)
    return False
