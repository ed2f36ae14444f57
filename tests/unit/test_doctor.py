"""The doctor: every finding says what to do, and looking changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from minirun.cli import app
from minirun.container import doctor
from minirun.container.doctor import cgroups, installation, kernel, limits, rights, storage
from minirun.container.doctor.finding import FAIL, OK, WARN, Finding, existing, fail, ok, warn
from minirun.isolation import apparmor
from minirun.isolation.cgroups.layout import Layout
from minirun.linux.trial import TrialFailed, in_child
from minirun.vm import doctor as machines
from tests.needs import needs


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """This host, with empty directories for minirun's things."""
    place = tmp_path_factory.mktemp("doctor")
    return list(doctor.examine(f"{place}/root", f"{place}/state"))


def test_a_finding_has_a_fix_exactly_when_something_is_wrong(report: list[Finding]) -> None:
    assert {one.status for one in report} <= {OK, WARN, FAIL}
    for one in report:
        assert one.finding, one
        assert bool(one.fix) == (one.status != OK), one


def test_every_part_of_the_host_is_looked_at_once(report: list[Finding]) -> None:
    names = [one.name for one in report]
    assert len(names) == len(set(names))
    for kind in ("mount", "uts", "ipc", "pid", "network", "user", "cgroup", "time"):
        assert f"namespace {kind}" in names
    for controller in ("memory", "cpu", "cpuset", "pids", "io", "devices", "freezer"):
        assert f"cgroup {controller}" in names
    assert {"kernel", "root", "seccomp", "overlay", "images", "nftables", "leftovers"} <= set(names)


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    root, state = tmp_path / "root", tmp_path / "state"
    root.mkdir()
    mounts = Path("/proc/self/mountinfo").read_text()
    namespaces = {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")}
    list(doctor.examine(str(root), str(state)))
    assert list(tmp_path.rglob("*")) == [root]
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert {name: os.readlink(f"/proc/self/ns/{name}") for name in namespaces} == namespaces


@needs("root")
def test_another_user_is_told_to_be_root(tmp_path: Path) -> None:
    def child() -> dict[str, str]:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return {one.name: one.status for one in doctor.examine(str(tmp_path), str(tmp_path))}

    found = in_child(child)
    assert found["root"] == FAIL
    assert found["namespace mount"] == found["overlay"] == found["leftovers"] == WARN
    assert not any("could not be examined" in name for name in found)


def test_which_apparmor_profile_containers_get(monkeypatch: pytest.MonkeyPatch) -> None:
    def row() -> tuple[str, str, str]:
        (found,) = rights.apparmor_profiles("", "")
        return found.status, found.finding, found.fix

    monkeypatch.setattr(rights, "enabled", lambda: False)
    assert row()[0] == OK
    assert "without a profile" in row()[1]
    monkeypatch.setattr(rights, "enabled", lambda: True)
    monkeypatch.setattr(apparmor, "lacking", lambda: ("no parser", "get one"))
    assert row() == (
        WARN,
        "on, but no parser: containers run without a profile, unless one is named",
        "get one",
    )
    monkeypatch.setattr(apparmor, "lacking", lambda: None)
    monkeypatch.setattr(rights, "profiles", lambda: {"a": "enforce", "c": "enforce"})
    status, finding, _ = row()
    assert status == OK
    assert finding.endswith(f"{apparmor.DEFAULT}, which the first one loads; loaded are 2 enforce")
    monkeypatch.setattr(rights, "profiles", lambda: {apparmor.DEFAULT: "enforce", "a": "complain"})
    assert row()[1].endswith(f"{apparmor.DEFAULT}, in mode enforce; loaded are 1 complain, 1 enforce")
    monkeypatch.setattr(rights, "profiles", lambda: None)
    assert row()[1].endswith(f"{apparmor.DEFAULT}; which ones are loaded takes root to see")


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(root: str, state: str) -> Iterator[Finding]:
        yield ok("first", "fine")
        raise OSError(5, "the disk\nis gone")

    monkeypatch.setattr(doctor, "CHECKS", (broken,))
    first, second = doctor.examine("/nowhere", "/nowhere")
    assert first.status == OK
    assert second.status == FAIL
    assert "the disk is gone" in second.finding


@pytest.mark.parametrize(
    ("statuses", "code"), [([OK, OK], 0), ([OK, WARN], 0), ([WARN, FAIL, OK], 1)], ids=["ok", "warn", "fail"]
)
def test_the_command_ends_with_1_where_something_fails(
    statuses: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make = {
        OK: lambda name: ok(name, "good"),
        WARN: lambda n: warn(n, "bad", "x"),
        FAIL: lambda n: fail(n, "b", "y"),
    }
    findings = [make[status](f"check {number}") for number, status in enumerate(statuses)]
    monkeypatch.setattr(doctor, "examine", lambda root, state: iter(findings))
    monkeypatch.setattr(machines, "examine", lambda root: iter(()))
    assert app.run_app(["doctor", "--format", "json"]) == code
    assert [row["status"] for row in json.loads(capsys.readouterr().out)] == statuses
    assert app.run_app(["doctor"]) == code
    assert capsys.readouterr().out.splitlines()[0].split() == ["CHECK", "STATUS", "FINDING", "FIX"]


@pytest.mark.parametrize(
    ("release", "status"),
    [
        ("5.10.0-30-amd64", FAIL),
        ("5.11-rc1", FAIL),
        ("5.12.0", OK),
        ("6.1.0-18-amd64", OK),
        ("7.0", OK),
        ("4.19.12", FAIL),
    ],
)
def test_the_age_of_the_kernel(release: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = os.uname_result(("Linux", "host", release, "#1", "x86_64"))
    monkeypatch.setattr(os, "uname", lambda: told)
    (one,) = kernel.version("", "")
    assert (one.status, one.finding) == (status, f"Linux {release}")


def test_where_a_controller_sits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    here = Layout(v2="/tree", v2_controllers=("cpu",), v1={"blkio": "/v1/blkio"})
    monkeypatch.setattr(cgroups, "layout", lambda: here)
    found = {one.name.removeprefix("cgroup "): one for one in cgroups.each("", "")}
    assert found["cpu"].finding == "v2 at /tree"
    assert found["io"].finding == "v1 at /v1/blkio"
    assert found["devices"].finding == "v2, by an eBPF program, at /tree"
    assert found["freezer"].status == OK
    assert found["memory"].status == WARN
    assert "--memory-swap" in found["memory"].finding
    assert "cgroup_enable=memory" in found["memory"].fix


@pytest.mark.parametrize(
    ("here", "status", "shape"),
    [
        (Layout(v2="/a"), OK, "pure v2"),
        (Layout(v2="/a", v1={"cpu": "/b"}), WARN, "hybrid"),
        (Layout(v1={"cpu": "/b"}), WARN, "v1 only"),
        (Layout(), FAIL, "no cgroups"),
    ],
)
def test_the_shape_of_the_cgroups(
    here: Layout, status: str, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "layout", lambda: here)
    (one,) = cgroups.unified("", "")
    assert (one.status, shape in one.finding) == (status, True)


def test_little_space_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def found(free_mib: int) -> list[str]:
        real = os.statvfs(tmp_path)
        told = os.statvfs_result((4096, 4096, 0, 0, free_mib * 256, 1000, 1000, 1000, 0, 255, real.f_fsid))
        with monkeypatch.context() as patch:
            patch.setattr(os, "statvfs", lambda path: told)
            return [one.status for one in storage.space(str(tmp_path), "/run")]

    assert found(100_000) == [OK, OK]
    assert found(500) == [WARN, OK]
    assert found(0) == [FAIL, FAIL]


def test_few_open_files_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "get_limit", lambda which: (1024, 1024))
    (one,) = limits.files("", "")
    assert (one.status, "1024" in one.finding) == (WARN, True)


@needs("root")
def test_a_container_that_was_cut_off_is_a_leftover(tmp_path: Path) -> None:
    (clean,) = installation.leftovers(str(tmp_path), str(tmp_path))
    assert clean.status == OK
    (tmp_path / "containers" / ("a" * 64)).mkdir(parents=True)
    (one,) = installation.leftovers(str(tmp_path), str(tmp_path))
    assert (one.status, one.fix) == (WARN, "minirun gc")
    assert "aaaaaaaaaaaa" in one.finding


def test_the_nearest_directory_that_exists(tmp_path: Path) -> None:
    assert existing(f"{tmp_path}/a/b/c") == str(tmp_path)


def test_a_trial_reports_what_the_child_raised() -> None:
    assert in_child(lambda: {"pid": os.getppid()}) == {"pid": os.getpid()}
    with pytest.raises(TrialFailed, match="No such file") as caught:
        in_child(lambda: os.stat("/no/such/file"))
    assert caught.value.errno == 2
    with pytest.raises(TrialFailed, match="said nothing"):
        in_child(lambda: os._exit(3))
