import subprocess

from minirun.learn.attempt import Attempt, Process, Wrong

KINDS = ("uts", "ipc", "net", "mnt", "pid")
CONTAINER = "unshare --uts --ipc --net --pid --mount-proc --fork sh -c".split()


def check(attempt: Attempt) -> None:
    """A container for the program to visit: a shell that says when it is there, and waits."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    words = [*CONTAINER, "echo here; read end; : done"]
    with attempt.fence.popen(words, str(attempt.folder), environment, **pipes) as started:
        assert started.stdout
        started.stdout.readline()
        try:
            visit(attempt, Process(started.pid).children()[0])
        finally:
            attempt.fence.kill()


def visit(attempt: Attempt, target: Process) -> None:
    try:
        with attempt.running(str(target.pid)) as inside:
            same = {kind: inside.namespace(kind) == target.namespace(kind) for kind in KINDS}
            for kind in ("uts", "ipc", "net", "mnt"):
                attempt.expect(same[kind], "not-joined", pid=inside.pid, kind=kind, target=target.pid)
            attempt.expect(same["pid"], "pid-for-children", pid=inside.pid, target=target.pid)
    except Wrong as wrong:
        said = str(wrong.values.get("said", ""))
        late = wrong.key == "crashed" and f"/proc/{target.pid}/ns/" in said
        raise Wrong("looked-up-too-late", said=said) if late else wrong from None
    done = attempt.run(str(target.pid), "sh", "-c", "exit 7")
    attempt.expect(done.code == 7, "exit-code", code=done.code)
