"""Many processes that do something at the same moment, for tests of what they share."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def together(count: int, work: Callable[[int], None]) -> list[bool]:
    """Calls ``work(n)`` in ``count`` forked children, let go at once; which of them did not raise."""
    gate, opener = os.pipe()
    pids = [_child(number, work, gate, opener) for number in range(count)]
    os.close(gate)
    os.close(opener)  # the end of the file is the signal
    return [os.waitpid(pid, 0)[1] == 0 for pid in pids]


def _child(number: int, work: Callable[[int], None], gate: int, opener: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.close(opener)
        os.read(gate, 1)
        work(number)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
