"""A plan is a list of steps; a step is one or a few system calls, held back.

Free to every layer: the types of the one idea of minirun. ``isolation/*``
and ``network/*`` write steps without doing anything, ``container/plan.py``
puts them in order, ``container/create.py`` walks the list.

    Call    a function of ``linux/`` and its arguments, not called yet
    Step    calls that keep one promise, the reason, and the calls that undo it
    Ref     an argument that an earlier call will have produced (a pid, a fd);
            Known, once it has
    Walk    does the steps of one side, remembers how to undo, and traces

Because a call is data, ``explain`` prints it, ``run --trace`` prints the same
while it happens, a failure undoes what was done in reverse, and a test needs
no root to compare two lists. Read ``container/plan.py`` next.
"""

from __future__ import annotations

import os
import time

from minirun.errors import MinirunError, StepFailed, hint, reason
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

#: The two sides of a start. ``host`` is the process that becomes the
#: monitor; ``init`` is the container's first process.
HOST, INIT = "host", "init"


class Ref(Value):
    """Stands for the result of the earlier step that is stored as ``name``.

    ``form`` puts it into a string: ``Ref(name="init", form="/proc/{}/uid_map")``.
    """

    name: str
    form: str = ""

    def __str__(self) -> str:
        shown = f"<{self.name}>"
        return self.form.replace("{}", shown) if self.form else shown


class Known(Ref):
    """A Ref with the descriptor or pid it stands for: ``3<rootfs>``, as `strace -y` has it."""

    value: int

    def __str__(self) -> str:
        return f"{self.value}<{self.name}>"


class Call:
    """One call of ``function`` with ``args``, held back."""

    __slots__ = ("args", "function")

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function = function
        self.args = args

    @property
    def name(self) -> str:
        """The system call's name, as strace would print it."""
        return str(getattr(self.function, "syscall", self.function.__name__))

    @property
    def manual(self) -> str:
        """The man page that explains it, such as ``mount(2)``; may be empty."""
        return str(getattr(self.function, "manual", ""))

    def __str__(self) -> str:
        show = getattr(self.function, "show", None)
        if show is not None:
            return str(show(*self.args))
        return f"{self.name}({', '.join(map(_argument, self.args))})"

    def __call__(self, results: dict[str, Any]) -> Any:
        return self.function(*[_resolve(arg, results) for arg in self.args])

    def known(self, results: dict[str, Any]) -> Call:
        """The same call as it is told: with what its Refs turned out to be."""
        return Call(self.function, *[_known(arg, results) for arg in self.args])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return self.function is other.function and self.args == other.args

    def __repr__(self) -> str:
        return f"Call({self})"

    __hash__ = None  # type: ignore[assignment]  # arguments may be lists


def syscall(name: str, manual: str = "", show: Callable[..., str] | None = None) -> Callable[[F], F]:
    """Marks a function of ``linux/`` as the door to one system call.

    ``name`` is the call (``mount``), ``manual`` its page where that is not
    ``name(2)``; ``show(*args)`` renders the call where the plain list of the
    arguments would not look like what the kernel gets.
    """

    def mark(function: F) -> F:
        function.syscall = name  # type: ignore[attr-defined]  # a function takes any mark
        function.manual = manual or f"{name}(2)"  # type: ignore[attr-defined]  # as above
        if show is not None:
            function.show = show  # type: ignore[attr-defined]  # as above
        return function

    return mark


class Step:
    """One promise: ``calls`` that keep it, ``why``, and ``undo`` calls.

    ``title`` names the step in a few words ("mount /proc"). ``result`` stores
    what the last call returned, for a later ``Ref``. ``undo`` is empty where
    the kernel undoes by itself: everything inside a mount namespace goes with
    its last process. ``chapter`` points into the tutorial.
    """

    __slots__ = ("calls", "chapter", "result", "side", "title", "undo", "why")

    def __init__(
        self,
        title: str,
        *calls: Call,
        why: str,
        side: str = INIT,
        undo: Sequence[Call] = (),
        result: str = "",
        chapter: str = "",
    ) -> None:
        self.title = title
        self.calls = calls
        self.why = why
        self.side = side
        self.undo = tuple(undo)
        self.result = result
        self.chapter = chapter

    def __repr__(self) -> str:
        return f"Step({self.side}: {self.title})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Step):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # as Call


