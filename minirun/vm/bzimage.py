"""The kernel as it lies on disk: a bzImage, and the ELF file compressed inside of it.

Layer ``vm``. What a distribution installs as ``vmlinuz`` begins with a program
that unpacks the real kernel in the guest's memory, which takes seconds where
instructions are emulated. So the payload is unpacked here, once, on the host.
What comes out is an ELF file (elf(5)) that QEMU enters by the address in its
PVH note. The fields of the header are told in the kernel's
Documentation/arch/x86/boot.rst; read ``payload.py`` next.
"""

from __future__ import annotations

import re
import struct

from minirun.errors import InvalidInput, Unsupported
from minirun.vm.payload import decompressed

_SETUP_SECTS = 0x1F1
_BOOT_FLAG = 0x1FE
_HEADER_MAGIC = 0x202
_VERSION = 0x206
_KERNEL_VERSION = 0x20E
_XLOADFLAGS = 0x236
_PAYLOAD = 0x248
#: Up to where the fields above reach.
_HEADER_END = 0x250
_SECTOR = 512

_EM_X86_64 = 62
_MACHINES = {3: "32-bit x86", 20: "powerpc", 21: "ppc64", 22: "s390x", 40: "arm", 183: "arm64", 243: "riscv"}
_PT_LOAD = 1
_PT_NOTE = 4
_XEN_ELFNOTE_PHYS32_ENTRY = 18

#: How much of a file ``release`` wants to see: the setup code and its strings.
HEAD = 1 << 16

_RELEASE = re.compile(rb"[0-9][!-.0-~]{0,63}")
_BANNER = re.compile(rb"Linux version ([0-9][!-.0-~]{0,63}) ")


def unpack(image: bytes, path: str) -> bytes:
    """The ELF file in a bzImage; an ELF file itself comes back as it is.

    ``path`` names the image in errors. Raises InvalidInput for what is no kernel
    or a damaged one, Unsupported for a kernel of another architecture.
    """
    if image.startswith(b"\x7fELF"):
        _check_elf(image, path)
        return image
    _check_header(image, path)
    start, length = struct.unpack_from("<II", image, _PAYLOAD)
    start += ((image[_SETUP_SECTS] or 4) + 1) * _SECTOR  # 0 sectors means 4, for the sake of LILO
    payload = image[start : start + length]
    if not length or len(payload) < length:
        raise _damaged(path, f"it has {len(image)} bytes, and its header tells of {start + length}")
    try:
        elf = decompressed(payload)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not elf.startswith(b"\x7fELF"):
        raise _damaged(path, "what is compressed in it is no ELF file")
    _check_elf(elf, path)
    return _without_zeros(elf)


def release(image: bytes, path: str) -> str:
    """What `uname -r` says under this kernel; for a bzImage the first HEAD bytes suffice."""
    if image.startswith(b"\x7fELF"):
        found = _BANNER.search(image)
        if not found:
            raise InvalidInput(f"{path} is no Linux kernel", "it nowhere says `Linux version`", GIVE)
        return found[1].decode()
    _check_header(image, path)
    place = struct.unpack_from("<H", image, _KERNEL_VERSION)[0] + _SECTOR
    found = _RELEASE.match(image, place)
    if not found or place == _SECTOR:
        raise _damaged(path, "its header does not say which release it is")
    return found[0].decode()


def has_pvh_entry(elf: bytes) -> bool:
    """Whether QEMU can enter this ELF file: whether it has the note with the 32-bit entry."""
    offset, _, _, _, size, count = struct.unpack_from("<QQIHHH", elf, 0x20)
    for number in range(count):
        kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset + number * size)
        if kind == _PT_NOTE and _has_note(elf[start : start + length], b"Xen\0", _XEN_ELFNOTE_PHYS32_ENTRY):
            return True
    return False


