"""Who executes the guest's instructions: chosen by trying, and by trying again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from minirun.container.state import Store
from minirun.errors import Unsupported
from minirun.vm import accel, run
from minirun.vm.options import VmOptions
from tests.conftest import Minirun
from tests.needs import needs


def test_a_device_that_is_not_there_means_emulation(tmp_path: Path) -> None:
    assert "ENOENT" in accel.why_not(str(tmp_path / "kvm"))
    assert accel.choose("auto", str(tmp_path / "kvm")) == "tcg"


def test_a_device_that_is_not_kvms_means_emulation() -> None:
    assert "/dev/null" in accel.why_not("/dev/null")


@needs("kvm")
def test_kvm_without_a_processor_below_it_is_told_by_its_modules(tmp_path: Path) -> None:
    assert "kvm_intel" in accel.why_not(modules=str(tmp_path))
    (tmp_path / "kvm_amd").mkdir()
    assert accel.why_not(modules=str(tmp_path)) == ""


def test_kvm_that_was_asked_for_and_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="KVM cannot be used here"):
        accel.choose("kvm", str(tmp_path / "kvm"))


@needs("root", "qemu-system-x86_64")
def test_a_kvm_that_fails_at_the_boot_is_emulation_in_the_end(
    vm: Minirun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = shutil.which("qemu-system-x86_64")
    fake = tmp_path / "qemu-system-x86_64"
    fake.write_text(
        f'#!/bin/sh\ncase " $* " in *" kvm "*) echo no VMX >&2; exit 1;; esac\nexec {real} "$@"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(accel, "why_not", lambda *_: "")
    said: list[str] = []

    class Noted(run.Telling):
        def milestone(self, name: str, uptime: int) -> None:
            said.append(name)

    wish = VmOptions(image="busybox", command=("uname", "-s"), cold=True)
    assert run.run(Store(root=str(vm.root), state=str(vm.state)), wish, Noted()) == 0
    assert capfd.readouterr().out == "Linux\n"
    assert "emulated" in said


@needs("root", "qemu-system-x86_64")
def test_what_was_asked_for_is_not_replaced(
    vm: Minirun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "qemu-system-x86_64"
    fake.write_text("#!/bin/sh\necho no VMX >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(accel, "why_not", lambda *_: "")
    wish = VmOptions(image="busybox", command=("true",), cold=True, accel="kvm")
    with pytest.raises(run.DidNotComeUp, match="no VMX"):
        run.run(Store(root=str(vm.root), state=str(vm.state)), wish, run.Telling())
