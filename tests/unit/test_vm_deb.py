"""A Debian package, read without dpkg; damaged and hostile ones too."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minirun.errors import InvalidInput, MinirunError
from minirun.vm.deb import open_package
from minirun.vm.kernel_fetch import fetch
from tests.unit import kernel_files
from tests.unit.kernel_files import RELEASE
from tests.unit.kernel_files import kernel_files as good_files


def contents(path: Path) -> dict[str, bytes]:
    """The plain files of a package."""
    with open_package(str(path)) as package:
        archive = package.files()
        return {
            entry.name: b"".join(piece for _, piece in archive.data(entry))
            for entry in archive
            if entry.isreg()
        }


@pytest.mark.parametrize("compression", ["none", "gzip", "xz", "zstd"])
def test_files_and_fields(tmp_path: Path, compression: str) -> None:
    """Whatever the members are compressed with."""
    path = tmp_path / "a.deb"
    path.write_bytes(kernel_files.deb({"./a": b"1" * 5000, "./b/c": b""}, compression, Version="7"))
    assert contents(path) == {"./a": b"1" * 5000, "./b/c": b""}
    with open_package(str(path)) as package:
        assert package.fields["Version"] == "7" and package.fields["Architecture"] == "amd64"


def test_a_package_of_dpkgs(tmp_path: Path) -> None:
    """What dpkg-deb builds is read as it is."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("this machine lacks: dpkg-deb")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: m\nDescription: d\n more: of it\n"
    )
    (tree / "file").write_bytes(b"content")
    build = ["dpkg-deb", "--build", "--root-owner-group", tree, tmp_path / "a.deb"]
    subprocess.run(build, check=True, capture_output=True)
    assert contents(tmp_path / "a.deb") == {"./file": b"content"}


GOOD = kernel_files.deb(good_files(), "gzip")
MEMBERS = {"debian-binary": b"2.0\n", "control.tar": kernel_files.tar({"./control": b"Architecture: all\n"})}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "does not begin as an ar archive"),
        (b"text", "does not begin as an ar archive"),
        (b"!<arch>\n", "without debian-binary"),
        (kernel_files.ar({"a.o": b"1"}), "without debian-binary"),
        (kernel_files.ar({"debian-binary": b"2.0\n"}), "no control.tar"),
        (
            kernel_files.ar({"debian-binary": b"", "control.tar": kernel_files.tar({"x": b""})}),
            "no control file",
        ),
        (GOOD[:-1000], "cut off"),
        (GOOD[:150], "cut off"),
        (GOOD[:30], "no header at byte 8"),
        (GOOD.replace(b"`\n", b"`!", 1), "no header at byte 8"),
        (kernel_files.ar({**MEMBERS, "data.tar.xz": b"\xfd7zXZ\0 and no more"}), "xz data is damaged"),
        (kernel_files.ar({**MEMBERS, "data.tar": b"no tar" * 1000}), "no tar header"),
        (kernel_files.ar({**MEMBERS, "data.tar": kernel_files.tar({"./boot/x": b"1"})[:1024]}), "truncated"),
    ],
)
def test_a_damaged_package(tmp_path: Path, content: bytes, says: str) -> None:
    """It is said what is wrong, and nothing of it stays."""
    path = tmp_path / "a.deb"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=says):
        contents(path)
    with pytest.raises(InvalidInput):
        fetch(str(tmp_path / "root"), deb=str(path))
    assert [*(tmp_path / "root/kernels").iterdir()] == []


