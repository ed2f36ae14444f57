import os
import signal
import subprocess

from minirun.learn.attempt import Attempt
from minirun.learn.looking import Process

ORPHAN = ("sh", "-c", "sh -c 'true & exec true'; :")


def check(attempt: Attempt) -> None:
    with attempt.running() as inside:
        try:
            leave_orphans(attempt, inside.parent(), inside)
        except (subprocess.SubprocessError, ProcessLookupError):  # the namespace is no more
            attempt.expect(False, "first-death")
        attempt.expect(inside.exists(), "first-death")
    done = attempt.run("run", str(attempt.rootfs), "sh", "-c", "exit 7")
    attempt.expect(done.code == 7, "exit-code", code=done.code)


def leave_orphans(attempt: Attempt, first: Process, inside: Process) -> None:
    inside.run(*ORPHAN, within="pid")
    attempt.until(lambda: settled(first, inside), "zombies", seconds=2, count=1)
    os.kill(first.pid, signal.SIGSTOP)
    for _ in range(3):
        inside.run(*ORPHAN, within="pid")
    attempt.until(lambda: zombies(first) == 3 or settled(first, inside), "zombies", count=3)
    os.kill(first.pid, signal.SIGCONT)
    attempt.until(lambda: settled(first, inside), "one-for-many", seconds=2)


def settled(first: Process, inside: Process) -> bool:
    """Nobody but the command is left below PID 1, or PID 1 has gone."""
    return not first.exists() or [one.pid for one in first.children()] in ([inside.pid], [])


def zombies(first: Process) -> int:
    return sum(one.is_zombie() for one in first.children())
