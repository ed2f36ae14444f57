"""All the tests, several directories at a time: `make test`.

Most tests wait for a kernel, a clock or another process; a directory's tests do so
one after the other, while those of another use the processor. Each directory is
a pytest of its own, with a store and leaks of its own, as when it is run alone;
what it has said is printed as a whole when it ends.

A few that failed are run once more when nothing else runs: the machine's clock,
processors and cgroups are everybody's, and a test that is disturbed by them says
nothing about minirun. It is named at the end, for it is the test that wants mending.

    python -m tests [--jobs N] [pytest's options]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from minirun.values import Value

HERE = Path(__file__).resolve().parent
#: What is long comes first, so that what is short fills the gaps at the end.
LONGEST = ("learn", "pod", "lifecycle", "vm", "image", "network", "unit", "kernel", "compare")
#: tests/bed is `make test-vm`, tests/site `make test-docs`, and tests/bench is measured alone on the machine.
OTHERS = ("bed", "bench", "site")
#: pytest's exit codes: there was nothing to run; some failed.
NO_TESTS, FAILED = 5, 1
#: More failures in a directory than this are no accident.
FEW = 5


class Job(Value):
    """A pytest that runs."""

    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    begun: float
    cache: str
    """The directory where pytest notes which tests failed."""


def main(words: list[str]) -> int:
    """Runs them all; the worst exit code."""
    count = min(os.cpu_count() or 1, 4)
    if words[:1] == ["--jobs"]:
        count, words = int(words[1]), words[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    running: list[Job] = []
    try:
        with tempfile.TemporaryDirectory() as caches:
            return all_of(directories(), running, count, caches, words)
    finally:
        for job in running:  # we are interrupted: they clean up after themselves
            job.process.send_signal(signal.SIGINT)
        for job in running:
            try:
                job.process.wait(20)
            except subprocess.TimeoutExpired:  # in the background of a shell SIGINT is ignored
                job.process.kill()


def all_of(waiting: list[str], running: list[Job], count: int, caches: str, words: list[str]) -> int:
    """Runs what is ``waiting``, ``count`` at a time, and then the few that failed; the worst exit code."""
    summary: list[str] = []
    jobs: list[Job] = []
    while waiting or running:
        while waiting and len(running) < count:
            name = waiting.pop(0)
            running.append(begin(name, f"{caches}/{name}", words))
        ended = next((job for job in running if job.process.poll() is not None), None)
        if ended is None:
            time.sleep(0.1)  # wait(2) for any of them would take the code from Popen
            continue
        running.remove(ended)
        summary.append(told(ended))
        jobs.append(ended)
    codes = [again(job, running, words, summary) for job in jobs]
    print("\n".join(summary))
    return max((abs(code) for code in codes if code != NO_TESTS), default=0)


def again(job: Job, running: list[Job], words: list[str], summary: list[str]) -> int:
    """The job's exit code; if few of its tests failed, that of those run again, with nothing beside them."""
    names = failed(job)
    if job.process.returncode != FAILED or not 0 < len(names) <= FEW:
        return job.process.returncode
    summary += [f"failed beside others: {name}" for name in names]
    alone = begin(job.name, job.cache, ["--last-failed", "--last-failed-no-failures=none", *words])
    running.append(alone)
    alone.process.wait()
    running.remove(alone)
    summary.append(f"those alone: {told(alone)}")
    return alone.process.returncode


def failed(job: Job) -> list[str]:
    """The ids of a job's tests that failed."""
    try:
        return sorted(json.loads(Path(job.cache, "v", "cache", "lastfailed").read_text()))
    except FileNotFoundError:
        return []


def directories() -> list[str]:
    """The names of the directories with tests."""
    found = sorted({path.parent.name for path in HERE.glob("*/test_*.py")} - set(OTHERS))
    return sorted(found, key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))


def begin(name: str, cache: str, words: list[str]) -> Job:
    """Starts pytest on a directory of tests."""
    print(f"tests/{name} ...", flush=True)
    output = tempfile.TemporaryFile()
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *words, f"tests/{name}"]
    process = subprocess.Popen(
        command, cwd=HERE.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    return Job(name=name, process=process, output=output, begun=time.monotonic(), cache=cache)


def told(job: Job) -> str:
    """Prints what a job has said; returns its line of the summary."""
    job.output.seek(0)
    sys.stdout.flush()
    sys.stdout.buffer.write(job.output.read())
    sys.stdout.flush()
    job.output.close()
    seconds = time.monotonic() - job.begun
    return f"tests/{job.name}: exit code {job.process.returncode} after {seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
