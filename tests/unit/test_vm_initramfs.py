"""The cpio archive of the guest, read back by a reader of the tests' own, and by cpio."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import MinirunError, Unsupported
from minirun.vm import initramfs, module_index
from minirun.vm.initramfs import Entry
from minirun.vm.kernel import Kernel
from tests.unit import kernel_files


def unpacked(archive: bytes) -> dict[str, tuple[int, tuple[int, int], bytes]]:
    """Name -> mode, rdev and content of each entry, in their order; checks every header."""
    found = {}
    position = 0
    while True:
        assert position % 4 == 0 and archive[position : position + 6] == b"070701"
        fields = [int(archive[at : at + 8], 16) for at in range(position + 6, position + 110, 8)]
        _, mode, _, _, _, _, size, _, _, major, minor, name_size, check = fields
        name = archive[position + 110 : position + 110 + name_size]
        assert name.endswith(b"\0") and check == 0
        start = position + 110 + name_size + 3 & ~3
        position = start + size + 3 & ~3
        if name == b"TRAILER!!!\0":
            assert position == len(archive)
            return found
        assert name[:-1].decode() not in found
        found[name[:-1].decode()] = (mode, (major, minor), archive[start : start + size])


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel with the drivers."""
    directory = tmp_path / "lib"
    for path in kernel_files.MODULES:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(kernel_files.signed(path.encode()))
    module_index.write(str(directory), {p: {"depends": [d]} for p, d in kernel_files.MODULES.items()})
    return Kernel(release="6.1", image="/nowhere", modules=str(directory))


def test_what_a_guest_finds(kernel: Kernel, tmp_path: Path) -> None:
    """Its init, a console, and the modules by number in the order of loading, unsigned."""
    path = str(tmp_path / "initramfs")
    assert initramfs.build(kernel, b"the init", ["9p", "virtio-rng"], path) == path
    found = unpacked(Path(path).read_bytes())
    assert found.pop("init") == (stat.S_IFREG | 0o755, (0, 0), b"the init")
    assert found.pop("dev") == found.pop("modules") == (stat.S_IFDIR | 0o755, (0, 0), b"")
    assert found.pop("dev/console") == (stat.S_IFCHR | 0o600, (5, 1), b"")
    assert [*found][-1] == "modules/06-virtio-rng.ko"
    assert found["modules/03-9p.ko"] == (stat.S_IFREG | 0o644, (0, 0), b"fs/9p/9p.ko")
    assert [*found] == sorted(found)


def test_a_missing_driver_leaves_no_file(kernel: Kernel, tmp_path: Path) -> None:
    """The error names it."""
    with pytest.raises(Unsupported, match="nbd"):
        initramfs.build(kernel, b"", ["nbd"], str(tmp_path / "initramfs"))
    assert [*tmp_path.glob("initramfs*")] == []


def test_a_place_that_cannot_be_written(kernel: Kernel) -> None:
    """What, why and what to do."""
    with pytest.raises(MinirunError, match=r"initramfs /nonexistent/i\n.*ENOENT"):
        initramfs.build(kernel, b"", [], "/nonexistent/i")


def test_directories_come_once_and_first() -> None:
    """The kernel makes none by itself."""
    archive = initramfs.pack([Entry(name="a/b/c"), Entry(name="a/d"), Entry(name="a/b/e")])
    assert [*unpacked(archive)] == ["a", "a/b", "a/b/c", "a/d", "a/b/e"]


PATHS = st.lists(st.text("abcé-.", min_size=1, max_size=5), min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(PATHS, st.binary(max_size=40), max_size=8))
def test_whatever_goes_in_comes_out(files: dict[str, bytes]) -> None:
    """Names and contents of any length, so that every padding is met."""
    files = {f"{name}/file": data for name, data in files.items()}
    found = unpacked(initramfs.pack(Entry(name=name, data=data) for name, data in files.items()))
    assert {name: data for name, (mode, _, data) in found.items() if stat.S_ISREG(mode)} == files


def test_cpio_understands_it(tmp_path: Path) -> None:
    """The program itself, where there is one: cpio, or busybox's."""
    if shutil.which("cpio"):
        cpio = ["cpio"]
    elif shutil.which("busybox"):
        cpio = ["busybox", "cpio"]
    else:
        pytest.skip("this machine lacks: cpio")
    archive = initramfs.pack([Entry(name="bin/true", data=b"x" * 99), Entry(name="init", data=b"i")])
    subprocess.run([*cpio, "-idm"], input=archive, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "bin/true").read_bytes() == b"x" * 99
    assert (tmp_path / "init").stat().st_mode == stat.S_IFREG | 0o755
