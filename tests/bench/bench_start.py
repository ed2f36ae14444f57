"""One container after another: how long a person waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from tests.bench.harness import Row, compare, in_turns, spend


def rows(contestants: dict[str, Any]) -> list[Row]:
    """run, exec, and the command line by itself."""
    return [run(contestants), execute(contestants), *command_line(contestants)]


def run(contestants: dict[str, Any]) -> Row:
    """A container that ends at once, with seccomp, capabilities and limits on."""
    acts: dict[str, Any] = {}
    for name, peer in contestants.items():
        if name == "runc":
            acts[name] = peer("run", "--bundle", peer.bundle("true", "/bin/true"), "minirun-bench-true")
        else:
            acts[name] = peer.run("true", flags=("--rm",))
    bars = {"runc": 1.0, "podman": 0.35}
    return compare("`run --rm --network none busybox true`", in_turns(acts, 30), bars)


def execute(contestants: dict[str, Any]) -> Row:
    """One more program in a container that runs."""
    running = {name: peer.start() for name, peer in contestants.items()}
    try:
        acts = {name: peer("exec", running[name], "true") for name, peer in contestants.items()}
        return compare("`exec ID true`", in_turns(acts, 20))
    finally:
        for name, id in running.items():
            contestants[name].remove(id)


def command_line(contestants: dict[str, Any]) -> list[Row]:
    """What does not touch a container, beside an interpreter that does nothing."""
    minirun = contestants["minirun"]
    found = []
    for words in (("--help",), ("version",), ("ps",)):
        acts: dict[str, Callable[[], float]] = {
            "minirun": lambda words=words: spend(minirun(*words)),
            "`python -c pass`": lambda: spend([sys.executable, "-c", "pass"]),
        }
        found.append(compare(f"`{' '.join(words)}`", in_turns(acts, 20)))
    return found
