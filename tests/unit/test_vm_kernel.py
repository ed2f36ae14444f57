"""Which kernels there are, and which one a guest boots."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from minirun.errors import InvalidInput, MinirunError, NotFound, Unsupported, UsageError
from minirun.vm import kernel as kernels
from minirun.vm import kernel_fetch
from minirun.vm.modules import DRIVERS, REQUIRED, missing, needed
from tests.unit import kernel_files
from tests.unit.kernel_files import RELEASE


@pytest.fixture(autouse=True)
def no_host_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The place of the host's kernels: an empty one, so that the results do not depend on the machine."""
    monkeypatch.setattr(kernels, "HOST", (f"{tmp_path}/boot/vmlinuz-*",))
    (tmp_path / "boot").mkdir()
    return tmp_path / "boot"


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A store without kernels; brackets must not confuse a search for files."""
    return str(tmp_path / "root[1]")


def fetch(root: str, release: str = RELEASE, without: str = "", **image: str) -> kernels.Kernel:
    """A kernel from a package made for the test, without the modules whose path contains ``without``."""
    files = kernel_files.kernel_files(release, **image)
    package = Path(f"{root}.deb")
    package.write_bytes(
        kernel_files.deb(
            {name: data for name, data in files.items() if not without or without not in name}, "gzip"
        )
    )
    return kernel_fetch.fetch(root, deb=str(package))


def test_a_fetched_kernel(root: str) -> None:
    """Its files lie where it says, and its modules are ready to be loaded."""
    kernel = fetch(root)
    assert kernel == kernels.find(root) == kernels.find(root, RELEASE) == kernels.kernels(root)[0]
    assert kernel.release == RELEASE and kernel.origin == "fetched"
    assert Path(kernel.image).read_bytes() == kernel_files.elf()
    assert missing(kernel, DRIVERS) == ["virtio_net", "virtio_blk"]
    for path in needed(kernel, [*REQUIRED]):
        assert b"signature" not in Path(path).read_bytes()
    assert "CONFIG_PVH=y" in (Path(kernel.image).parent / "config").read_text()


def test_a_kernel_is_not_fetched_twice(root: str) -> None:
    """What is there stays as it is."""
    first = fetch(root)
    Path(first.modules, "mark").touch()
    assert fetch(root) == first
    assert Path(first.modules, "mark").exists()
    assert os.listdir(f"{root}/kernels") == [RELEASE]


def test_the_newest_comes_first(root: str) -> None:
    """By the value of the numbers; a release candidate before its release."""
    for release in ("6.1.0-9-amd64", "6.1.0-10-amd64", "6.2.0-rc1-amd64", "6.2.0", "5.10.0-99-amd64"):
        fetch(root, release)
    found = [kernel.release for kernel in kernels.kernels(root)]
    assert found == ["6.2.0", "6.2.0-rc1-amd64", "6.1.0-10-amd64", "6.1.0-9-amd64", "5.10.0-99-amd64"]


def test_a_kernel_with_the_drivers_is_preferred(root: str) -> None:
    """A cloud kernel has no 9p, however new it is."""
    fetch(root, "6.9-cloud", without="9p")
    fetch(root, "6.1-full")
    assert kernels.find(root).release == "6.1-full"
    assert kernels.find(root, "6.9-cloud").release == "6.9-cloud"


def test_no_kernel_has_the_drivers(root: str) -> None:
    """Each is told with what it lacks."""
    fetch(root, "6.9-cloud", without="9p")
    fetch(root, "6.8-small", without="overlay")
    with pytest.raises(Unsupported) as caught:
        kernels.find(root)
    assert caught.value.why == "6.9-cloud lacks 9p, 9pnet_virtio; 6.8-small lacks overlay"
    assert caught.value.remedy == "minirun vm kernel fetch"


def test_no_kernel_at_all(root: str) -> None:
    """What, why, and what to do."""
    with pytest.raises(NotFound, match=r"(?s)no kernel to boot.*why:.*try: minirun vm kernel fetch"):
        kernels.find(root)


def test_an_unknown_release(root: str) -> None:
    """Those that there are, are named."""
    fetch(root)
    with pytest.raises(NotFound, match=f"(?s)no such kernel: 5.9.*{RELEASE}"):
        kernels.find(root, "5.9")


def test_removal(root: str) -> None:
    """Only what was fetched, only under its name, and all of it."""
    fetch(root)
    for wrong in ("", ".", "..", "5.9", f"../kernels/{RELEASE}", ".cache"):
        with pytest.raises(NotFound):
            kernels.remove(root, wrong)
    kernels.remove(root, RELEASE)
    assert os.listdir(f"{root}/kernels") == []
    with pytest.raises(NotFound):
        kernels.remove(root, RELEASE)


# --- the host's, and files that are given ---------------------------------------


def install(boot: Path, release: str = "6.5-host", pvh: bool = True) -> Path:
    """A kernel as a distribution installs it, with its modules beside it."""
    path = boot / f"vmlinuz-{release}"
    path.write_bytes(kernel_files.bzimage(kernel_files.elf(release, pvh), release=release))
    (boot / f"config-{release}").write_text("".join(f"{option}=y\n" for option in REQUIRED.values()))
    return path


def test_the_hosts_kernel(root: str, no_host_kernels: Path) -> None:
    """It is found after those that were fetched, and unpacked once."""
    path = install(no_host_kernels)
    (no_host_kernels / "vmlinuz-old").symlink_to("/nonexistent")
    (no_host_kernels / "vmlinuz-arm").write_bytes(b"MZ" + bytes(54) + b"ARM\x64" + bytes(900))
    assert [(k.release, k.origin, k.image) for k in kernels.kernels(root)] == [
        ("6.5-host", "host", str(path))
    ]
    kernel = kernels.find(root)
    assert kernel.image.startswith(f"{root}/kernels/.cache/") and missing(kernel, REQUIRED) == []
    assert Path(kernel.image).read_bytes() == kernel_files.elf("6.5-host")
    written = os.stat(kernel.image).st_mtime_ns
    assert kernels.find(root, "6.5-host") == kernel and os.stat(kernel.image).st_mtime_ns == written
    fetch(root)
    assert [k.origin for k in kernels.kernels(root)] == ["fetched", "host"]


def test_what_was_unpacked_goes_with_its_file(root: str, no_host_kernels: Path) -> None:
    """A kernel that the host no longer has leaves nothing behind for long."""
    path = install(no_host_kernels)
    kernel = kernels.find(root)
    assert kernel_fetch.sweep(root) == []
    path.unlink()
    assert kernel_fetch.sweep(root) == [os.path.dirname(kernel.image)]
    assert not os.path.exists(kernel.image)


def test_a_given_bzimage(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its modules are those beside it, else those that were fetched for its release."""
    path = install(tmp_path, RELEASE)
    assert kernels.find(root, str(path)).modules == ""
    fetch(root)
    given = kernels.find(root, str(path))
    assert given.origin == "given" and given.modules == kernels.find(root, RELEASE).modules
    shutil.copytree(given.modules, tmp_path / "lib/modules" / RELEASE)
    monkeypatch.chdir(tmp_path)
    assert kernels.find(root, f"./{path.name}").modules == str(tmp_path / "lib/modules" / RELEASE)


