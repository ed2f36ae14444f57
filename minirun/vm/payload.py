"""What is compressed in a bzImage, by whichever way the kernel was built with.

Layer ``vm``. The first bytes tell the way. Behind most payloads stand four
bytes more, the size of what comes out, so everything here stops at the end of
the stream and passes over the rest. Read ``modules.py`` next.
"""

from __future__ import annotations

from minirun.errors import Unsupported
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def decompressed(payload: bytes) -> bytes:
    """The unpacked ``payload``.

    Raises ValueError for damaged or unknown data, Unsupported where a program is missing.
    """
    if payload.startswith(b"\x7fELF"):
        return payload
    for magic, name in _MAGIC.items():
        if payload.startswith(magic):
            return _lz4(payload) if name == "lz4" else _stream(payload, name)
    raise ValueError(f"its payload begins with {payload[:4].hex(' ')}, and no compression does")


_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"\x5d\0\0": "lzma",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x89LZO": "LZO",
}


def _stream(payload: bytes, name: str) -> bytes:
    decompressor, complaints = _decompressor(name)
    try:
        data: bytes = decompressor.decompress(payload)
    except complaints as error:
        raise ValueError(f"its {name} payload is damaged: {error}") from error
    if not decompressor.eof:
        raise ValueError(f"its {name} payload has no end")
    return data


def _decompressor(name: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """The decompressor, and how it complains; each library is imported when it is met."""
    if name in ("xz", "lzma"):
        import lzma

        return lzma.LZMADecompressor(), (lzma.LZMAError,)
    if name == "gzip":
        import zlib

        return zlib.decompressobj(wbits=31), (zlib.error,)
    if name == "zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj(), (zstandard.ZstdError,)
    if name == "bzip2":
        import bz2

        return bz2.BZ2Decompressor(), (OSError, ValueError)
    raise Unsupported(
        f"the kernel is compressed with {name}", "minirun cannot unpack that", "give the vmlinux"
    )


def _lz4(payload: bytes) -> bytes:
    """By the program lz4(1), which wants to hear nothing of the size behind the end."""
    import shutil
    import subprocess

    if not shutil.which("lz4"):
        raise Unsupported(
            "the kernel is compressed with lz4", "there is no program lz4 here", "apt-get install lz4"
        )
    done = subprocess.run(["lz4", "-dc"], input=payload[:-4], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ValueError(f"its lz4 payload is damaged: {said}")
    return done.stdout
