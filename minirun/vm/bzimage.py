"""The kernel as it is installed: a bzImage, and the ELF file compressed inside of it.

Layer ``vm``. What a distribution installs as ``vmlinuz`` begins with a program
that unpacks the real kernel in the guest's memory, which takes seconds where
instructions are emulated. So the payload is unpacked here, once, on the host.
The fields of the header are told in the kernel's
Documentation/arch/x86/boot.rst; read ``payload.py`` next.
"""

from __future__ import annotations

import re
import struct

from minirun.errors import InvalidInput
from minirun.vm import vmlinux
from minirun.vm.payload import decompressed
from minirun.vm.vmlinux import GIVE, damaged, foreign

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

#: How much of a bzImage ``release`` wants to see: the setup code and its strings.
HEAD = 1 << 16

_RELEASE = re.compile(rb"[0-9][!-.0-~]{0,63}")
_BANNER = re.compile(rb"Linux version ([0-9][!-.0-~]{0,63}) ")


def unpack(image: bytes, path: str) -> bytes:
    """The ELF file in a bzImage; an ELF file itself comes back as it is.

    ``path`` names the image in errors. Raises InvalidInput for what is no kernel
    or a damaged one, Unsupported for a kernel of another architecture.
    """
    if image.startswith(b"\x7fELF"):
        vmlinux.check(image, path)
        return image
    _check_header(image, path)
    start, length = struct.unpack_from("<II", image, _PAYLOAD)
    start += ((image[_SETUP_SECTS] or 4) + 1) * _SECTOR  # 0 sectors means 4, for the sake of LILO
    payload = image[start : start + length]
    if not length or len(payload) < length:
        raise damaged(path, f"it has {len(image)} bytes, and its header tells of {start + length}")
    try:
        elf = decompressed(payload)
    except ValueError as error:
        raise damaged(path, str(error)) from error
    if not elf.startswith(b"\x7fELF"):
        raise damaged(path, "what is compressed in it is no ELF file")
    vmlinux.check(elf, path)
    return vmlinux.without_zeros(elf)


def release(image: bytes, path: str) -> str:
    """What `uname -r` says under this kernel; of a bzImage the first HEAD bytes suffice."""
    if image.startswith(b"\x7fELF"):
        found = _BANNER.search(image)
        if not found:
            raise InvalidInput(f"{path} is no Linux kernel", "it nowhere says `Linux version`", GIVE)
        return found[1].decode()
    _check_header(image, path)
    place = struct.unpack_from("<H", image, _KERNEL_VERSION)[0]
    found = _RELEASE.match(image, place + _SECTOR)
    if not found or not place:
        raise damaged(path, "its header does not say which release it is")
    return found[0].decode()


def _check_header(image: bytes, path: str) -> None:
    for place, magic, architecture in _FOREIGN:
        if image[place : place + len(magic)] == magic:
            raise foreign(path, architecture)
    if len(image) < _HEADER_END or image[_BOOT_FLAG:0x200] != b"\x55\xaa":
        raise InvalidInput(f"{path} is no kernel", "it is neither a bzImage nor an ELF file", GIVE)
    if image[_HEADER_MAGIC : _HEADER_MAGIC + 4] != b"HdrS":
        raise InvalidInput(f"{path} is no kernel", "it can be booted, but is not Linux", GIVE)
    version, loadflags = (struct.unpack_from("<H", image, at)[0] for at in (_VERSION, _XLOADFLAGS))
    if version < 0x20C or not loadflags & 1:  # XLF_KERNEL_64, since 2.12
        raise foreign(path, "32-bit x86, or older than Linux 3.8")


#: How kernels of other architectures are told: by a magic number at its place.
_FOREIGN = (
    (0x38, b"ARM\x64", "arm64"),
    (0x04, b"zimg", "arm64, riscv64 or loongarch64"),
    (0x30, b"RISCV\0\0\0", "riscv64"),
    (0x24, b"\x18\x28\x6f\x01", "arm"),
)
