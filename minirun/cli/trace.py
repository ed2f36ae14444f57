"""``run --trace``: the plan's list, printed as it happens.

Layer ``cli``. Two processes write: the host side and [init], each with a copy
of our stderr, which closes at execve like everything else. A line is written
under a lock, for only up to PIPE_BUF bytes does a pipe keep them together by
itself (pipe(7)). What stands above the program's own output in a terminal is
cut to its width; in a pipe or a file, and as JSON, it is whole.
"""

from __future__ import annotations

# All of them here: when the first line is printed there may be a container's files only.
import fcntl
import json
import os
import re

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.steps import Call, Step

#: Digits of an id or a digest in a terminal; all 64 of them say no more.
_SHORT = 12


def printer(form: str) -> Callable[[int, Step, Call, str, float], None]:
    """A function that prints one call; ``form`` is "text" or "json"."""
    fd = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 3)
    lock = os.memfd_create("minirun-trace")
    columns = os.get_terminal_size(fd).columns if os.isatty(fd) else 0

    def show(number: int, step: Step, call: Call, outcome: str, microseconds: float) -> None:
        if form == "json":
            line = as_json(number, step, call, outcome, microseconds) + "\n"
        elif columns:
            # The terminal may be raw already: then nobody adds the \r.
            line = as_text(number, step, call, outcome, microseconds, columns) + "\r\n"
        else:
            line = as_text(number, step, call, outcome, microseconds) + "\n"
        _write(fd, lock, line.encode(errors="replace"))

    return show


def _write(fd: int, lock: int, line: bytes) -> None:
    """Writes ``line`` with nothing of the other process in it; a reader who left is no error.

    A lock of fcntl(2) is the process's own, and goes with it if it is killed.
    """
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        try:
            while line:
                line = line[os.write(fd, line) :]
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN)
    except OSError:
        # Looking on must not change what happens: not when nobody reads any more,
        # and not when the syscall filter of the container forbids the looking.
        return


def as_text(number: int, step: Step, call: Call, outcome: str, microseconds: float, columns: int = 0) -> str:
    """``  7 host    1482 us  clone3(...) = 29948``, in ``columns`` if that is not 0."""
    took = f"{microseconds:.0f} us" if outcome else ""  # execve: whoever returns from it has failed
    head = f"{number:3} {step.side:4} {took:>10}  "
    tail = f" = {outcome}" if outcome else ""
    shown = str(call)
    if columns:
        shown = _shortened(shown, max(columns - len(head) - len(tail), 20))
    line = head + shown + tail
    return _shortened(line, columns) if columns else line  # a failure's reason may be long itself


def _shortened(text: str, room: int) -> str:
    """``text`` with short ids and digests, cut to ``room`` characters."""
    text = re.sub(f"([0-9a-f]{{{_SHORT}}})[0-9a-f]{{{64 - _SHORT}}}", r"\1", text)
    return text if len(text) <= room else text[: room - 1] + "…"


def as_json(number: int, step: Step, call: Call, outcome: str, microseconds: float) -> str:
    """The same for programs; ``result`` is empty for the call that does not return."""
    told = {
        "number": number,
        "side": step.side,
        "step": step.title,
        "syscall": call.name,
        "call": str(call),
        "result": outcome,
        "microseconds": round(microseconds, 1),
    }
    return json.dumps(told)
