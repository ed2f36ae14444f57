"""The look for leaks sees what is left, and only then lets a test fail."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import leaks
from tests.conftest import Minirun
from tests.needs import needs


@needs("root", "overlay")
def test_a_running_container_is_seen_and_a_removed_one_is_not(
    minirun: Minirun, test_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its monitor, its program and its cgroups are found; after rm -f nothing is."""
    look = leaks.Look((str(test_dir),))
    minirun("run", "-d", "--name", "left", "--network", "none", "busybox", "sleep", "1000", check=True)
    pid = minirun("inspect", "-f", "{{.state.pid}}", "left", check=True).stdout.strip()
    monkeypatch.setattr(leaks, "PATIENCE", 0.1)
    left = look.left()
    assert f"process {pid} sleep 1000" in left
    assert any(one.startswith("process") and "minirun:[monitor]" in one for one in left)
    assert any(one.startswith("cgroup") for one in left)
    monkeypatch.undo()
    minirun("rm", "-f", "left", check=True)
    assert look.left() == set()


def test_a_child_that_nobody_reaps_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zombie is a leak too."""
    look = leaks.Look(("/nowhere",))
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        monkeypatch.setattr(leaks, "PATIENCE", 0.0)
        left = [one.split() for one in look.left()]  # at once; a cgroup may be one that others just make
        assert [one[:2] for one in left if one[0] == "process"] == [["process", str(child.pid)]]
