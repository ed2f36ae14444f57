"""``run --trace``: the plan's list, printed as it happens.

Layer ``cli``. Both sides write to the same descriptor, a line at a time, so
lines never mix (a write below PIPE_BUF is atomic, pipe(7)). The descriptor is
a copy of our stderr; it closes at execve like everything else.
"""

from __future__ import annotations

import os

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.steps import Call, Step


def printer(form: str) -> Callable[[int, Step, Call, str, float], None]:
    """A function that prints one call; ``form`` is "text" or "json"."""
    import fcntl

    fd = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 3)
    shown = _json if form == "json" else _text

    def show(number: int, step: Step, call: Call, outcome: str, microseconds: float) -> None:
        os.write(fd, shown(number, step, call, outcome, microseconds).encode(errors="replace"))

    return show


def _text(number: int, step: Step, call: Call, outcome: str, microseconds: float) -> str:
    side = "[init]" if step.side == "init" else "[host]"
    if not outcome:  # execve: whoever returns from it has failed
        return f"{number:3} {side} {call}\n"
    return f"{number:3} {side} {call} = {outcome} <{microseconds:.0f} us>\n"


def _json(number: int, step: Step, call: Call, outcome: str, microseconds: float) -> str:
    import json

    told = {
        "number": number,
        "side": step.side,
        "step": step.title,
        "syscall": call.name,
        "call": str(call),
        "result": outcome,
        "microseconds": round(microseconds, 1),
    }
    return json.dumps(told) + "\n"
