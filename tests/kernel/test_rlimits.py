"""Limits as prlimit(2) of another process reads them, and as they bite."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Sequence
from pathlib import Path

import pytest

from minirun.errors import StepFailed
from minirun.isolation import rlimits
from minirun.linux.process import fork
from minirun.linux.trial import TrialFailed, in_child
from minirun.spec import Process, Rlimit, Spec
from minirun.steps import HOST, INIT, Walk

pytestmark = pytest.mark.bed


def spec(limits: Sequence[str] = (), score: int | None = None) -> Spec:
    return Spec(process=Process(args=("true",), rlimits=rlimits.parse(limits), oomScoreAdj=score))


def test_every_limit_that_can_be_lowered_is_what_the_kernel_says() -> None:
    names = [
        "cpu",
        "fsize",
        "data",
        "stack",
        "core",
        "rss",
        "nproc",
        "nofile",
        "memlock",
        "as",
        "sigpending",
        "msgqueue",
        "nice",
        "rtprio",
        "rttime",
    ]
    limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1] for name in names}
    # A soft limit one below the hard one: nothing is raised, and each number is its own.
    words = [f"{n}={h - 1 if h > 0 else (0 if h == 0 else 10**9)}:{h}" for n, h in limits.items()]

    def child() -> dict[str, tuple[int, int]]:
        Walk(list(rlimits.steps(spec(words))), INIT).run()
        return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}")) for name in names}

    found = {name: tuple(pair) for name, pair in in_child(child).items()}
    asked = {limit.type[7:].lower(): limit for limit in spec(words).process.rlimits}
    assert found == {
        name: (limit.soft, -1 if limit.hard == rlimits.INFINITY else limit.hard)
        for name, limit in asked.items()
    }


def test_another_process_reads_them_and_execve_keeps_them() -> None:
    reading, writing = os.pipe()

    def child() -> None:
        Walk(list(rlimits.steps(spec(["nofile=64:128"]))), INIT).run()
        os.dup2(reading, 0)
        os.close(writing)
        os.execv("/bin/cat", ["cat"])  # lives until its input ends

    pid = fork(child)
    os.close(reading)
    try:
        while Path(f"/proc/{pid}/comm").read_text() != "cat\n":
            os.sched_yield()
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (64, 128)
    finally:
        os.close(writing)
        os.waitpid(pid, 0)


def test_a_limit_bites() -> None:
    def child() -> int:
        Walk(list(rlimits.steps(spec(["nofile=16"]))), INIT).run()
        try:
            while True:
                os.dup(0)
        except OSError as error:
            return error.errno or 0

    assert in_child(child) == errno.EMFILE


def test_a_hard_limit_cannot_be_raised_again_without_the_capability() -> None:
    def child() -> None:
        from minirun.linux.capability import capset

        capset(0, 0, 0)
        Walk(list(rlimits.steps(spec(["core=0"]))), INIT).run()
        Walk(list(rlimits.steps(spec(["core=5"]))), INIT).run()

    with pytest.raises(TrialFailed, match="cannot limit core to 5") as caught:
        in_child(child)
    assert StepFailed.__name__ in str(caught.value)


def test_the_oom_score_of_a_child_is_raised() -> None:
    now = int(Path("/proc/self/oom_score_adj").read_text())
    score = min(now + 77, 1000)
    reading, writing = os.pipe()

    def child() -> None:
        os.close(writing)
        os.read(reading, 1)

    pid = fork(child)
    try:
        Walk(list(rlimits.oom_score_adj(spec(score=score))), HOST, {"init": pid}).run()
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == f"{score}\n"
        assert Path("/proc/self/oom_score_adj").read_text() == f"{now}\n"
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(pid, 0)


def test_check_agrees_with_the_kernel() -> None:
    """What check lets through, the kernel does: all hard limits as they are now."""
    limits = tuple(
        Rlimit(type=f"RLIMIT_{name}", soft=0, hard=resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1])
        for name in ("CORE", "NOFILE", "NPROC", "MEMLOCK")
    )
    asked = Spec(process=Process(args=("true",), rlimits=limits))
    rlimits.check(asked)
    assert in_child(lambda: Walk(list(rlimits.steps(asked)), INIT).run()) is None
