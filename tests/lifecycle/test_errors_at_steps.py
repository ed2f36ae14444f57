"""A step that fails: the container does not start, the error says why, nothing is left.

Without `minirun gc`: here nobody was killed, so whoever failed cleans up.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from minirun.container.options import Options
from minirun.container.state import Store
from minirun.values import replace
from tests.lifecycle import attempts
from tests.lifecycle.test_faults import bystander, marks, store  # noqa: F401  (fixtures)
from tests.needs import needs

pytestmark = needs("root", "overlay", "userns", "timens", "memory", "cpu", "cpuset", "io", "pids")

#: Before a step with each errno; after it (its calls are made, and must be undone) with one.
FAILURES = [
    ("before", errno.ENOSPC),
    ("before", errno.EPERM),
    ("before", errno.ENOMEM),
    ("after", errno.ENOSPC),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "moment", "error"),
    [(attempts.everything, *failure) for failure in FAILURES] + [(attempts.plain, *FAILURES[-1])],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else getattr(value, "__name__", value),
)
def test_a_failing_step_fails_the_start(
    store: Store,
    bystander: int,
    marks: Path,
    kind: Callable[[Path], Options],
    moment: str,
    error: int,
) -> None:
    """Each step of the plan, one by one."""
    walk_failing(store, replace(kind(marks), rm=True), marks, moment, error)


def walk_failing(store: Store, options: Options, marks: Path, moment: str, error: int) -> None:
    """Fails each step of the plan, and looks for what is left."""
    plan = attempts.plan_of(store, options)
    clean = attempts.traces(store)
    wrong = []
    for number, step in enumerate(plan, 1):
        if (number, moment) == (len(plan), "after"):
            continue  # execve(2) does not come back
        ended = attempts.failing(store, options, number, moment, error)
        left = attempts.traces(store) - clean
        what = f"{moment} {number} ({step.side}: {step.title})"
        if (ended.reached, ended.code) != (True, 125):
            wrong.append(f"{what}: {ended}")
        if not is_clear(ended.said, step.title, error):
            wrong.append(f"{what}: unclear: {ended.said!r}")
        if left:
            wrong.append(f"{what}: left {sorted(left)}")
        if (marks / "ran").exists():
            wrong.append(f"{what}: the program ran")
            (marks / "ran").unlink()
    assert not wrong, "\n".join(wrong)


def is_clear(said: str, title: str, error: int) -> bool:
    """What failed, why, and what to do: a line each, and not a word more."""
    lines = said.splitlines()
    return (
        len(lines) == 3
        and without_ids(lines[0]) == without_ids(f"cannot {title}")
        and lines[1].startswith("  why: ")
        and errno.errorcode[error] in lines[1]
        and lines[2].startswith("  try: ")
    )


def without_ids(text: str) -> str:
    """An anonymous volume has another name each time."""
    return re.sub("[0-9a-f]{64}", "ID", text)
