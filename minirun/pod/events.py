"""What has happened to a pod, for `pod events`; and what went wrong, for its status.

Layer: pod. Events are lines of JSON in a file that is only ever appended to: nothing
is decided by them. Their reasons and messages are the kubelet's; those of a sandbox
and of a program's end (``Ended``) are our own, for it has none. A Problem is a part
of what is seen (observed.py), and is: it says when it is tried again. Read
``history.py`` for what is told of a look, ``deeds.py`` for what is told of deeds.
"""

from __future__ import annotations

import os
import time

from minirun.errors import MinirunError, reason
from minirun.pod.observed import Problem
from minirun.values import TYPE_CHECKING, Value, plain

if TYPE_CHECKING:
    from minirun.pod.state import PodHome

NORMAL, WARNING = "Normal", "Warning"


class Event(Value):
    """A thing that has happened."""

    type: str
    reason: str
    message: str
    container: str = ""
    """Whom it has happened to; "" for the pod."""


def note(home: PodHome, kind: str, word: str, message: str, container: str = "") -> None:
    """Appends one to the pod's events."""
    note_all(home, Event(type=kind, reason=word, message=message, container=container))


def note_all(home: PodHome, *happened: Event) -> None:
    """Appends them: a line of JSON each, all in one write(2)."""
    from minirun import json_quick

    now = time.time()
    lines = [json_quick.dumps({"at": now, **plain(each)}) + "\n" for each in happened]
    try:
        fd = os.open(f"{home.data}/events.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return  # the pod is being removed
    try:
        os.write(fd, "".join(lines).encode())
    finally:
        os.close(fd)


def made(container: str, image: str) -> tuple[Event, Event]:
    """What is told once its image was found, and a container made of it."""
    pulled = f'Container image "{image}" already present on machine'
    return (
        Event(type=NORMAL, reason="Pulled", message=pulled, container=container),
        Event(type=NORMAL, reason="Created", message=f"Created container: {container}", container=container),
    )


def started(container: str) -> Event:
    """Its program runs."""
    return Event(type=NORMAL, reason="Started", message=f"Started container {container}", container=container)


def problem_of(before: Problem | None, kind: str, error: MinirunError | OSError) -> Problem:
    """What is told of something that could not be made; it counts on from the same one ``before``."""
    return Problem(
        reason=kind,
        message=said(error),
        remedy=error.remedy if isinstance(error, MinirunError) else "",
        at=time.time(),
        tries=before.tries + 1 if before and before.reason == kind else 1,
    )


def said(error: MinirunError | OSError) -> str:
    """In one line."""
    if isinstance(error, MinirunError):
        return ": ".join(part for part in (error.what, error.why) if part)
    return reason(error)
