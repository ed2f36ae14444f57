import os
import time

from minirun.learn.attempt import Attempt

COMMAND = "sh", "-c", "echo begun; sleep 1000; : done"


def check(attempt: Attempt) -> None:
    gate = attempt.folder / "gate"
    with attempt.started(str(gate), *COMMAND) as waiting:
        opened = attempt.until(lambda: _open(str(gate)), "nobody-waits", seconds=3)
        attempt.expect(not _begins(attempt), "too-early")
        os.write(opened, b"start")
        os.close(opened)
        attempt.until(lambda: "begun" in attempt.out(), "deaf", seconds=2)
        attempt.expect("sh" in waiting.words()[0], "another-process", pid=waiting.pid)
        attempt.expect(not gate.exists(), "gate-stays")
    with attempt.started(str(attempt.folder / "second"), "no-such-program") as failing:
        attempt.until(lambda: not failing.exists(), "looked-up-late", seconds=2)


def _begins(attempt: Attempt, seconds: float = 1.0) -> bool:
    """Whether it goes on by itself: for that it has to be given a moment."""
    deadline = time.monotonic() + seconds
    while "begun" not in attempt.out() and time.monotonic() < deadline:
        time.sleep(0.01)  # that nothing happens can only be seen over time
    return "begun" in attempt.out()


def _open(gate: str) -> int:
    """The writing end, once somebody holds the other one: fifo(7)."""
    try:
        return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0
