"""What cannot be done: what failed, why, what to do about it; and nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minirun.vm.kernel import kernels as kernels_of
from tests.conftest import Minirun
from tests.image.archives import Layout, configuration, entry, tar
from tests.needs import needs
from tests.unit import kernel_files
from tests.vm.conftest import running

pytestmark = needs("root", "overlay", "qemu-system-x86_64")

RUN = ("vm", "run")


def refused(minirun: Minirun, *words: str, code: int = 125, **options: object) -> str:
    """What ``vm run WORDS`` says on stderr, which is three lines: what, why, what to do."""
    before = running(minirun)
    done = minirun(*RUN, *words, **options)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert [line.strip().partition(":")[0] for line in said] == ["minirun", "why", "try"], done.stderr
    assert running(minirun) == before
    return done.stderr


@pytest.fixture
def empty(tmp_path: Path) -> Minirun:
    """The command, on a store without anything in it."""
    return Minirun(tmp_path / "root", tmp_path / "state")


@pytest.mark.parametrize("flag", ["--read-only", "--privileged", "--cap-add=ALL", "--pid=host", "--rm", "-d"])
def test_what_only_containers_have_is_refused_by_name(vm: Minirun, flag: str) -> None:
    assert flag.partition("=")[0] in refused(vm, flag, "busybox", "true")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "32m"], "too little"),
        (["-m", "0"], "give at least 96m"),
        (["--disk", "/etc"], "it is a directory"),
        (["--cpus", "0"], "--cpus"),
        (["--cpus", "1.5"], "--cpus"),
        (["--accel", "fast"], "auto, kvm or tcg"),
        (["--network", "bridge"], "none or user"),
        (["--kernel", "9.9.9-none"], "no such kernel: 9.9.9-none"),
        (["--kernel", "/etc/hostname"], "/etc/hostname"),
        (["--kernel", "/no/such/kernel"], "/no/such/kernel"),
        (["-v", "relative/path:/x"], "relative/path"),
        (["--name", "bad/name"], "bad/name"),
        (["--timeout", "soon"], "soon"),
    ],
)
def test_a_flag_that_makes_no_sense(vm: Minirun, words: list[str], said: str) -> None:
    assert said in refused(vm, *words, "busybox", "true")


def test_no_image(vm: Minirun) -> None:
    assert "nosuchimage" in refused(vm, "nosuchimage", "true")
    assert "/no/such/directory" in refused(vm, "--rootfs", "/no/such/directory", "true")
    assert "no command to run" in refused(vm, "--rootfs", "/")


def test_no_hypervisor(vm: Minirun) -> None:
    said = refused(vm, "--cold", "busybox", "true", env={"PATH": "/no/such/place"})
    assert "there is no QEMU" in said and "apt-get install qemu-system-x86" in said


def test_a_hypervisor_that_cannot_do_it(vm: Minirun, tmp_path: Path) -> None:
    """What it complains of is in the error."""
    fake = tmp_path / "qemu-system-x86_64"
    fake.write_text("#!/bin/sh\necho 'no such machine: q35' >&2; exit 1\n")
    fake.chmod(0o755)
    said = refused(vm, "--cold", "busybox", "true", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert "no such machine: q35" in said


def test_no_kernel_at_all(empty: Minirun) -> None:
    if kernels_of(str(empty.root)):
        pytest.skip("this machine has a kernel of its own that a guest could boot")
    said = refused(empty, "--rootfs", "/", "true")
    assert "there is no kernel to boot" in said and "minirun vm kernel fetch" in said


def test_a_kernel_without_the_drivers(empty: Minirun, tmp_path: Path) -> None:
    """Which drivers it lacks is said before anything boots."""
    files = {name: data for name, data in kernel_files.kernel_files().items() if "9p" not in name}
    (tmp_path / "cloud.deb").write_bytes(kernel_files.deb(files))
    empty("vm", "kernel", "fetch", "--deb", str(tmp_path / "cloud.deb"), check=True)
    said = refused(empty, "--kernel", kernel_files.RELEASE, "--rootfs", "/", "true")
    assert "9p" in said and kernel_files.RELEASE in said


def test_a_kernel_given_by_its_path(vm: Minirun, kernels: Path) -> None:
    """A vmlinux wherever it lies, with its modules beside it."""
    image = next(kernels.glob("[0-9]*/vmlinux"))
    done = vm(*RUN, "--cold", "--kernel", str(image), "busybox", "uname", "-r", check=True)
    assert done.stdout.strip() == image.parent.name


def test_an_image_for_another_architecture(vm: Minirun, tmp_path: Path) -> None:
    layer = tar(entry("bin", "dir"))
    config = configuration(layer, architecture="s390x")
    (tmp_path / "other.tar").write_bytes(Layout().add("other:1", layer, config=config).pack())
    vm("load", "-i", str(tmp_path / "other.tar"), check=True)
    try:
        assert "image other" in refused(vm, "other:1", "true")
    finally:
        vm("rmi", "other:1", check=True)


def test_kvm_where_there_is_none(vm: Minirun) -> None:
    if os.path.isdir("/sys/module/kvm_intel") or os.path.isdir("/sys/module/kvm_amd"):
        pytest.skip("this machine has KVM")
    assert "KVM cannot be used here" in refused(vm, "--accel", "kvm", "busybox", "true")