def test_no_package_at_all(tmp_path: Path) -> None:
    """The path does not exist, is a directory, or a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    for path in ("/nonexistent.deb", str(tmp_path), str(tmp_path / "pipe")):
        with pytest.raises(InvalidInput, match=r"ENOENT|no regular file"):
            fetch(str(tmp_path / "root"), deb=path)


# --- what a kernel's package may hold -------------------------------------------


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """An entry that leads elsewhere."""
    entry = tarfile.TarInfo()
    entry.type, entry.linkname = kind, target
    return entry


def fetched(tmp_path: Path, changes: dict[str, bytes | tarfile.TarInfo]) -> Path:
    """The directory of the kernel, from a good package with ``changes`` before the rest."""
    path = tmp_path / "a.deb"
    path.write_bytes(kernel_files.deb({**changes, **good_files()}, "none"))
    kernel = fetch(str(tmp_path / "root"), deb=str(path))
    return Path(kernel.image).parent


def test_nothing_but_the_kernel_is_taken(tmp_path: Path) -> None:
    """Documentation, links and devices stay in the package."""
    home = fetched(
        tmp_path,
        {
            "./usr/share/doc/linux/copyright": b"text",
            "./etc/passwd": b"root",
            f"./lib/modules/{RELEASE}/build": link("/"),
            f"./lib/modules/{RELEASE}/kernel": link("/etc"),
            f"./lib/modules/{RELEASE}/passwd": link("/etc/passwd", tarfile.LNKTYPE),
            f"./lib/modules/{RELEASE}/null": link("", tarfile.CHRTYPE),
        },
    )
    assert {path.name for path in home.iterdir()} == {"vmlinux", "config", "kernel.json", "lib"}
    modules = {path.name for path in (home / "lib/modules" / RELEASE).iterdir()}
    assert modules >= {"kernel", "modules.alias", "modules.builtin", "modules.dep", "modules.softdep"}
    assert not {path.name for path in home.rglob("*")} & {"passwd", "null", "build", "copyright"}
    assert not any(path.is_symlink() for path in home.rglob("*"))


@pytest.mark.parametrize(
    "name",
    [
        "./lib/modules/../../../../x",
        f"./lib/modules/{RELEASE}/../../../../../x",
        f"./lib/modules/{RELEASE}/a//../x",
        f"./lib/modules/{RELEASE}/.hidden",
        f"./lib/modules/{RELEASE}/a\nkernel/b.ko: c.ko",
        f"./lib/modules/{RELEASE}/sp ace.ko",
        f"./lib/modules/{RELEASE}/\udcff.ko",
    ],
)
def test_a_name_that_no_kernel_has(tmp_path: Path, name: str) -> None:
    """A package with one is not unpacked, and nothing was written elsewhere."""
    with pytest.raises(InvalidInput, match="as no kernel has"):
        fetched(tmp_path, {name: b"text"})
    assert {path.name for path in tmp_path.rglob("*")} == {"a.deb", "root", "kernels"}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds no kernel"),
        ({"./usr/share/doc/x": b""}, "holds no kernel"),
        ({f"./boot/vmlinuz-{RELEASE}": kernel_files.bzimage(kernel_files.elf())}, "holds no modules"),
        ({f"./boot/vmlinuz-{RELEASE}": b"text"}, "is no kernel"),
        ({f"./boot/vmlinuz-{RELEASE}": kernel_files.bzimage(kernel_files.elf(pvh=False))}, "CONFIG_PVH"),
        ({f"./boot/vmlinuz-{RELEASE}": kernel_files.bzimage(kernel_files.elf(), bits=32)}, "32-bit"),
        ({f"./boot/vmlinuz-{RELEASE}": kernel_files.bzimage(kernel_files.elf())[:-90]}, "damaged or cut off"),
        ({**good_files(), "./boot/vmlinuz-8": kernel_files.bzimage(kernel_files.elf())}, "two kernels"),
    ],
)
def test_a_package_without_a_usable_kernel(
    tmp_path: Path, files: dict[str, bytes | tarfile.TarInfo], says: str
) -> None:
    """A metapackage, one of Ubuntu's without modules, a kernel that QEMU could not enter."""
    (tmp_path / "a.deb").write_bytes(kernel_files.deb(files))
    with pytest.raises(MinirunError, match=says):
        fetch(str(tmp_path / "root"), deb=str(tmp_path / "a.deb"))
    assert [*(tmp_path / "root/kernels").iterdir()] == []


def test_a_package_for_another_architecture(tmp_path: Path) -> None:
    """It is refused before its 400 MB are looked at."""
    (tmp_path / "a.deb").write_bytes(kernel_files.deb({}, Architecture="arm64"))
    with pytest.raises(MinirunError, match="for arm64, not for amd64"):
        fetch(str(tmp_path / "root"), deb=str(tmp_path / "a.deb"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.data())
def test_no_bytes_bring_it_down(tmp_path: Path, data: st.DataObject) -> None:
    """A package with some bytes changed and some cut off: a kernel, or an error that teaches."""
    good = data.draw(st.sampled_from([GOOD, kernel_files.deb(good_files(), "none")]))
    content = bytearray(good)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)))):
        content[place] = value
    path = tmp_path / "a.deb"
    path.write_bytes(content[: data.draw(st.sampled_from([len(good), data.draw(st.integers(0, len(good)))]))])
    root = tmp_path / "root"
    try:
        kernel = fetch(str(root), deb=str(path))
        shutil.rmtree(Path(kernel.image).parent)
    except MinirunError as error:
        assert error.what and error.why and error.remedy
    assert [*(root / "kernels").iterdir()] == []
    assert {path.name for path in tmp_path.iterdir()} <= {"a.deb", "root"}