class Walk:
    """Does the steps of one side, in order, and can take them back.

    ``results`` carries what calls produced, by name; a process forked on the
    way inherits what was there. ``trace(number, step, call, outcome, us)`` is
    called after each call, before it for the call that never returns
    (execve). ``fault(number, moment)`` is the tests' door: it is called
    "before" and "after" each step.
    """

    def __init__(
        self,
        plan: Sequence[Step],
        side: str,
        results: dict[str, Any] | None = None,
        trace: Callable[[int, Step, Call, str, float], None] | None = None,
        fault: Callable[[int, str], None] | None = None,
    ) -> None:
        self.plan = plan
        self.side = side
        self.results: dict[str, Any] = results if results is not None else {}
        self.trace = trace
        self.fault = fault
        self.done: list[Step] = []

    def run(self) -> None:
        """Walks the whole plan, doing this side's steps. Raises what ``do`` raises."""
        for number, step in enumerate(self.plan, 1):
            if step.side == self.side:
                self.do(number, step)

    def do(self, number: int, step: Step) -> None:
        """Does one step. Raises StepFailed (or the call's own MinirunError)."""
        # Noted before it is done: a step of several calls may fail in the middle.
        self.done.append(step)
        outcome: Any = None
        call = step.calls[0]
        try:
            if self.fault:
                self.fault(number, "before")
            for call in step.calls:
                outcome = self._call(number, step, call)
            if step.result:
                self.results[step.result] = outcome
            if self.fault:
                self.fault(number, "after")
        except MinirunError:
            raise
        except OSError as error:
            raise StepFailed(f"cannot {step.title}", f"{call}: {reason(error)}", hint(error)) from error

    def undo(self) -> None:
        """Takes back what was done, last first; what is gone already is fine."""
        while self.done:
            for call in self.done.pop().undo:
                try:
                    call(self.results)
                except (OSError, KeyError, MinirunError):
                    continue  # gone already, or never made: `gc` looks again

    def _call(self, number: int, step: Step, call: Call) -> Any:
        if self.trace is None:
            return call(self.results)
        told = call.known(self.results)
        if call.name == "execve" and self.side == INIT:  # [init] does not come back from it
            self.trace(number, step, told, "", 0.0)
        start = time.perf_counter()
        try:
            outcome = call(self.results)
        except (OSError, MinirunError) as error:
            self.trace(number, step, told, f"-1 {_failure(error)}", _microseconds(start))
            raise
        if call.name != "clone3" or outcome:  # it returns twice: told once, by the parent
            self.trace(number, step, told, _outcome(outcome), _microseconds(start))
        return outcome


def _resolve(arg: Any, results: dict[str, Any]) -> Any:
    if isinstance(arg, Ref):
        value = results[arg.name]
        return arg.form.replace("{}", str(value)) if arg.form else value
    return arg


def _known(arg: Any, results: dict[str, Any]) -> Any:
    if not isinstance(arg, Ref) or arg.name not in results:
        return arg
    value = _resolve(arg, results)
    return Known(name=arg.name, value=value) if type(value) is int else value


def _argument(arg: Any) -> str:
    if isinstance(arg, Ref):
        return str(arg)
    if arg is None:
        return "NULL"
    if isinstance(arg, bool):
        return str(int(arg))
    if isinstance(arg, (str, os.PathLike)):
        return '"' + os.fspath(arg).replace("\n", "\\n") + '"'
    if isinstance(arg, bytes):
        return f"<{len(arg)} bytes>"
    if isinstance(arg, (list, tuple)):
        return "[" + ", ".join(map(_argument, arg)) + "]"
    return str(arg)  # an IntFlag of linux/ prints its names: MS_NOSUID|MS_NODEV


def _outcome(outcome: Any) -> str:
    if outcome is False:  # how a call says that it found nothing to do
        return "skipped"
    if isinstance(outcome, str):
        return f'"{outcome}"'
    return str(int(outcome)) if isinstance(outcome, int) and outcome is not True else "0"


def _failure(error: OSError | MinirunError) -> str:
    return reason(error) if isinstance(error, OSError) else error.what


def _microseconds(start: float) -> float:
    return (time.perf_counter() - start) * 1e6
