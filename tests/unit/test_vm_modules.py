"""The drivers of a guest: which files, in which order, and what a module says of itself."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from minirun.errors import InvalidInput, Unsupported
from minirun.vm import module_file, module_index, modules
from minirun.vm.kernel import Kernel
from tests.unit import kernel_files


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel with modules, indexed by ourselves."""
    for path, depends in kernel_files.MODULES.items():
        file = tmp_path / "modules" / "kernel" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(kernel_files.signed(kernel_files.module(f"depends={depends}")))
    said = {
        f"kernel/{path}": {"depends": [depends], "alias": ["some:thing*"], "softdep": ["pre: crc32c"]}
        for path, depends in kernel_files.MODULES.items()
    }
    module_index.write(str(tmp_path / "modules"), said)
    (tmp_path / "modules" / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    return Kernel(release="6.1", image=str(tmp_path / "vmlinux"), modules=str(tmp_path / "modules"))


def names(paths: list[str]) -> list[str]:
    """The names of the modules in some files."""
    return [module_index.name_of(path) for path in paths]


def test_what_a_module_needs_is_loaded_before_it(kernel: Kernel) -> None:
    """For every module and each that it depends on; none is loaded twice."""
    found = names(modules.needed(kernel, list(modules.REQUIRED)))
    assert set(modules.REQUIRED) <= set(found) and len(found) == len(set(found))
    for path, depends in kernel_files.MODULES.items():
        name = module_index.name_of(path)
        for other in filter(None, depends.split(",")) if name in found else ():
            assert found.index(other) < found.index(name)


def test_the_files_are_there(kernel: Kernel) -> None:
    """They are paths, below the directory of the modules."""
    assert all(Path(path).is_file() for path in modules.needed(kernel, ["9p"]))


def test_a_dash_is_an_underscore(kernel: Kernel) -> None:
    """virtio-rng.ko holds the module virtio_rng."""
    for name in ("virtio-rng", "virtio_rng"):
        assert names(modules.needed(kernel, [name])) == ["virtio_ring", "virtio", "virtio_rng"]


def test_what_is_built_in_needs_no_file(kernel: Kernel) -> None:
    """ext4 stands in modules.builtin."""
    assert names(modules.needed(kernel, ["ext4", "overlay"])) == ["overlay"]


def test_every_missing_driver_is_named(kernel: Kernel) -> None:
    """Not only the first, and with what to do."""
    with pytest.raises(Unsupported, match="virtio_blk, nbd") as caught:
        modules.needed(kernel, ["9p", "virtio_blk", "nbd"])
    assert "minirun vm kernel fetch" in caught.value.remedy


def test_depmods_own_file_is_understood(kernel: Kernel) -> None:
    """It lists all that is needed, the nearest first, and modules may be compressed."""
    lines = "kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz\nkernel/b.ko.xz: kernel/c.ko.xz\nkernel/c.ko.xz:\n"
    Path(kernel.modules, "modules.dep").write_text(lines)
    assert names(modules.needed(kernel, ["a"])) == ["c", "b", "a"]


def test_modules_that_need_each_other_do_not_hang(kernel: Kernel) -> None:
    """A damaged modules.dep gives an order, not a loop."""
    Path(kernel.modules, "modules.dep").write_text("a.ko: b.ko\nb.ko: a.ko\n")
    assert names(modules.needed(kernel, ["a"])) == ["b", "a"]


def test_the_index_is_as_depmods(kernel: Kernel) -> None:
    """modules.dep with what has to be loaded first at the end; aliases and soft dependencies."""
    text = Path(kernel.modules, "modules.dep").read_text()
    assert "kernel/fs/overlayfs/overlay.ko:\n" in text
    line = next(line for line in text.splitlines() if line.startswith("kernel/fs/9p/9p.ko: "))
    assert line.split()[1:].index("kernel/fs/fscache/fscache.ko") < line.split()[1:].index(
        "kernel/fs/netfs/netfs.ko"
    )
    assert "alias some:thing* virtio_rng\n" in Path(kernel.modules, "modules.alias").read_text()
    assert "softdep 9p pre: crc32c\n" in Path(kernel.modules, "modules.softdep").read_text()


NAMES = st.sampled_from("abcdefgh")


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4), max_size=8))
def test_the_order_holds_for_any_modules(needs: Mapping[str, list[str]]) -> None:
    """Each is there once and after those it needs, unless they need it in turn."""

    def reach(name: str) -> set[str]:
        found: set[str] = set()
        left = [name]
        while left:
            new = set(needs.get(left.pop(), ())) - found
            found |= new
            left += new
        return found

    for name in needs:
        order = module_index.closure(name, needs)[::-1]
        assert sorted(order) == sorted(reach(name) - {name})
        for place, one in enumerate(order):
            for other in needs.get(one, ()):
                assert other in (*order[:place], one, name) or one in reach(other)


