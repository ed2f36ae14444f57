"""Small kernels, modules and Debian packages, made for the tests of minirun/vm.

They have the form of the real ones and nothing in them that runs.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
from collections.abc import Callable, Mapping

import zstandard

RELEASE = "6.1.0-7-test"
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
    "bzip2": bz2.compress,
}


def elf(release: str = RELEASE, pvh: bool = True, machine: int = 62, extra: bytes = b"") -> bytes:
    """A kernel as an ELF file with two segments, its code and (``pvh``) the note."""
    code = f"Linux version {release} (somebody@somewhere) #1 SMP\n".encode() + extra
    note = struct.pack("<III", 4, 8, 18 if pvh else 17) + b"Xen\0" + struct.pack("<Q", 0x1000000)
    start = 64 + 2 * 56
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x1000000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    notes = struct.pack("<IIQQQQQQ", 4, 4, start, 0, 0, len(note), len(note), 4)
    load = struct.pack("<IIQQQQQQ", 1, 5, start + len(note), 0, 1 << 24, len(code), len(code), 4096)
    return head + notes + load + note + code


def bzimage(content: bytes, compression: str = "xz", release: str = RELEASE, bits: int = 64) -> bytes:
    """``content`` in a bzImage with four sectors of setup code."""
    payload = COMPRESSIONS[compression](content)
    if compression not in ("none", "gzip"):
        payload += struct.pack("<I", len(content))
    image = bytearray(5 * 512)
    image[0x1F1] = 4
    image[0x1FE:0x208] = b"\x55\xaa\xeb\x66HdrS" + struct.pack("<H", 0x20F)
    struct.pack_into("<H", image, 0x20E, 0x400 - 0x200)
    image[0x400 : 0x400 + len(release) + 30] = f"{release} (somebody@somewhere) #1".ljust(
        len(release) + 30
    ).encode()
    struct.pack_into("<H", image, 0x236, 1 if bits == 64 else 0)
    struct.pack_into("<II", image, 0x248, 0x100, len(payload))
    return bytes(image) + bytes(0x100) + payload + b"the end of the file is nobody's"


def module(*said: str) -> bytes:
    """A module that says ``said`` (each ``key=value``) of itself."""
    information = b"".join(text.encode() + b"\0" for text in said)
    names = b"\0.modinfo\0.shstrtab\0"
    start = 64 + len(information) + len(names)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, 3, 2)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0, 64, len(information), 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, 64 + len(information), len(names), 0, 0, 1, 0)
    return head + information + names + sections


def signed(data: bytes, signature: bytes = b"signature", signer: bytes = b"", key: bytes = b"") -> bytes:
    """A module with a signature behind it, as scripts/sign-file of the kernel appends it."""
    trailer = struct.pack(">BBBBB3xI", 0, 0, 2, len(signer), len(key), len(signature))
    return data + signer + key + signature + trailer + b"~Module signature appended~\n"


def tar(files: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """A tar of ``files``; a TarInfo stands for an entry without content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            entry.name = name
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                archive.addfile(entry)
    return packed.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    """An ar archive, as deb(5) has it."""
    archive = b"!<arch>\n"
    for name, data in members.items():
        archive += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data
        archive += b"\n" * (len(data) % 2)
    return archive


def deb(files: Mapping[str, bytes | tarfile.TarInfo], compression: str = "xz", **fields: str) -> bytes:
    """A Debian package of ``files``; ``fields`` are added to those of its control file."""
    known = {"Package": f"linux-image-{RELEASE}", "Version": "6.1.7-1", "Architecture": "amd64", **fields}
    control = "".join(f"{name}: {value}\n" for name, value in known.items())
    suffix = {"none": "", "gzip": ".gz", "xz": ".xz", "zstd": ".zst"}[compression]
    pack = COMPRESSIONS[compression]
    return ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{suffix}": pack(tar({"./control": control.encode()})),
            f"data.tar{suffix}": pack(tar(files)),
        }
    )


#: Drivers and what each needs, as Debian's kernel has them, the file names with ``-`` too.
MODULES = {
    "drivers/virtio/virtio_ring.ko": "",
    "drivers/virtio/virtio.ko": "virtio_ring",
    "drivers/virtio/virtio_pci_modern_dev.ko": "",
    "drivers/virtio/virtio_pci.ko": "virtio_pci_modern_dev,virtio_ring,virtio",
    "drivers/char/virtio_console.ko": "virtio_ring,virtio",
    "drivers/char/hw_random/virtio-rng.ko": "virtio",
    "net/9p/9pnet.ko": "",
    "fs/netfs/netfs.ko": "",
    "fs/fscache/fscache.ko": "netfs",
    "fs/9p/9p.ko": "9pnet,fscache,netfs",
    "net/9p/9pnet_virtio.ko": "9pnet,virtio,virtio_ring",
    "fs/overlayfs/overlay.ko": "",
}


def kernel_files(release: str = RELEASE, **image: str) -> dict[str, bytes | tarfile.TarInfo]:
    """What a package of Debian's with a kernel holds; ``image`` as ``bzimage`` takes it."""
    files: dict[str, bytes | tarfile.TarInfo] = {
        f"./boot/config-{release}": b"CONFIG_PVH=y\nCONFIG_VIRTIO_PCI=m\n",
        f"./boot/vmlinuz-{release}": bzimage(elf(release), release=release, **image),
    }
    modules = f"./lib/modules/{release}"
    for path, depends in MODULES.items():
        name = path.rpartition("/")[2].removesuffix(".ko")
        said = module(f"depends={depends}", f"alias=test:{name}*", f"name={name}")
        files[f"{modules}/kernel/{path}"] = signed(said, b"s" * 500)
    files[f"{modules}/modules.builtin"] = b"kernel/fs/ext4/ext4.ko\n"
    files[f"{modules}/modules.order"] = b""
    return files
