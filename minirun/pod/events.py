"""What has happened to a pod, for `pod events`; and what went wrong, for its status.

Layer: pod. Events are lines of JSON in a file that is only ever appended to: nothing
is decided by them. A Problem is a part of what is seen (observed.py), and is: it says
when it is tried again. Read ``deeds.py`` for who notes them.
"""

from __future__ import annotations

import os
import time

from minirun.errors import MinirunError, reason
from minirun.pod.observed import Problem
from minirun.values import TYPE_CHECKING, plain

if TYPE_CHECKING:
    from minirun.pod.state import PodHome


def note(home: PodHome, kind: str, word: str, message: str) -> None:
    """Appends to the pod's events: a line of JSON each."""
    from minirun import json_quick

    line = json_quick.dumps(plain({"at": time.time(), "type": kind, "reason": word, "message": message}))
    try:
        fd = os.open(f"{home.data}/events.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return  # the pod is being removed
    try:
        os.write(fd, f"{line}\n".encode())
    finally:
        os.close(fd)


def problem_of(before: Problem | None, kind: str, error: MinirunError | OSError) -> Problem:
    """What is told of something that could not be made; it counts on from the same one ``before``."""
    return Problem(
        reason=kind,
        message=said(error),
        at=time.time(),
        tries=before.tries + 1 if before and before.reason == kind else 1,
    )


def said(error: MinirunError | OSError) -> str:
    """In one line."""
    if isinstance(error, MinirunError):
        return ": ".join(part for part in (error.what, error.why) if part)
    return reason(error)