def _has_note(notes: bytes, name: bytes, kind: int) -> bool:
    position = 0
    while position + 12 <= len(notes):
        name_size, size, found = struct.unpack_from("<III", notes, position)
        position += 12
        if found == kind and notes[position : position + name_size] == name:
            return True
        position += (name_size + 3 & ~3) + (size + 3 & ~3)
    return False


def _without_zeros(elf: bytes) -> bytes:
    """The ELF file without the zeros at the end of its last segment.

    A kernel's .bss is a third of it: nobody has to store and load that, since
    what the file lacks of a segment is zero in memory (elf(5), ``p_memsz``).
    """
    offset, _, _, _, size, count = struct.unpack_from("<QQIHHH", elf, 0x20)
    headers = [offset + number * size for number in range(count)]
    ends = {sum(struct.unpack_from("<Q16xQ", elf, header + 8)): header for header in headers}
    last = ends[max(ends)]
    start = struct.unpack_from("<Q", elf, last + 8)[0]
    shorter = bytearray(elf[: max(ends)].rstrip(b"\0"))
    if struct.unpack_from("<I", elf, last)[0] != _PT_LOAD or len(shorter) < max(start, offset + size * count):
        return elf
    struct.pack_into("<Q", shorter, last + 32, len(shorter) - start)
    struct.pack_into("<Q", shorter, 0x28, 0)  # the table of sections stood behind: e_shoff,
    struct.pack_into("<HHH", shorter, 0x3A, 0, 0, 0)  # e_shentsize, e_shnum, e_shstrndx
    return bytes(shorter)


def _check_header(image: bytes, path: str) -> None:
    if image[0x38:0x3C] == b"ARM\x64":
        raise _foreign(path, "arm64")
    if image[4:8] == b"zimg":
        raise _foreign(path, "arm64, riscv64 or loongarch64")
    if image[0x30:0x38] == b"RISCV\0\0\0":
        raise _foreign(path, "riscv64")
    if image[0x24:0x28] == b"\x18\x28\x6f\x01":
        raise _foreign(path, "arm")
    if len(image) < _HEADER_END or image[_BOOT_FLAG:0x200] != b"\x55\xaa":
        raise InvalidInput(f"{path} is no kernel", "it is neither a bzImage nor an ELF file", GIVE)
    if image[_HEADER_MAGIC : _HEADER_MAGIC + 4] != b"HdrS":
        raise InvalidInput(f"{path} is no kernel", "it can be booted, but is not Linux", GIVE)
    version, loadflags = (struct.unpack_from("<H", image, at)[0] for at in (_VERSION, _XLOADFLAGS))
    if version < 0x20C or not loadflags & 1:
        raise _foreign(path, "32-bit x86")


def _check_elf(elf: bytes, path: str) -> None:
    if len(elf) < 64:
        raise _damaged(path, "it ends within the ELF header")
    kind, machine = struct.unpack_from("<HH", elf, 16)
    if elf[4] != 2 or elf[5] != 1 or machine != _EM_X86_64:
        raise _foreign(path, _MACHINES.get(machine, f"ELF machine {machine}"))
    offset, _, _, _, size, count = struct.unpack_from("<QQIHHH", elf, 0x20)
    if kind != 2 or size != 56 or not count:
        raise InvalidInput(f"{path} is no kernel", "it is an ELF file, but no program", GIVE)
    if offset + size * count > len(elf):
        raise _damaged(path, "it ends within the program headers")
    for number in range(count):
        _, _, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset + number * size)
        if start + length > len(elf):
            raise _damaged(path, "it ends in the middle of a segment")


GIVE = "give a vmlinuz or vmlinux of x86_64, or fetch one with `minirun vm kernel fetch`"


def _damaged(path: str, why: str) -> InvalidInput:
    return InvalidInput(f"the kernel {path} is damaged or cut off", why, "copy or fetch it anew")


def _foreign(path: str, what: str) -> Unsupported:
    return Unsupported(f"the kernel {path} cannot be booted here", f"it is for {what}, not for x86_64", GIVE)
