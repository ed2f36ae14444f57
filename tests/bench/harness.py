"""Times whole processes, in turns, and keeps what one table needs.

A machine drifts by half within an hour, so a number alone says nothing. Here
two run in turns (A B, B A, A B ...: what one leaves to do behind its back must
not always hit the same), each round gives one ratio, and the median of the
ratios is the answer; minirun meets each peer in rounds of their own. Nothing is
asserted: a bar that is missed is printed, for a person to read. A process is
timed from posix_spawn(3) to wait4(2), which is what somebody at a prompt waits
for. Read ``peers.py`` next, then ``__main__.py``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Python must find the installed minirun, with its .pyc files, and nothing of the repository.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP")
}

Contestant = Callable[[], float] | Sequence[str]


def spend(argv: Sequence[str]) -> float:
    """Milliseconds from the start of ``argv`` to its end; stdout goes to /dev/null.

    Raises RuntimeError with the process's own words when it fails: a run that
    did not do its work is no measurement.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    words, theirs = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, null, 0),
        (os.POSIX_SPAWN_DUP2, null, 1),
        (os.POSIX_SPAWN_DUP2, theirs, 2),
    ]
    start = time.perf_counter()
    child = os.posix_spawnp(argv[0], list(argv), ENVIRONMENT, file_actions=actions)
    _, status, _ = os.wait4(child, 0)
    spent = (time.perf_counter() - start) * 1e3
    os.close(null)
    os.close(theirs)
    os.set_blocking(words, False)
    with open(words, "rb") as stream:
        said = (stream.read() or b"").decode(errors="replace")
    if status != 0:
        raise RuntimeError(f"{' '.join(argv)[:300]}: exit {os.waitstatus_to_exitcode(status)}: {said}")
    return spent


def output(argv: Sequence[str]) -> str:
    """What ``argv`` prints. Raises RuntimeError, as ``spend`` does."""
    done = subprocess.run(argv, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr}")
    return done.stdout.strip()


Pair = tuple[list[float], list[float]]


def in_turns(contestants: Mapping[str, Contestant], rounds: int, warm: int = 2) -> dict[str, Pair]:
    """The first against each other: by the other's name, milliseconds of both in each round.

    ``warm`` rounds before them do not count.
    """
    (_, ours), *others = contestants.items()
    return {name: duel(ours, theirs, rounds, warm) for name, theirs in others}


def duel(one: Contestant, other: Contestant, rounds: int, warm: int) -> Pair:
    """Milliseconds of the two, round by round."""
    times: Pair = ([], [])
    for number in range(-warm, rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            act = (one, other)[which]
            spent = act() if callable(act) else spend(act)
            if number >= 0:
                times[which].append(spent)
    return times


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def spread(values: Sequence[float], scale: float = 1.0, digits: int = 1) -> str:
    """``40.2 (36.1..55.0)``: the median, the least, the most."""
    middle, least, most = (f(values) / scale for f in (statistics.median, min, max))
    return f"{middle:.{digits}f} ({least:.{digits}f}..{most:.{digits}f})"


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, of whom, and what it may be."""

    what: str
    minirun: str
    beside: str = ""
    bar: str = ""


def compare(
    what: str, pairs: Mapping[str, Pair], bars: Mapping[str, float] | None = None, seconds: bool = False
) -> Row:
    """minirun beside each other; ``bars`` says how large a ratio may be."""
    scale, digits, unit = (1e3, 2, "s") if seconds else (1.0, 1, "ms")
    found = {name: ratio(*pair) for name, pair in pairs.items()}
    all_ours = [spent for ours, _ in pairs.values() for spent in ours]
    beside = (
        f"{name} {spread(theirs, scale, digits)}: **{found[name]:.2f} x**"
        for name, (_, theirs) in pairs.items()
    )
    said = (
        judged(f"{bar:g} x {name}", found[name] <= bar) for name, bar in (bars or {}).items() if name in found
    )
    return Row(f"{what}, {unit}", spread(all_ours, scale, digits), "; ".join(beside), "; ".join(said))


def judged(bar: str, met: bool, bound: str = "at most") -> str:
    """A bar and whether it was met: for a person, nothing fails."""
    return f"{bound} {bar}: {'met' if met else '**missed**'}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, as README has it."""
    lines = [("what", "minirun", "beside it", "bar"), ("---",) * 4]
    lines += [(row.what, row.minirun, row.beside, row.bar) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def note(text: str) -> None:
    """Tells the one who waits what is being measured."""
    print(f"bench: {text} ...", file=sys.stderr, flush=True)
