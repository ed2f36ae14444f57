import os
import signal
import time

from minirun.learn.attempt import Attempt, Process

GRACE = 1.0
POLITE = "trap 'echo saved; exit 3' TERM; echo begun; while sleep 0.05; do :; done"
STUBBORN = "trap 'echo heard' TERM; echo begun; while :; do sleep 0.05; done"


def check(attempt: Attempt) -> None:
    took = _end(attempt, "30", POLITE, "saved", "not-told")
    attempt.expect(took < 3, "waits-in-vain", took=f"{took:.1f}")
    took = _end(attempt, str(GRACE), STUBBORN, "heard", "not-told")
    attempt.expect(took > 0.8 * GRACE, "impatient", took=f"{took:.1f}", grace=GRACE)
    done = attempt.run(str(GRACE), "sh", "-c", "exit 7")
    attempt.expect(done.code == 7, "code-lost", code=done.code)


def _end(attempt: Attempt, grace: str, script: str, word: str, key: str) -> float:
    """Sends SIGTERM once the program runs; how long it took, in seconds, until all was over."""
    with attempt.started(grace, "sh", "-c", script) as guard:
        attempt.until(lambda: "begun" in attempt.out(), "never-begins", seconds=3)
        program = attempt.until(lambda: _program(guard, script), "never-begins", seconds=3)
        sent = time.monotonic()
        os.kill(guard.pid, signal.SIGTERM)
        attempt.until(lambda: not guard.exists(), "waits-forever", seconds=5)
        took = time.monotonic() - sent
        attempt.expect(not program.exists(), "leaves-it", pid=program.pid)
        attempt.expect(word in attempt.out(), key)
        return took


def _program(guard: Process, script: str) -> Process | None:
    return next((child for child in guard.children() if child.words()[-1:] == [script]), None)
