"""What a whole `minirun run` imports, and what `--help` does.

The time itself is measured by tests/bench; an import that came in by accident
is found here, without a clock.
"""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import Minirun
from tests.needs import needs
from tests.unit.test_layers import TOO_DEAR

#: enum brings functools and collections: 3 ms; json and string bring re: 3 ms; signal brings enum.
_DEAR_TOGETHER = {"collections", "enum", "functools", "json", "signal", "string", "traceback"}


def imported(minirun: Minirun, *words: str) -> set[str]:
    """The modules that the command imports (python -X importtime), itself run for real."""
    program = "from minirun.cli import main; main()"
    command = [sys.executable, "-X", "importtime", "-c", program, *minirun.command(*words)[3:]]
    done = subprocess.run(
        command, env=minirun.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@needs("root", "overlay")
def test_a_run_imports_nothing_dear(minirun: Minirun) -> None:
    words = ["run", "--rm", "--network", "none", "-m", "64m", "--pids-limit", "100", "busybox", "true"]
    minirun(*words, check=True)  # compiles the default filter, if this store has none yet
    found = imported(minirun, *words)
    assert "minirun.container.create" in found
    # What the interpreter imports before our first line is not ours to save.
    before = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert found & (TOO_DEAR | _DEAR_TOGETHER) - set(before.stdout.split()) == set()


@needs("root")
def test_help_imports_no_command(minirun: Minirun) -> None:
    found = imported(minirun, "--help")
    assert "click" in found
    assert not {name for name in found if name.startswith(("minirun.container.create", "minirun.isolation"))}
    assert not {"minirun.cli.run", "minirun.cli.ps", "minirun.cli.doctor", "rich", "msgspec"} & found
