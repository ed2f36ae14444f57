"""A line of ``run --trace``."""

from __future__ import annotations

import json

from minirun.cli import trace
from minirun.linux import cgroup
from minirun.steps import HOST, Call, Step

ID = "0123456789abcdef" * 4
CALL = Call(cgroup.mkdir, f"/sys/fs/cgroup/minirun/{ID}")
STEP = Step("make the cgroup", CALL, why="", side=HOST)


def test_a_file_gets_all_of_it() -> None:
    line = trace.as_text(7, STEP, CALL, "0", 1482.4)
    assert line == f'  7 host    1482 us  mkdir("/sys/fs/cgroup/minirun/{ID}") = 0'


def test_a_terminal_gets_what_fits() -> None:
    assert trace.as_text(7, STEP, CALL, "0", 3.0, 90).endswith(f'minirun/{ID[:12]}") = 0')
    line = trace.as_text(7, STEP, CALL, "0", 3.0, 50)
    assert len(line) == 50
    assert line.endswith("… = 0")


def test_a_long_reason_fits_too() -> None:
    """Of a call that failed, and of one that took long, the line is as wide as the terminal at most."""
    reason = (
        f"-1 cannot make the cgroup /sys/fs/cgroup/minirun/{ID}: there is one already, and it is another's"
    )
    line = trace.as_text(7, STEP, CALL, reason, 3.0, 90)
    assert (len(line), line[-1]) == (90, "…")
    assert len(trace.as_text(7, STEP, CALL, "0", 1e12, 60)) <= 60


def test_a_program_gets_it_in_parts() -> None:
    told = json.loads(trace.as_json(7, STEP, CALL, "0", 3.04))
    assert (told["number"], told["step"], told["syscall"]) == (7, "make the cgroup", "mkdir")
    assert (told["call"], told["result"], told["microseconds"]) == (str(CALL), "0", 3.0)
