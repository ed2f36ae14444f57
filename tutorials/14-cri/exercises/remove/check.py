import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from minirun.learn.attempt import Attempt, Process

STATE = Path("/run/minirun-learn")


def check(attempt: Attempt) -> None:
    names = [f"{kind}-check-{os.getpid()}" for kind in ("sandbox", "app", "log")]
    try:
        pids = {name: begin(attempt, name) for name in names}
        runtime(attempt, "delete", names[1])
        done = attempt.run(*names)
        for name in names:
            attempt.expect(not (STATE / name).exists(), "left-over", what=STATE / name, code=done.code)
        ended = attempt.until(
            lambda: not any(map(lives, pids.values())), "left-over", what="A process", code=done.code
        )
        done = attempt.run(*names)
        attempt.expect(ended and done.code == 0, "not-idempotent", code=done.code)
    finally:
        for name in names:
            shutil.rmtree(STATE / name, ignore_errors=True)


def begin(attempt: Attempt, name: str) -> int:
    """Runs a `sleep` as a container of chapter 10's; its pid."""
    config = {
        "process": {
            "args": ["sleep", "1000"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "user": {"uid": 0, "gid": 0},
        },
        "root": {"path": str(attempt.rootfs)},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]},
    }
    (attempt.folder / "config.json").write_text(json.dumps(config))
    runtime(attempt, "create", str(attempt.folder), name)
    runtime(attempt, "start", name)
    return int(json.loads((STATE / name / "state.json").read_text())["pid"])


def runtime(attempt: Attempt, *words: str) -> None:
    line = [os.path.realpath(sys.executable), str(attempt.folder / "runtime.py"), *words]
    null = subprocess.DEVNULL
    environment = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}
    attempt.fence.popen(line, str(attempt.folder), environment, stdin=null, stdout=null).wait()


def lives(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        return Process(pid).exists()
    return False
