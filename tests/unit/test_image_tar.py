"""Archives that are not what they claim: told by their headers, in bounded memory, without root."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from minirun.image import compression
from minirun.image.streams import CHUNK, Buffered, FileRange, Malformed, PutBack
from minirun.image.tar import HEADER_LIMIT, Archive
from tests.image.archives import entry, tar

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda raw: zstandard.ZstdCompressor().compress(raw),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


def names(raw: bytes, end_mark: bool = False) -> list[str]:
    return [found.name for found in Archive(io.BytesIO(raw), end_mark)]


GOOD = tar(entry("a", content=b"x" * 700), entry("b", content=b"y" * 5000), entry("c"))


def test_the_good_one() -> None:
    """Entries in order, whether their content is read or not."""
    assert names(GOOD, end_mark=True) == ["a", "b", "c"]
    archive = Archive(io.BytesIO(GOOD))
    contents = {found.name: b"".join(piece for _, piece in archive.data(found)) for found in archive}
    assert contents == {"a": b"x" * 700, "b": b"y" * 5000, "c": b""}


def test_cut_anywhere() -> None:
    """Cut between entries only the end mark tells; cut inside, there is always an error."""
    end = len(GOOD.rstrip(b"\0")) // 512 * 512 + 512
    for length in range(1, end, 97):
        if length % 512:
            with pytest.raises(Malformed):
                names(GOOD[:length])
        with pytest.raises(Malformed):
            names(GOOD[:length], end_mark=True)
    assert names(GOOD[:end]) == ["a", "b", "c"]
    with pytest.raises(Malformed, match="truncated"):
        names(GOOD[:end], end_mark=True)


@pytest.mark.parametrize("raw", [b"", b"x" * 512, b"x" * 5000, b"\x7fELF" + bytes(2000), bytes(100)])
def test_no_tar_at_all(raw: bytes) -> None:
    """The error says where."""
    with pytest.raises(Malformed, match="byte 0"):
        names(raw)


def test_a_damaged_header_is_no_end() -> None:
    """tarfile alone would stop silently before it."""
    spoilt = bytearray(GOOD)
    spoilt[512 + 1024 + 10] ^= 1
    with pytest.raises(Malformed, match="byte 1536"):
        names(bytes(spoilt))


def test_only_an_end_mark() -> None:
    """A layer that changes nothing."""
    assert names(bytes(1024), end_mark=True) == []


@pytest.mark.parametrize("kind", ["x", "g", "L", "K"])
def test_headers_that_are_too_large(kind: str) -> None:
    """Read as a whole by tarfile, so bounded here."""
    info, _ = entry("x", kind)
    info.size = HEADER_LIMIT + 1
    raw = info.tobuf(tarfile.GNU_FORMAT) + bytes(2 * HEADER_LIMIT)
    with pytest.raises(Malformed, match="more than"):
        names(raw)


def test_headers_without_end() -> None:
    """One after the other for the same entry: no recursion to the bottom."""
    info, _ = entry("x", "L")
    info.size = 1
    block = info.tobuf(tarfile.GNU_FORMAT) + b"x" + bytes(511)
    with pytest.raises(Malformed):
        names(block * 5000)


def test_global_headers_without_end() -> None:
    """They would add up in memory."""
    blocks = b""
    for number in range(1100):
        blocks += tarfile.TarInfo._create_pax_generic_header({f"key{number}": "v"}, tarfile.XGLTYPE, "utf-8")
        blocks += entry("x")[0].tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(Malformed, match="global headers"):
        names(blocks)


def test_an_impossible_size() -> None:
    """Negative in the base-256 form, and beyond any disk."""
    for size in (-512, -1, -(1 << 40)):
        info, _ = entry("x")
        info.size = size
        with pytest.raises(Malformed):
            names(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    info, _ = entry("x")
    info.size = 1 << 62
    with pytest.raises(Malformed):
        names(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.map": "0,100000", "GNU.sparse.size": "10"},
        {"GNU.sparse.map": "5,-3", "GNU.sparse.size": "10"},
        {"GNU.sparse.map": "-5,3", "GNU.sparse.size": "10"},
        {"GNU.sparse.map": "0,5,x", "GNU.sparse.size": "10"},
        {"GNU.sparse.map": "0,9000", "GNU.sparse.size": "9000"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "10"},
    ],
)
def test_a_sparse_map_that_lies(headers: dict[str, str]) -> None:
    """Beyond the file, before it, beyond the data of the archive."""
    raw = tar(entry("x", content=b"0123456789", pax_headers=headers))
    with pytest.raises(Malformed):
        archive = Archive(io.BytesIO(raw))
        for found in archive:
            list(archive.data(found))


# Compression


@pytest.mark.parametrize("kind", PACKERS)
def test_compressed(kind: str) -> None:
    """Told by the first bytes, and read through; two streams one after the other are one."""
    raw = b"content " * 10_000
    packed = PACKERS[kind](raw)
    assert compression.kind(packed[: compression.LOOK]) == kind
    reader = Buffered(compression.plain(io.BytesIO(packed + packed), kind))
    assert reader.read(1 << 20) == raw + raw


@pytest.mark.parametrize("kind", PACKERS)
def test_compressed_and_spoilt(kind: str) -> None:
    """Damage is Malformed, whatever the library calls it; or it is left to the digest."""
    packed = bytearray(PACKERS[kind](b"".join(b"%d" % number for number in range(20_000))))
    packed[len(packed) // 2] ^= 0xFF
    packed[6] ^= 0xFF
    with pytest.raises(Malformed, match=kind):
        Buffered(compression.plain(io.BytesIO(bytes(packed)), kind)).read(1 << 24)


@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2"])
def test_compressed_and_cut(kind: str) -> None:
    """The end is missing. (zstandard does not tell; the tar within ends too early then.)"""
    packed = PACKERS[kind](bytes(range(256)) * 400)
    with pytest.raises(Malformed, match=kind):
        Buffered(compression.plain(io.BytesIO(packed[:-10]), kind)).read(1 << 24)


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_does_not_fill_the_memory(kind: str) -> None:
    """Half a gigabyte of zeros passes through a few mebibytes."""
    packer = {
        "gzip": lambda: gzip.compress(bytes(64 << 20), 1) * 4,
        "xz": lambda: lzma.compress(bytes(64 << 20), preset=0) * 4,
        "bzip2": lambda: bz2.compress(bytes(16 << 20), 1) * 4,
        "zstd": lambda: zstandard.ZstdCompressor().compress(bytes(64 << 20)) * 4,
    }[kind]()
    tracemalloc.start()
    try:
        reader, total = compression.plain(io.BytesIO(packer), kind), 0
        while piece := reader.read(CHUNK):
            total += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total >= 64 << 20
    assert peak < 16 << 20


def test_an_error_below_keeps_its_name() -> None:
    """A disk that fails is not a damaged archive."""

    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        compression.plain(PutBack(gzip.compress(bytes(range(256)))[:50], Broken()), "gzip").read(300)


def test_a_range_ends_with_its_file(tmp_path: Path) -> None:
    """The archive was longer when it was looked at."""
    (tmp_path / "file").write_bytes(b"12345")
    with open(tmp_path / "file", "rb") as file:
        reader = FileRange(file.fileno(), 2, 100)
        assert reader.read(50) == b"345"
        with pytest.raises(Malformed, match="shorter"):
            reader.read(1)
        with pytest.raises(Malformed, match="truncated"):
            FileRange(file.fileno(), 0, 5).skip(6)
