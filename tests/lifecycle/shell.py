"""minirun as somebody at a shell uses it: pipes, bytes, processes that go on.

The streams here are bytes and end where they end; nothing waits longer than PATIENCE.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

from tests.conftest import Minirun
from tests.patience import PATIENCE


def run(minirun: Minirun, *words: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    """``minirun run --rm --network none WORDS``; options as the fixture's."""
    return minirun("run", "--rm", "--network", "none", *words, **options)


def run_bytes(minirun: Minirun, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """``minirun WORDS`` with streams of bytes; options as subprocess.run's."""
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    if not {"stdout", "stderr"} & set(options):
        options["capture_output"] = True
    return subprocess.run(
        minirun.command(*words), env=minirun.environment, timeout=PATIENCE, check=False, **options
    )


def foreground(minirun: Minirun, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    """``minirun run --network none WORDS`` that goes on, its output to be read."""
    return watched(minirun, "run", "--network", "none", *words, **options)


def watched(minirun: Minirun, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    """``minirun WORDS`` that goes on; options as subprocess.Popen's, by default it gets no stdin."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Without a buffer on our side ``line`` takes one line, and leaves the rest to ``communicate``.
    return minirun.popen(*words, **{"bufsize": 0, **streams, **options})


def line(process: subprocess.Popen[bytes]) -> str:
    """The next line that ``process`` writes; what it complains of fails the test."""
    assert process.stdout
    found = process.stdout.readline().decode()
    if not found and process.stderr:
        raise AssertionError(f"no line, but: {process.communicate(timeout=PATIENCE)[1].decode()}")
    return found.rstrip("\n")


def end(process: subprocess.Popen[bytes]) -> int:
    """Waits for ``process``; its exit code. The rest of its output is read and dropped."""
    process.communicate(timeout=PATIENCE)
    return process.returncode


def state(minirun: Minirun, name: str) -> str:
    """created, running, paused or stopped; "" when it is gone."""
    return minirun("inspect", "--format", "{{.state.status}}", name).stdout.strip()


def ids(minirun: Minirun) -> list[str]:
    """Every container there is, as `ps -aq` shows it."""
    return minirun("ps", "-aq", check=True).stdout.split()


def volumes(minirun: Minirun) -> set[str]:
    """Every volume of the store; other tests may have left some."""
    place = minirun.root / "volumes"
    return set(os.listdir(place)) if place.is_dir() else set()