def test_a_given_elf_file(root: str, tmp_path: Path) -> None:
    """It is booted where it lies."""
    path = tmp_path / "vmlinux"
    path.write_bytes(kernel_files.elf("7.0"))
    assert kernels.find(root, str(path)) == kernels.Kernel(release="7.0", image=str(path), origin="given")


def test_without_a_pvh_entry(root: str, tmp_path: Path) -> None:
    """QEMU takes the bzImage, which unpacks itself; the ELF file alone it does not."""
    path = install(tmp_path, pvh=False)
    assert kernels.find(root, str(path)).image == str(path)
    path.write_bytes(kernel_files.elf(pvh=False))
    with pytest.raises(Unsupported, match="PVH"):
        kernels.find(root, str(path))


def test_files_that_are_no_kernel(root: str, tmp_path: Path) -> None:
    """Missing, a directory, a pipe that nobody writes to, text, half a kernel."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("vmlinuz")
    (tmp_path / "half").write_bytes(kernel_files.bzimage(kernel_files.elf())[:2800])
    for name in ("missing", ".", "pipe", "text", "half", "text/x"):
        with pytest.raises(InvalidInput) as caught:
            kernels.find(root, f"{tmp_path}/{name}")
        assert caught.value.why and caught.value.remedy
    assert not os.path.exists(f"{root}/kernels/.cache")


# --- fetching without a network -------------------------------------------------


@pytest.mark.parametrize(
    "package", ["", "-o=x", "linux-image-", "bash", "linux-image-x; ls", "../linux-image-a"]
)
def test_what_is_no_kernel_package(root: str, package: str) -> None:
    """It does not get as far as a command line."""
    with pytest.raises(UsageError):
        kernel_fetch.fetch(root, package)


def test_no_apt(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another distribution there is still --deb."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unsupported, match=r"(?s)no apt.*--deb FILE"):
        kernel_fetch.fetch(root)
    assert os.listdir(f"{root}/kernels") == []


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    """What, why and what to do, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(MinirunError, match=r"(?s)cannot store the kernel.*ENOTDIR"):
        kernel_fetch.fetch(str(tmp_path / "file/root"), deb="/nonexistent")
