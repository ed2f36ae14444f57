"""A namespace that is bound to a file lives on without a process, until it is let go of."""

from __future__ import annotations

import os
from pathlib import Path

from minirun.linux import mount, namespace
from minirun.linux.mount import MountFlag
from minirun.linux.namespace import CloneFlag
from minirun.linux.trial import in_child
from tests.needs import needs


@needs("root")
def test_a_kept_namespace(tmp_path: Path) -> None:
    """The same one, which can be joined after its maker is gone; both ways may be gone twice."""
    path = str(tmp_path / "netns")

    def trial() -> list[object]:
        namespace.unshare(CloneFlag.NEWNS)
        mount.mount(None, "/", None, MountFlag.REC | MountFlag.PRIVATE, None)
        before = namespace.is_kept(path)
        home = namespace.inodes("self")["network"]
        made = in_child(lambda: _made(path))
        namespace.join(path, CloneFlag.NEWNET)
        joined = namespace.inodes("self")["network"]
        kept = namespace.is_kept(path)
        namespace.let_go(path)
        namespace.let_go(path)
        return [before, kept, joined == made, joined != home, namespace.is_kept(path), os.path.exists(path)]

    assert in_child(trial) == [False, True, True, True, False, False]


def _made(path: str) -> int:
    namespace.unshare(CloneFlag.NEWNET)
    namespace.keep("/proc/self/ns/net", path)
    return namespace.inodes("self")["network"]
