import contextlib
import json
import os
import shutil
import socket
import stat
from pathlib import Path

from minirun.learn.attempt import Attempt, Process, Wrong

STATE = Path("/run/minirun-learn")
COMMAND = ["sleep", "1000"]


def check(attempt: Attempt) -> None:
    path = attempt.folder / "cri.sock"
    with attempt.started(str(path), str(attempt.rootfs)) as server:
        try:
            with connected(attempt, path, server) as connection:
                may = stat.S_IMODE(os.stat(path).st_mode)
                attempt.expect(not may & 0o022, "anyone-may", path=path.name, mode=f"{may:o}")
                talk(attempt, connection)
        finally:
            attempt.fence.kill()
            for left in STATE.glob(f"*-{server.pid}"):
                shutil.rmtree(left)


def connected(attempt: Attempt, path: Path, server: Process) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)

    def reached() -> bool:
        with contextlib.suppress(OSError):
            connection.connect(str(path))
            return True
        return not server.exists()

    why = "after {} s nobody answers there"
    attempt.until(reached, "never-listens", seconds=3.0, path=path.name, why=why.format(3))
    attempt.expect(server.exists(), "never-listens", path=path.name, why="it has ended")
    return connection


def talk(attempt: Attempt, connection: socket.socket) -> None:
    def ask(verb: str, field: str, **request: object) -> str:
        said = ""
        with contextlib.suppress(OSError):
            stream.write(json.dumps({"verb": verb, **request}) + "\n")
            stream.flush()
            said = stream.readline()
        try:
            answer = json.loads(said)
            return str(answer[field]) if field else ""
        except (ValueError, KeyError, TypeError):
            raise Wrong("no-answer", request=verb, field=field or "nothing", said=said) from None

    with connection.makefile("rw") as stream:
        sandbox = ask("RunPodSandbox", "pod_sandbox_id", hostname="web")
        container = ask("CreateContainer", "container_id", sandbox=sandbox, name="app", command=COMMAND)
        first, process = member(sandbox), member(container)
        words = process.words()
        attempt.expect(words != COMMAND, "runs-already", pid=process.pid, words=" ".join(words))
        ask("StartContainer", "", container=container)
        attempt.until(lambda: process.words() == COMMAND, "never-runs", seconds=3.0, pid=process.pid)
        for kind in ("net", "ipc", "uts"):
            together = process.namespace(kind) == first.namespace(kind)
            attempt.expect(together, "not-together", pid=process.pid, kind=kind)
        ask("RemovePodSandbox", "", sandbox=sandbox)
        for one in (first, process):
            attempt.until(lambda one=one: not one.exists(), "left-over", seconds=2.0, pid=one.pid)


def member(name: str) -> Process:
    """What the runtime of chapter 10 has noted of a container."""
    return Process(int(json.loads((STATE / name / "state.json").read_text())["pid"]))
