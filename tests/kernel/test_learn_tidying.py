"""``minirun learn reset``: what of a chapter is on the machine is found, by whichever path."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from minirun.learn import tidying
from minirun.linux.mount import MountFlag, mount
from minirun.linux.namespace import CloneFlag, unshare
from minirun.linux.trial import in_child
from tests.needs import needs

pytestmark = needs("root")
GONE = 4194305  # more than a pid can be


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chapter's folder below a link, as where /home is one."""
    (tmp_path / "real" / "10-runtime" / "rootfs").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    return tmp_path / "link" / "10-runtime"


def test_a_mount_behind_a_link_is_seen(folder: Path) -> None:
    """To remove the folder would be to remove what is mounted in it."""

    def child() -> list[str]:
        unshare(CloneFlag.NEWNS)
        mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        mount("none", str(folder / "rootfs"), "tmpfs", MountFlag(0), None)
        return tidying.mounted(folder)

    assert in_child(child) == [str(folder.resolve() / "rootfs")]


def test_a_process_behind_a_link_is_seen(folder: Path) -> None:
    """It stands in the folder; the kernel knows that by its true name only."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=folder) as standing:
        assert tidying.processes(folder) == [standing.pid]


def test_what_a_runtime_keeps_of_its_bundle_goes_with_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chapter 10's state, by the bundle in it; another's bundle is another's, and so is what is no state."""
    state = tmp_path / "state"
    for name, text in (
        ("ours", json.dumps({"bundle": str(folder)})),
        ("theirs", json.dumps({"bundle": str(tmp_path)})),
        ("strange", "[]"),
        ("broken", "{"),
    ):
        (state / name).mkdir(parents=True)
        (state / name / "state.json").write_text(text)
    monkeypatch.setattr(tidying, "STATE", str(state))
    assert tidying.tidy(folder) == [f"removed {state}/ours"]
    assert sorted(one.name for one in state.iterdir()) == ["broken", "strange", "theirs"]


def test_directories_of_dead_programs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chapter 06's, named after the program that made them."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in (f"minirun-learn-{GONE}-x", f"minirun-learn-{os.getpid()}-x", "minirun-learn-03"):
        (tmp_path / name / "upper").mkdir(parents=True)
    (tmp_path / f"minirun-learn-{GONE}-link").symlink_to("/")
    (tmp_path / f"minirun-learn-{GONE}-theirs").mkdir()
    os.chown(tmp_path / f"minirun-learn-{GONE}-theirs", 65534, 65534)
    assert tidying.remove_directories() == [f"removed {tmp_path}/minirun-learn-{GONE}-x"]
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        [
            "minirun-learn-03",
            f"minirun-learn-{GONE}-link",
            f"minirun-learn-{GONE}-theirs",
            f"minirun-learn-{os.getpid()}-x",
        ]
    )


@needs("ip")
def test_the_machines_of_chapter_08_go() -> None:
    """Where a learner stopped half-way; those of others stay."""

    def child() -> tuple[list[str], list[str]]:
        unshare(CloneFlag.NEWNS)
        mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        mount("none", "/run", "tmpfs", MountFlag(0), None)
        for name in ("learn-box", "learn-world", "learning", "box"):
            subprocess.run(["ip", "netns", "add", name], check=True)
        Path("/run/netns/learn-host").touch()  # of one whose making failed
        done = tidying.remove_machines()
        assert tidying.remove_machines() == []
        return done, sorted(os.listdir("/run/netns"))

    done, left = in_child(child)
    assert done == [f"removed network namespace learn-{name}" for name in ("box", "host", "world")]
    assert left == ["box", "learning"]
