import subprocess

from minirun.learn.attempt import Attempt, Process

# One is the child of a child that has ended: its parent is PID 1 of the namespace now.
INSIDE = "sleep 1001 & sleep 1002 & (sleep 1003 &) ; wait"


def check(attempt: Attempt) -> None:
    words = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", INSIDE]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    attempt.fence.popen(words, str(attempt.folder), environment, stdin=subprocess.DEVNULL)

    def sleepers() -> dict[str, int]:
        found = {}
        for pid in attempt.fence.processes():
            line = Process(pid).words()
            if line[:1] == ["sleep"]:
                found[line[1]] = pid
        return found if len(found) == 3 else {}

    pids = attempt.until(sleepers, "crashed", line="")
    first = Process(pids["1001"]).parent().pid
    right = sorted([first, *pids.values()])
    numbers = attempt.numbers(str(pids["1002"]))
    missing, foreign = set(right) - set(numbers), set(numbers) - set(right)
    attempt.expect(not missing, "too-few", missing=sorted(missing), pid=pids["1002"])
    attempt.expect(not foreign, "too-many", count=len(foreign), pid=min(foreign, default=0))
    attempt.expect(numbers == right, "no-order")
