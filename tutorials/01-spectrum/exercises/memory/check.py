import os
import subprocess
import sys

from minirun.learn.attempt import Attempt, Process

MIB = 1024  # KiB
# Two processes map one file and touch all of it: half of it is the share of each.
SHARING = """
import mmap, sys
with open("shared", "r+b") as file:
    pages = mmap.mmap(file.fileno(), 0)
sum(pages[each] for each in range(0, len(pages), 4096))
sys.stdin.read()
"""


def check(attempt: Attempt) -> None:
    (attempt.folder / "shared").write_bytes(bytes(16 * MIB * 1024))
    words = [os.path.realpath(sys.executable), "-I", "-S", "-c", SHARING]
    for _ in range(2):
        attempt.fence.popen(words, str(attempt.folder), {}, stdin=subprocess.PIPE)

    def both() -> list[int]:
        pids = [pid for pid in attempt.fence.processes() if Process(pid).words() == words]
        ready = [pid for pid in pids if field(pid, "smaps_rollup", "Rss:") > 16 * MIB]
        return ready if len(ready) == 2 else []

    pid = attempt.until(both, "crashed", program="python3", code=1, said="", line="python3")[0]
    right, resident = field(pid, "smaps_rollup", "Pss:"), field(pid, "smaps_rollup", "Rss:")
    kib = attempt.numbers(str(pid), least=1)[0]
    attempt.expect(kib <= resident + MIB, "counts-promises", said=kib, right=right)
    attempt.expect(kib <= right + 3 * MIB, "counts-twice", said=kib, right=right)
    attempt.expect(kib >= right - 3 * MIB, "counts-too-little", said=kib, right=right)


def field(pid: int, file: str, name: str) -> int:
    lines = Process(pid).read(file).splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))
