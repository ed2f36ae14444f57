"""Work on a pod that is cut off at a chosen moment.

The tests' process forks a child that stands for the command, or the supervisor.
In it each step of each plan, each deed, and each thing that the bookkeeping does is
a door: at the n-th the child's whoever-is-there asks the tests' process, which kills
the child and lets the others go on. So is every moment reached at which it can die,
while what it has begun (a container's host side) finds that out by itself.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from minirun.errors import MinirunError
from minirun.pod import create, deeds, member, node, sandbox, state, supervise, volumes
from minirun.pod.actions import Action, StartContainer
from minirun.steps import Walk
from minirun.values import Value
from tests.lifecycle.attempts import forked, text_of
from tests.pod.living import OURS

#: What the bookkeeping consists of, between the deeds and the plans.
BOOKS: tuple[tuple[Any, str], ...] = (
    *((deeds.Deeds, f"_{kind.__name__}") for kind in Action.__subclasses__() if kind is not StartContainer),
    (deeds.Deeds, "_start"),
    (deeds.Deeds, "save"),
    (member, "prepared"),
    (member, "begin"),
    (member, "until_started"),
    (state.PodHome, "write_progress"),
    (state.PodHome, "write_pending"),
    (state.PodHome, "commit"),
    (state.PodHome, "retract"),
    (state.PodHome, "wish"),
    (state.PodHome, "wishes"),
    (create.links, "take"),
    (create.links, "give_back_all"),
    (create, "remove_tree"),
    (create, "share"),
    (sandbox, "end"),
    (sandbox, "clear"),
    (node, "make_group"),
    (node, "remove_group"),
    (volumes, "sweep"),
    (supervise, "spawn"),
)


class Cut(Value):
    """What became of the child."""

    code: int
    """Its exit code; -9 if it was killed."""
    said: str
    where: str
    """The door at which it was killed; "" if it never came so far."""


def cut_off(work: Callable[[], object], number: int = 0, counts: Callable[[str], bool] = bool) -> Cut:
    """Does ``work`` in a child that is killed at the door ``number``, of those that count; 0 is none."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    count = mmap.mmap(-1, 4)

    def door(name: str) -> None:
        if not counts(name):
            return
        at = struct.unpack("i", count[:])[0] + 1
        count[:] = struct.pack("i", at)
        if at == number:
            theirs.send(name.encode())
            theirs.recv(1)

    def child() -> int:
        _open_doors(door)
        try:
            work()
        except MinirunError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        return 0

    pid, output = forked(child, ours)
    theirs.close()
    watch = os.pidfd_open(pid)
    where = _asked(ours, watch)
    if where:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(watch)
    if where:
        try:
            ours.send(b"!")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was the child itself that stood there
    ours.close()
    return Cut(code=code, said=text_of(output), where=where)


def _asked(ours: socket.socket, watch: int) -> str:
    """The door at which somebody stands; "" once the child has ended without."""
    import select

    poll = select.poll()
    poll.register(ours.fileno(), select.POLLIN)
    poll.register(watch, select.POLLIN)
    ready = [fd for fd, _ in poll.poll()]
    if ours.fileno() not in ready:
        return ""
    try:
        return ours.recv(200).decode()
    except ConnectionResetError:
        return ""


def _open_doors(door: Callable[[str], None]) -> None:
    """Puts a door before each step of each plan, and before each part of the bookkeeping."""
    uid = create._uid
    create._uid = lambda: OURS + uid()[len(OURS) :]
    do = Walk.do

    def do_step(self: Walk, number: int, step: Any) -> None:
        door(f"{step.side}: {step.title}")
        do(self, number, step)

    Walk.do = do_step
    for owner, name in BOOKS:
        setattr(owner, name, _with_door(owner, name, door))


def _with_door(owner: Any, name: str, door: Callable[[str], None]) -> Callable[..., Any]:
    real = getattr(owner, name)

    def through(*arguments: Any, **more: Any) -> Any:
        action = next((type(one).__name__ for one in arguments if isinstance(one, Action)), "")
        door(f"books: {owner.__name__.rpartition('.')[2]}.{name} {action}".strip())
        return real(*arguments, **more)

    return through
