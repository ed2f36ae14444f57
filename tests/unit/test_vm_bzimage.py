"""The ELF file in a bzImage: taken out whole, or refused with the reason."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import InvalidInput, MinirunError, Unsupported
from minirun.vm import bzimage, vmlinux
from tests.unit import kernel_files

ELF = kernel_files.elf(extra=bytes(range(256)) * 20)


@pytest.mark.parametrize("compression", kernel_files.COMPRESSIONS)
def test_the_elf_file_comes_out(compression: str) -> None:
    """Whatever it was compressed with."""
    assert bzimage.unpack(kernel_files.bzimage(ELF, compression), "k") == ELF


def test_lz4_comes_out_by_the_program() -> None:
    """lz4 is in no library that minirun has."""
    if not shutil.which("lz4"):
        pytest.skip("this machine lacks: lz4")
    packed = subprocess.run(["lz4", "-l", "-c"], input=ELF, capture_output=True, check=True).stdout
    image = bytearray(kernel_files.bzimage(packed + struct.pack("<I", len(ELF)), "none"))
    assert bzimage.unpack(bytes(image), "k") == ELF


def test_lz4_without_the_program_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unsupported, match=r"lz4\n.*\n.*apt-get install lz4"):
        bzimage.unpack(kernel_files.bzimage(b"\x02\x21\x4c\x18" + bytes(50), "none"), "k")


def test_an_elf_file_is_its_own() -> None:
    """A vmlinux that was given is left as it is."""
    assert bzimage.unpack(ELF, "k") is ELF


@pytest.mark.parametrize("image", [ELF, kernel_files.bzimage(ELF)], ids=["vmlinux", "vmlinuz"])
def test_the_release(image: bytes) -> None:
    """Read from the header or from the banner."""
    assert bzimage.release(image, "k") == kernel_files.RELEASE


def test_zeros_at_the_end_are_left_out() -> None:
    """They are in memory all the same: the segment says how long it is there."""
    elf = kernel_files.elf(extra=b"code" + bytes(100_000)) + b"sections"
    out = bzimage.unpack(kernel_files.bzimage(elf), "k")
    *_, start, _, _, stored, in_memory, _ = struct.unpack_from("<IIQQQQQQ", out, 64 + 56)
    assert out.endswith(b"code") and start + stored == len(out)
    assert in_memory == stored + 100_000
    assert bzimage.release(out, "k") == kernel_files.RELEASE and vmlinux.has_pvh_entry(out)


def test_the_pvh_note() -> None:
    """A note of another kind is none."""
    assert vmlinux.has_pvh_entry(kernel_files.elf(pvh=True))
    assert not vmlinux.has_pvh_entry(kernel_files.elf(pvh=False))


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"MZ" + bytes(54) + b"ARM\x64", "arm64"),
        (b"MZ\0\0zimg", "arm64, riscv64"),
        (b"MZ" + bytes(46) + b"RISCV\0\0\0", "riscv64"),
        (bytes(36) + b"\x18\x28\x6f\x01", "for arm,"),
    ],
)
def test_another_architecture_is_named(head: bytes, says: str) -> None:
    """An image of arm64, riscv64 or arm is told by its magic number."""
    with pytest.raises(Unsupported, match=says):
        bzimage.release(head.ljust(4096, b"\0"), "k")


def test_an_elf_file_of_another_architecture() -> None:
    """183 is EM_AARCH64, told by name."""
    with pytest.raises(Unsupported, match="arm64"):
        bzimage.unpack(kernel_files.elf(machine=183), "k")


def test_a_32_bit_kernel_is_refused() -> None:
    """Its header says that it has no 64-bit entry."""
    with pytest.raises(Unsupported, match="32-bit x86"):
        bzimage.unpack(kernel_files.bzimage(ELF, bits=32), "k")


@pytest.mark.parametrize("content", [b"", b"text\n" * 1000, bytes(512), b"\x7fELF" + bytes(100)])
def test_what_is_no_kernel(content: bytes) -> None:
    """Text, zeros, an empty file, half an ELF header."""
    with pytest.raises(MinirunError, match=r"no kernel|cannot be booted"):
        bzimage.unpack(content, "k")


def test_a_boot_sector_is_no_kernel() -> None:
    """The two bytes at the end of its first sector are not enough."""
    with pytest.raises(InvalidInput, match="not Linux"):
        bzimage.unpack(bytes(510) + b"\x55\xaa" + bytes(512), "k")


@pytest.mark.parametrize("compression", kernel_files.COMPRESSIONS)
@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_a_truncated_bzimage(compression: str, kept: float) -> None:
    """Where half of the payload is missing, that is said."""
    image = kernel_files.bzimage(ELF, compression).removesuffix(b"the end of the file is nobody's")
    with pytest.raises(InvalidInput, match=r"k (is damaged|is no kernel)"):
        bzimage.unpack(image[: int(len(image) * kept)], "k")


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd", "bzip2"])
def test_a_damaged_payload(compression: str) -> None:
    """A flipped byte is found by the checksum, or before."""
    image = bytearray(kernel_files.bzimage(ELF, compression))
    image[5 * 512 + 0x100 + 60] ^= 0xFF
    with pytest.raises(InvalidInput, match="damaged"):
        bzimage.unpack(bytes(image), "k")


@pytest.mark.parametrize("payload", [b"\x89LZO" + bytes(9), b"nothing known"])
def test_an_unknown_payload(payload: bytes) -> None:
    """A compression that cannot be undone is named."""
    with pytest.raises(MinirunError, match=r"LZO|6e 6f 74 68"):
        bzimage.unpack(kernel_files.bzimage(payload, "none"), "k")


@given(st.data())
def test_no_bytes_bring_it_down(data: st.DataObject) -> None:
    """A kernel with some bytes changed and some cut off: an ELF file, or an error that teaches."""
    image = bytearray(data.draw(st.sampled_from([ELF, kernel_files.bzimage(ELF, "gzip")])))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(image) - 1), st.integers(0, 255)))):
        image[place % data.draw(st.sampled_from([200, 0x260, len(image)]))] = value
    image = image[: data.draw(st.integers(0, len(image)))]
    try:
        out = bzimage.unpack(bytes(image), "k")
        vmlinux.has_pvh_entry(out)
        bzimage.release(bytes(image), "k")
        assert out.startswith(b"\x7fELF")
    except MinirunError as error:
        assert error.what and error.why and error.remedy
