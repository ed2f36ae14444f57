"""Resource limits and the OOM killer's favour: what one process may take.

Layer: isolation. A cgroup limits the container as a whole; these limit each
process in it, go by the user's id where they count across processes (nproc),
and are inherited by fork and execve. They are set last, right before the
privileges go: a small ``nofile`` or ``as`` would hit minirun's own set-up.
See getrlimit(2), and proc(5) for oom_score_adj. ``privileges.py`` is next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput, Unsupported, UsageError
from minirun.linux import procfs, rlimit
from minirun.linux.capability import Capability, capget
from minirun.linux.rlimit import INFINITY, shown
from minirun.spec import Rlimit, Spec
from minirun.steps import HOST, Call, Ref, Step
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def steps(spec: Spec) -> Iterator[Step]:
    """Init side: one step a limit. Raises InvalidInput for a limit that is none."""
    for limit in spec.process.rlimits:
        known = which(limit)
        yield Step(
            f"limit {known.name.lower()} to {shown(limit.soft)}",
            Call(rlimit.set_limit, known, limit.soft, limit.hard),
            why=f"soft {shown(limit.soft)} bites, up to hard {shown(limit.hard)} the program may raise it",
            chapter="07",
        )


def oom_score_adj(spec: Spec, side: str = HOST) -> Iterator[Step]:
    """How much the OOM killer likes this program; the host side says so of init, a guest of itself."""
    score = spec.process.oomScoreAdj
    if score is None:
        return
    if not -1000 <= score <= 1000:
        raise InvalidInput(
            f"oom_score_adj {score} is out of range", "it goes from -1000 (never) to 1000 (first)"
        )
    # Not by init itself, which may be somebody else in its user namespace by now.
    place = Ref(name="init", form="/proc/{}/oom_score_adj") if side == HOST else "/proc/self/oom_score_adj"
    yield Step(
        f"set the OOM score adjustment to {score}",
        Call(procfs.write, place, str(score)),
        why="when memory runs out, the kernel kills the process with the highest score",
        side=side,
        chapter="07",
    )


def check(spec: Spec) -> None:
    """Refuses what this process has no right to give, before anything is made.

    Raises Unsupported, with the limit by name.
    """
    asked = spec.process
    if not asked.rlimits and asked.oomScoreAdj is None:
        return
    mighty = bool(capget()[0] >> Capability.SYS_RESOURCE & 1)
    # The kernel asks for CAP_SYS_RESOURCE on the host, and init in a user namespace has none there.
    inside = any(ns.type == "user" for ns in spec.linux.namespaces)
    for limit in asked.rlimits:
        _may_raise(limit, mighty and not inside)
    if asked.oomScoreAdj is not None and not mighty:
        _may_lower(asked.oomScoreAdj)


def _may_raise(limit: Rlimit, mighty: bool) -> None:
    known = which(limit)
    hard = rlimit.get_limit(known)[1]
    if not mighty and _number(limit.hard) > hard:
        raise Unsupported(
            f"the hard limit of {known.name.lower()} cannot be {shown(limit.hard)}",
            f"here it is {shown(hard)}, and raising it needs CAP_SYS_RESOURCE on the host",
            f"ask for at most {shown(hard)}, or start minirun with a higher limit (ulimit -H)",
        )


def _may_lower(score: int) -> None:
    now = int(procfs.read("/proc/self/oom_score_adj"))
    if score < now:
        raise Unsupported(
            f"oom_score_adj cannot be {score}",
            f"here it is {now}, and lowering it needs CAP_SYS_RESOURCE on the host",
            f"ask for {now} or more",
        )


def parse(words: Iterable[str]) -> tuple[Rlimit, ...]:
    """docker's ``--ulimit nofile=1024:2048``; one number is both, -1 is unlimited.

    The last one of a name counts. Raises UsageError.
    """
    limits = [_parse(word) for word in words]
    return tuple({limit.type: limit for limit in limits}.values())


def _parse(word: str) -> Rlimit:
    name, equals, values = word.partition("=")
    if not equals or name.upper() not in rlimit.Rlimit.__members__:
        known = " ".join(one.name.lower() for one in rlimit.Rlimit)
        raise UsageError(
            f"--ulimit {word!r} is not understood", "it wants NAME=SOFT[:HARD]", f"the names are: {known}"
        )
    soft, colon, hard = values.partition(":")
    try:
        low = int(soft)
        high = int(hard) if colon else low
    except ValueError:
        raise UsageError(
            f"--ulimit {word!r} is not understood", "SOFT and HARD are numbers", "-1 stands for unlimited"
        ) from None
    limit = Rlimit(type=f"RLIMIT_{name.upper()}", soft=low, hard=high)
    if low < -1 or high < -1 or _number(low) > _number(high):
        raise UsageError(
            f"--ulimit {word!r} contradicts itself",
            "the soft limit must lie between 0 and the hard limit",
            "-1 stands for unlimited",
        )
    return _normal(limit)


def _normal(limit: Rlimit) -> Rlimit:
    """-1 as OCI writes it: the highest number of 64 bits."""
    return Rlimit(type=limit.type, soft=_number(limit.soft), hard=_number(limit.hard))


def _number(value: int) -> int:
    return INFINITY if value < 0 else value


def which(limit: Rlimit) -> rlimit.Rlimit:
    """The kernel's number of it. Raises InvalidInput for a name that it does not have."""
    try:
        return rlimit.Rlimit[limit.type.removeprefix("RLIMIT_")]
    except KeyError:
        raise InvalidInput(
            f"{limit.type!r} is not a resource limit",
            "the kernel has none of that name",
            "see getrlimit(2); the names begin with RLIMIT_",
        ) from None
