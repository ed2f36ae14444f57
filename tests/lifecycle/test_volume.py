"""`minirun volume`: the volumes that outlive their containers."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Minirun
from tests.needs import needs


@needs("root", "overlay")
def test_a_volume_outlives_its_container_until_it_is_removed(minirun: Minirun) -> None:
    minirun(
        "run", "--name", "writer", "-v", "kept:/data", "busybox", "sh", "-c", "echo 1 >/data/x", check=True
    )
    listed = json.loads(minirun("volume", "ls", "--format", "json", check=True).stdout)
    volume = next(one for one in listed if one["name"] == "kept")
    assert volume["containers"] == ["writer"]
    assert Path(volume["path"], "x").read_text() == "1\n"

    refused = minirun("volume", "rm", "kept")
    assert refused.returncode == 125
    assert "used by writer" in refused.stderr

    minirun("rm", "writer", check=True)
    read = minirun("run", "--rm", "-v", "kept:/data", "busybox", "cat", "/data/x", check=True)
    assert read.stdout == "1\n"
    assert minirun("volume", "rm", "kept", check=True).stdout == "kept\n"
    assert "kept" not in minirun("volume", "ls", "-q", check=True).stdout.split()
    assert minirun("volume", "rm", "kept").returncode == 125
