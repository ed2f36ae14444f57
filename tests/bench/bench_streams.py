"""A gigabyte of a container's output, through whoever logs it, to /dev/null."""

from __future__ import annotations

from typing import Any

from tests.bench.harness import Row, compare, in_turns

ZEROS = ("dd", "if=/dev/zero", "bs=64k", "count=16384")


def rows(contestants: dict[str, Any]) -> list[Row]:
    """The whole run, with the log that is the default."""
    acts: dict[str, list[str]] = {
        name: contestants[name].run(*ZEROS, flags=("--rm",))
        for name in ("minirun", "podman")
        if name in contestants
    }
    return [compare("1 GiB of zeros through stdout", in_turns(acts, 3, warm=1), seconds=True)]
