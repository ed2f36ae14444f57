import contextlib
import os
import signal
import time

from minirun.learn.attempt import Attempt, Process

COMMAND = "sh", "-c", "sh -c 'sleep 1001 &'; echo begun; sleep 1002; : done"


def check(attempt: Attempt) -> None:
    file = attempt.folder / "exit"
    with attempt.started(str(file), *COMMAND) as monitor:
        program = attempt.until(lambda: _program(monitor), "not-its-parent", seconds=3)
        attempt.until(lambda: "begun" in attempt.out(), "not-its-parent", seconds=2)
        orphan = attempt.until(lambda: _child(monitor, "1001"), "orphan-lost", seconds=2)
        attempt.expect(not file.exists(), "too-early")
        os.kill(orphan.pid, signal.SIGKILL)
        os.kill(monitor.pid, signal.SIGTERM)
        attempt.until(
            lambda: not (monitor.exists() and _is_known(orphan)), "zombie", seconds=2, pid=orphan.pid
        )
        attempt.expect(_stays(monitor), "ends-with-others")
        os.kill(program.pid, signal.SIGKILL)
        attempt.until(lambda: not monitor.exists(), "stays", seconds=2)
        attempt.expect(file.exists(), "no-record")
        said = file.read_text().strip()
        attempt.expect(said == "137", "wrong-code", said=said)


def _program(monitor: Process) -> Process | None:
    # Who has become the command itself has children with its words, too, before they become others.
    return _child(monitor, COMMAND[-1]) if monitor.words() != list(COMMAND) else None


def _child(parent: Process, word: str) -> Process | None:
    for child in parent.children():
        with contextlib.suppress(OSError):  # it comes and goes
            if word in child.words():
                return child
    return None


def _stays(process: Process, seconds: float = 1.0) -> bool:
    deadline = time.monotonic() + seconds
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # that nothing happens can only be seen over time
    return process.exists()


def _is_known(process: Process) -> bool:
    return os.path.exists(f"/proc/{process.pid}")
