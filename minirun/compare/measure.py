"""Measures every rung: a first run to see whether it is there, then all in turn.

Layer ``compare``. In turn, so that a machine which drifts (its clock rate, its
other work) drifts for all of them. A rung that fails gets the reason in place
of numbers, and the others go on. Read ``ladder.py``, then ``attempt.py``.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from minirun.compare import attempt, kernel, processes, reach, syscalls
from minirun.compare.attempt import Attempt, Failed, Silent
from minirun.compare.kernel import Kernel
from minirun.compare.ladder import Rung, ladder
from minirun.compare.processes import Process
from minirun.compare.reach import Reach
from minirun.compare.stage import Stage
from minirun.compare.syscalls import Syscalls
from minirun.errors import MinirunError, UsageError
from minirun.values import Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from minirun.container.state import Store

#: Says one thing, then stays until its stdin ends: time for a look, and an end without a kill.
WORKLOAD = ("sh", "-c", "echo ready; exec cat")


#: A plain process that prints nothing for so long, in seconds, is not going to.
_SPEECHLESS = 10.0
#: So much of what a program printed is kept.
_SHOWN = 1000


class Wish(Value):
    """What shall be compared. ``timeout`` is seconds for one run; no ``rungs`` are all of them."""

    image: str = "busybox"
    command: tuple[str, ...] = WORKLOAD
    runs: int = 5
    timeout: float = 60.0
    rungs: tuple[str, ...] = ()


class Measured(Value):
    """One rung, measured; or ``missing``: why it is not.

    Times are milliseconds; ``first`` is that of the run before all others,
    which pays for what is made once (a virtual machine's template).
    ``processes`` is None where the program had ended before one could look.
    """

    rung: str
    what: str
    line: tuple[str, ...] = ()
    missing: str = ""
    first: float = 0.0
    output: str = ""
    """The beginning of what the first run printed."""
    starts: tuple[float, ...] = ()
    processes: tuple[Process, ...] | None = None
    kernel: Kernel | None = None
    reach: Reach | None = None
    """What is there for who has taken the program over."""
    syscalls: Syscalls = Syscalls()


class Comparison(Value):
    """The answer: the wish, the host's kernel, and a Measured for each rung."""

    wish: Wish
    host: Kernel
    rungs: tuple[Measured, ...]
    absent: dict[str, str] = {}
    """Rung -> why it is left out."""


def compare(store: Store, wish: Wish, tell: Callable[[str], None] = lambda word: None) -> Comparison:
    """Measures; ``tell`` hears of the progress. Raises MinirunError, UsageError, NotFound.

    Makes the calling process the parent of all that is orphaned below it
    (PR_SET_CHILD_SUBREAPER, prctl(2)), and moves it to a mount namespace of its own.
    """
    if os.geteuid():
        raise MinirunError(
            "compare needs root",
            "it starts containers, and looks at the memory of every process of theirs",
            "run it as root",
        )
    with Stage(store, wish.image, wish.command) as stage, attempt.tending_orphans():
        rungs, absent = ladder(stage, store)
        sheets = [_Sheet(rung, stage, wish.timeout) for rung in _chosen(rungs, wish.rungs, absent)]
        _all_in_turn(sheets, wish.runs, tell)
        done = tuple(sheet.measured() for sheet in sheets)
    return Comparison(wish=wish, host=kernel.of_host(), rungs=_with_roles(done), absent=absent)


def _chosen(rungs: Sequence[Rung], wanted: Iterable[str], absent: dict[str, str]) -> list[Rung]:
    names = [rung.name for rung in rungs]
    for name in wanted:
        if name in absent:
            raise MinirunError(f"cannot measure {name}", absent[name], "install it, or leave that rung out")
        if name not in names:
            raise UsageError(
                f"there is no rung {name!r}", "it is none of those that can be compared", ", ".join(names)
            )
    # The process is what the others are measured against.
    return [rung for rung in rungs if not wanted or rung.name in {"process", *wanted}]


def _all_in_turn(sheets: Sequence[_Sheet], runs: int, tell: Callable[[str], None]) -> None:
    patience = attempt.PATIENCE
    for sheet in sheets:
        sheet.patience = patience
        tell(f"{sheet.rung.name}: the first run")
        sheet.do(sheet.warm_up)
        # Who does not end with its stdin has to be killed each time: found out once, on the cheapest.
        patience = sheets[0].patience
    for number in range(1, runs + 1):
        for sheet in sheets:
            sheet.patience = patience
            tell(f"{sheet.rung.name}: run {number} of {runs}")
            sheet.do(sheet.start, number == runs)
    for sheet in sheets:
        tell(f"{sheet.rung.name}: its system calls")
        sheet.do(sheet.trace)
        tell(f"{sheet.rung.name}: its kernel")
        sheet.do(sheet.ask)


class _Sheet:
    """The sheet on which the results of one rung are noted."""

    def __init__(self, rung: Rung, stage: Stage, timeout: float) -> None:
        self.rung = rung
        self.stage = stage
        self.timeout = min(timeout, _SPEECHLESS) if rung.name == "process" else timeout
        self.patience = attempt.PATIENCE
        self.missing = ""
        self.first = 0.0
        self.output = ""
        self.starts: list[float] = []
        self.processes: tuple[Process, ...] | None = None
        self.kernel: Kernel | None = None
        self.reach: Reach | None = None
        self.syscalls = Syscalls()

    def do(self, work: Callable[..., None], *args: object) -> None:
        """Does a part of the work, unless the rung has failed already; its failure is noted."""
        if self.missing:
            return
        try:
            work(*args)
        except Silent as error:
            if self.rung.name == "process":  # then it is silent on every other rung as well
                raise MinirunError(
                    f"the command printed nothing within {self.timeout:g} s",
                    "a start is timed to the first output, and there was none",
                    "compare one that speaks, such as: sh -c 'echo ready; exec sleep 1000'",
                ) from error
            self.missing = str(error)
        except Failed as error:
            self.missing = str(error)

    def warm_up(self) -> None:
        """Fills caches and makes what is made once; here it shows whether the rung is usable."""
        done = self._run(self.stage.args)
        self.first = done.milliseconds
        self.output = done.output[:_SHOWN]
        if done.forced:
            self.patience = 0.0

    def start(self, look: bool) -> None:
        """One run for the time; with ``look`` its processes are looked at, too."""
        done = self._run(self.stage.args, processes.settled if look else None)
        self.starts.append(done.milliseconds)
        if done.seen:
            self.processes = done.seen

    def trace(self) -> None:
        """One run under strace, whose failure leaves the other numbers as they are."""
        file = f"{self.stage.scratch}/strace"
        line = self.rung.line(self.stage.args)
        try:
            wrapped = syscalls.under_strace(line, file)
            attempt.run(wrapped, self.rung.environment, 3 * self.timeout, self.patience)
            with open(file, errors="surrogateescape") as lines:
                self.syscalls = syscalls.count(lines, self.stage.args)
        except Failed as error:
            self.syscalls = Syscalls(note=str(error))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file)

    def ask(self) -> None:
        """One run of a script that tells about its kernel; an image without a shell cannot."""
        line = self.rung.line(self.stage.asking)
        with contextlib.suppress(Failed):
            done = attempt.run(line, self.rung.environment, self.timeout, self.timeout)
            told, _, _ = done.output.partition(reach.MARK)
            self.kernel, self.reach = kernel.parse(told), reach.parse(done.output)

    def _run(self, args: tuple[str, ...], look: Callable[[], tuple[Process, ...]] | None = None) -> Attempt:
        line = self.rung.line(args)
        return attempt.run(line, self.rung.environment, self.timeout, self.patience, look)

    def measured(self) -> Measured:
        """What is on the sheet."""
        return Measured(
            rung=self.rung.name,
            what=self.rung.what,
            line=tuple(self.rung.line(self.stage.args)),
            missing=self.missing,
            first=self.first,
            output=self.output,
            starts=tuple(self.starts),
            processes=self.processes,
            kernel=self.kernel,
            reach=self.reach,
            syscalls=self.syscalls,
        )


def _with_roles(rungs: tuple[Measured, ...]) -> tuple[Measured, ...]:
    """Tells the program from what is beside it: it is what the plain process was, if one sees it."""
    plain = next((one.processes for one in rungs if one.rung == "process"), None)
    programs = {each.program for each in plain or ()}
    found = []
    for one in rungs:
        alone = one.rung == "process"
        seen = one.processes and tuple(
            replace(each, role="program" if alone else processes.role(each, programs))
            for each in one.processes
        )
        if seen and all(each.role == "client" for each in seen):
            seen = None  # who shows the output, or clears up, has outlived the program
        calls = one.syscalls
        if alone:
            calls = replace(calls, total=calls.program)  # what came before its execve is unshare(1)'s
        elif seen and programs and calls.total and not any(each.role == "program" for each in seen):
            calls = replace(calls, program=calls.program or 0)  # ps does not show it, and strace did not
        found.append(replace(one, processes=seen, syscalls=calls))
    return tuple(found)
