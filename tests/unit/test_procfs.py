"""What /proc says is read whatever a process has written there about itself. No root."""

from __future__ import annotations

from pathlib import Path

from minirun.linux import procfs
from minirun.linux.trial import in_child


def test_a_name_may_be_any_bytes() -> None:
    """A process chooses its own name, and must not be able to spoil who looks at it."""

    def child() -> list[str]:
        Path("/proc/self/comm").write_bytes(b"od\xffd")
        return [procfs.read("/proc/self/comm"), procfs.status()["Name"]]

    assert in_child(child) == ["od\ufffdd\n", "od\ufffdd"]
