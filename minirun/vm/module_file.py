"""A module as a file: decompressed, without its signature, and what it says of itself.

Layer ``vm``. A module is an ELF file (elf(5)) that waits to be linked into the
kernel. Behind its end a distribution appends a signature, and in its section
``.modinfo`` stands what modinfo(8) prints: which other modules it needs, and
for which devices it is. Read ``module_index.py`` next.
"""

from __future__ import annotations

import struct
import zlib

from minirun.errors import InvalidInput

_SIGNED = b"~Module signature appended~\n"
#: struct module_signature: algorithm, hash, id_type, signer_len, key_id_len, padding, sig_len
_SIGNATURE = struct.Struct(">BBBBB3xI")


def read(path: str) -> bytes:
    """The module in the file ``path``, as it is given to init_module(2).

    Raises InvalidInput for a damaged file, OSError for one that cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        data = _decompressed(path, data)
    except (EOFError, ValueError, RuntimeError, zlib.error) as error:
        raise InvalidInput(
            f"the module {path} is damaged", str(error), "install or fetch the kernel anew"
        ) from error
    return without_signature(data)


def _decompressed(path: str, data: bytes) -> bytes:
    if path.endswith(".xz"):
        import lzma

        try:
            return lzma.decompress(data)
        except lzma.LZMAError as error:
            raise ValueError(error) from error
    if path.endswith(".gz"):
        return zlib.decompress(data, wbits=31)
    if path.endswith(".zst"):
        import zstandard

        try:
            decompressor = zstandard.ZstdDecompressor().decompressobj()
            data = decompressor.decompress(data)
        except zstandard.ZstdError as error:
            raise ValueError(error) from error
        if not decompressor.eof:
            raise EOFError("it ends too early")
    return data


def without_signature(module: bytes) -> bytes:
    """A module without the signature behind its end, which costs a guest time and memory.

    The kernel's Documentation/admin-guide/module-signing.rst tells the form.
    """
    end = len(module) - len(_SIGNED) - _SIGNATURE.size
    if end < 0 or not module.endswith(_SIGNED):
        return module
    *_, signer, key, size = _SIGNATURE.unpack_from(module, end)
    start = end - signer - key - size
    return module[:start] if start >= 0 else module


def information(module: bytes) -> dict[str, list[str]]:
    """What a module says of itself: ``depends``, ``alias``, ``softdep`` ...; nothing if it is damaged."""
    try:
        section = _section(module, b".modinfo")
    except (struct.error, IndexError, OverflowError):
        return {}
    found: dict[str, list[str]] = {}
    for entry in section.split(b"\0"):
        key, equals, value = entry.decode("utf-8", "surrogateescape").partition("=")
        if equals:
            found.setdefault(key, []).append(value)
    return found


def _section(module: bytes, wanted: bytes) -> bytes:
    if module[:6] != b"\x7fELF\x02\x01":  # 64 bits, little endian: x86_64's
        return b""
    offset = struct.unpack_from("<Q", module, 0x28)[0]
    size, count, names = struct.unpack_from("<HHH", module, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", module, offset + number * size) for number in range(count)]
    strings = headers[names][4]
    for name, _, _, _, start, length in headers:
        if module.startswith(wanted + b"\0", strings + name):
            return module[start : start + length]
    return b""
