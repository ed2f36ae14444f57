"""The command in a network namespace of its own, with a store of its own: the machine's stays as it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import Minirun


class Inside(Minirun):
    """``inside("run", ...)``; its network namespace goes with ``made``, and all interfaces with that."""

    place = ""
    """The path of the network namespace."""

    def command(self, *words: str) -> list[str]:
        # ip netns exec would hide the cgroups as well, below a /sys of its own.
        return ["nsenter", f"--net={self.place}", *super().command(*words)]

    def there(self, *words: str) -> str:
        """What a program says in the namespace."""
        entered = ["nsenter", f"--net={self.place}", *words]
        return subprocess.run(entered, capture_output=True, text=True, check=True).stdout

    def inspected(self, name: str) -> dict[str, Any]:
        """`inspect` of one container."""
        found: dict[str, Any] = json.loads(self("inspect", name, check=True).stdout)[0]
        return found


@contextmanager
def made(home: Path, busybox_archive: Path, kind: type[Inside]) -> Iterator[Any]:
    """A ``kind`` with busybox in its store below ``home``; all of it goes afterwards."""
    name = f"mr-{home.name}-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        one = kind(home / "root", home / "state")
        one.place = f"/run/netns/{name}"
        one.there("ip", "link", "set", "lo", "up")
        one("load", "-i", str(busybox_archive), check=True)
        yield one
        one.remove_all()
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
        shutil.rmtree(home, ignore_errors=True)