# --- a kernel without modules ---------------------------------------------------

BUILT_IN = "".join(f"{option}=y\n" for option in modules.REQUIRED.values())


def test_a_configuration_tells_what_is_built_in(tmp_path: Path) -> None:
    """Where there are no modules, the file beside the image does."""
    (tmp_path / "vmlinux").write_bytes(b"")
    (tmp_path / "config-6.9").write_text(BUILT_IN.replace("CONFIG_9P_FS=y", "CONFIG_9P_FS=m"))
    kernel = Kernel(release="6.9", image=str(tmp_path / "vmlinux"))
    assert modules.missing(kernel, modules.DRIVERS) == ["9p", *modules.OPTIONAL]
    assert modules.needed(kernel, ["overlay"]) == []


def test_the_configuration_in_the_image(tmp_path: Path) -> None:
    """A kernel with CONFIG_IKCONFIG brings its own."""
    image = tmp_path / "vmlinux"
    image.write_bytes(b"code IKCFG_ST" + gzip.compress(BUILT_IN.encode()) + b"IKCFG_ED more code")
    assert modules.missing(Kernel(release="6.9", image=str(image)), modules.DRIVERS) == [*modules.OPTIONAL]


@pytest.mark.parametrize("content", [b"", b"IKCFG_ST\x1f\x8bnot gzip"])
def test_nobody_tells_what_is_built_in(tmp_path: Path, content: bytes) -> None:
    """Then nothing is taken for granted."""
    (tmp_path / "vmlinux").write_bytes(content)
    kernel = Kernel(release="6.9", image=str(tmp_path / "vmlinux"))
    assert modules.missing(kernel, modules.DRIVERS) == [*modules.DRIVERS]


# --- one module -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".ko", bytes),
        (".ko.xz", lzma.compress),
        (".ko.gz", gzip.compress),
        (".ko.zst", zstandard.ZstdCompressor().compress),
    ],
)
def test_a_module_is_read_plain(tmp_path: Path, suffix: str, pack: object) -> None:
    """Decompressed, and without its signature; a damaged one is refused."""
    module = kernel_files.module("name=a", "depends=b,c") + bytes(1000)
    path = tmp_path / f"a{suffix}"
    packed = pack(kernel_files.signed(module))
    path.write_bytes(packed)
    assert modules.read(str(path)) == module
    if suffix != ".ko":
        path.write_bytes(packed[:-9])
        with pytest.raises(InvalidInput, match="damaged"):
            modules.read(str(path))


@given(st.binary(max_size=200), st.binary(max_size=90), st.binary(max_size=9), st.binary(max_size=9))
def test_a_signature_is_cut_off(module: bytes, signature: bytes, signer: bytes, key: bytes) -> None:
    """With the name of the signer and of the key, if they are there."""
    signed = kernel_files.signed(module, signature, signer, key)
    assert module_file.without_signature(signed) == module


@pytest.mark.parametrize(
    "module",
    [
        b"",
        b"~Module signature appended~\n",
        kernel_files.signed(b"", b"x" * 90)[50:],
        b"code ~Module signature appended~",
    ],
)
def test_what_is_no_signature_stays(module: bytes) -> None:
    """One that would begin before the file does, or whose mark is not at the end."""
    assert module_file.without_signature(module) == module


def test_what_a_module_says() -> None:
    """Each key with all its values."""
    said = module_file.information(kernel_files.module("alias=a", "depends=x,y", "alias=b=c", "nonsense"))
    assert said == {"alias": ["a", "b=c"], "depends": ["x,y"]}


@given(st.data())
def test_no_bytes_bring_the_parser_down(data: st.DataObject) -> None:
    """A damaged module says something else, or nothing."""
    module = bytearray(kernel_files.module("depends=x"))
    for place in data.draw(st.lists(st.integers(0, len(module) - 1), max_size=20)):
        module[place] = data.draw(st.integers(0, 255))
    module_file.information(bytes(module[: data.draw(st.integers(0, len(module)))]))
