"""--ulimit's words, and the steps that set limits. No root."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import pytest

from minirun.errors import InvalidInput, Unsupported, UsageError
from minirun.isolation import rlimits
from minirun.linux import rlimit
from minirun.linux.rlimit import INFINITY
from minirun.spec import Linux as LinuxSpec
from minirun.spec import Namespace, Process, Rlimit, Spec
from minirun.steps import HOST


def spec(*limits: Rlimit, score: int | None = None, **linux: object) -> Spec:
    process = Process(args=("true",), rlimits=limits, oomScoreAdj=score)
    return Spec(process=process, linux=LinuxSpec(**linux))


def test_numbers_are_the_headers() -> None:
    header = Path("/usr/include/asm-generic/resource.h")
    if not header.exists():
        pytest.skip("this machine lacks: asm-generic/resource.h (linux-libc-dev)")
    found = dict(re.findall(r"# define RLIMIT_([A-Z]+)\s+(\d+)", header.read_text()))
    found |= dict(re.findall(r"#define RLIMIT_([A-Z]+)\s+(\d+)", header.read_text()))
    assert {name: int(number) for name, number in found.items()} == {
        one.name: int(one) for one in rlimit.Rlimit
    }


@pytest.mark.parametrize(
    ("word", "soft", "hard"),
    [
        ("nofile=1024:2048", 1024, 2048),
        ("nofile=1024", 1024, 1024),
        ("nofile=-1", INFINITY, INFINITY),
        ("nofile=5:-1", 5, INFINITY),
        ("NOFILE=0", 0, 0),
    ],
)
def test_ulimit_is_dockers(word: str, soft: int, hard: int) -> None:
    assert rlimits.parse([word]) == (Rlimit(type="RLIMIT_NOFILE", soft=soft, hard=hard),)


def test_the_last_of_a_name_counts() -> None:
    limits = rlimits.parse(["nofile=1", "core=0", "nofile=2"])
    assert [(limit.type, limit.soft) for limit in limits] == [("RLIMIT_NOFILE", 2), ("RLIMIT_CORE", 0)]


@pytest.mark.parametrize(
    "word",
    [
        "nofile",
        "files=1",
        "nofile=",
        "nofile=x",
        "nofile=2:1",
        "nofile=-1:5",
        "nofile=-2",
        "nofile=1:2:3",
        "=1",
    ],
)
def test_bad_words_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(word))):
        rlimits.parse([word])


def test_a_step_a_limit_with_the_call_as_strace_prints_it() -> None:
    steps = list(rlimits.steps(spec(*rlimits.parse(["nofile=64:128", "core=-1"]))))
    assert [str(step.calls[0]) for step in steps] == [
        "prlimit(0, RLIMIT_NOFILE, {rlim_cur=64, rlim_max=128}, NULL)",
        "prlimit(0, RLIMIT_CORE, {rlim_cur=RLIM64_INFINITY, rlim_max=RLIM64_INFINITY}, NULL)",
    ]


def test_an_unknown_limit_of_a_spec_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'RLIMIT_HAIR' is not a resource limit"):
        list(rlimits.steps(spec(Rlimit(type="RLIMIT_HAIR", soft=1, hard=1))))


def test_a_hard_limit_above_ours_needs_a_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rlimits, "capget", lambda: (0, 0, 0))
    monkeypatch.setattr(rlimit, "get_limit", lambda which: (10, 20))
    rlimits.check(spec(Rlimit(type="RLIMIT_NOFILE", soft=20, hard=20)))
    high = Rlimit(type="RLIMIT_NOFILE", soft=20, hard=21)
    with pytest.raises(Unsupported, match="hard limit of nofile cannot be 21") as caught:
        rlimits.check(spec(high))
    assert "at most 20" in caught.value.remedy
    with pytest.raises(Unsupported, match="cannot be unlimited"):
        rlimits.check(spec(Rlimit(type="RLIMIT_NOFILE", soft=1, hard=-1)))


def test_in_a_user_namespace_the_capability_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rlimits, "capget", lambda: (2**41 - 1, 0, 0))
    monkeypatch.setattr(rlimit, "get_limit", lambda which: (10, 20))
    high = Rlimit(type="RLIMIT_NOFILE", soft=20, hard=21)
    rlimits.check(spec(high))
    with pytest.raises(Unsupported):
        rlimits.check(spec(high, namespaces=(Namespace(type="user"),)))


def test_oom_score_is_written_from_the_host_side() -> None:
    (step,) = rlimits.oom_score_adj(spec(score=300))
    assert step.side == HOST
    assert str(step.calls[0]) == 'write("/proc/<init>/oom_score_adj", "300")'
    assert list(rlimits.oom_score_adj(spec())) == []


@pytest.mark.parametrize("score", [-1001, 1001])
def test_oom_score_out_of_range_is_refused(score: int) -> None:
    with pytest.raises(InvalidInput, match="out of range"):
        list(rlimits.oom_score_adj(spec(score=score)))


def test_lowering_the_oom_score_without_the_capability_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rlimits, "capget", lambda: (0, 0, 0))
    now = int(Path("/proc/self/oom_score_adj").read_text())
    rlimits.check(spec(score=now))
    with pytest.raises(Unsupported, match=f"cannot be {now - 1}"):
        rlimits.check(spec(score=now - 1))


def test_limits_as_the_kernel_has_them() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert rlimit.get_limit(rlimit.Rlimit.NOFILE) == tuple(
        INFINITY if one == -1 else one for one in (soft, hard)
    )
