"""Waiting in tests: ask again until it is so, and fail by name if it never is.

A test waits for what the kernel or another process announces to no one; what can
be waited on (a line, an end, a lock) is waited on instead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

#: Seconds. For a machine that is busy with other tests, and for the bed, which emulates its CPU;
#: who is quick is not waited for, and what hangs ends before pytest's own limit.
PATIENCE = 100.0 if os.environ.get("MINIRUN_BED") else 30.0
#: Seconds between two looks.
INTERVAL = 0.01

T = TypeVar("T")


def until(what: str, condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What ``condition`` gives as soon as that is true; fails the test, naming ``what``, if it never is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited for {seconds:g} s, and still not: {what}")
        time.sleep(INTERVAL)  # see above
    return found
