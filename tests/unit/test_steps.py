"""A plan as data: calls that are held back, shown, done, traced and taken back."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from minirun import steps
from minirun.errors import Conflict, StepFailed
from minirun.steps import HOST, INIT, Call, Known, Ref, Step, Walk, syscall


class Kernel:
    """Remembers what it was asked, and can refuse."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.refuse: dict[str, Exception] = {}

    def call(self, name: str, *args: Any, gives: Any = None) -> Call:
        @syscall(name)
        def door(*given: Any) -> Any:
            self.asked.append((name, *given))
            if name in self.refuse:
                raise self.refuse[name]
            return gives

        return Call(door, *args)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def plan_of(kernel: Kernel) -> list[Step]:
    """Two sides: a file that is opened, and used by the other."""
    return [
        Step(
            "open it",
            kernel.call("open", "/x", gives=7),
            why="",
            side=HOST,
            result="fd",
            undo=[kernel.call("close", Ref(name="fd"))],
        ),
        Step("look at it", kernel.call("fstat", Ref(name="fd")), why=""),
        Step("go on", kernel.call("write", Ref(name="fd", form="/proc/{}/x"), "a\nb"), why="", side=HOST),
    ]


def test_nothing_is_done_while_planning(kernel: Kernel) -> None:
    plan = plan_of(kernel)
    assert [str(call) for step in plan for call in step.calls] == [
        'open("/x")',
        "fstat(<fd>)",
        'write("/proc/<fd>/x", "a\\nb")'.replace('"/proc/<fd>/x"', "/proc/<fd>/x"),
    ]
    assert plan[0].calls[0].manual == "open(2)"
    assert not kernel.asked
    assert plan == plan_of_equal(plan)
    assert plan[0] != plan[1]


def plan_of_equal(plan: list[Step]) -> list[Step]:
    """The same steps, made anew out of the same functions."""
    return [
        Step(
            step.title,
            *(Call(call.function, *call.args) for call in step.calls),
            why=step.why,
            side=step.side,
            undo=step.undo,
            result=step.result,
        )
        for step in plan
    ]


def test_each_side_does_its_own(kernel: Kernel) -> None:
    plan = plan_of(kernel)
    walk = Walk(plan, HOST)
    walk.run()
    assert kernel.asked == [("open", "/x"), ("write", "/proc/7/x", "a\nb")]
    Walk(plan, INIT, dict(walk.results)).run()
    assert kernel.asked[-1] == ("fstat", 7)


def test_a_refused_call_says_which_step_why_and_what_to_do(kernel: Kernel) -> None:
    kernel.refuse["write"] = OSError(errno.EPERM, "no", "/proc/7/x")
    walk = Walk(plan_of(kernel), HOST)
    with pytest.raises(StepFailed) as caught:
        walk.run()
    assert caught.value.what == "cannot go on"
    assert "EPERM (Operation not permitted)" in caught.value.why
    assert "doctor" in caught.value.remedy
    walk.undo()
    assert kernel.asked[-1] == ("close", 7)
    count = len(kernel.asked)
    walk.undo()  # once is enough
    assert len(kernel.asked) == count


def test_what_the_call_says_itself_comes_first(kernel: Kernel) -> None:
    error = OSError(errno.EPERM, "no")
    error.remedy = "do this"
    kernel.refuse["write"] = error
    with pytest.raises(StepFailed) as caught:
        Walk(plan_of(kernel), HOST).run()
    assert caught.value.remedy == "do this"
    kernel.refuse["write"] = Conflict("taken")
    with pytest.raises(Conflict):
        Walk(plan_of(kernel), HOST).run()


def test_undo_goes_backwards_and_does_not_stop(kernel: Kernel) -> None:
    plan = [
        Step(name, kernel.call(f"make_{name}"), why="", side=HOST, undo=[kernel.call(f"remove_{name}")])
        for name in ("a", "b", "c", "d")
    ]
    kernel.refuse["remove_b"] = OSError(errno.EBUSY, "busy")
    # d fails in its middle: what it did has to go as well.
    kernel.refuse["make_d"] = OSError(errno.ENOSPC, "full")
    walk = Walk(plan, HOST)
    with pytest.raises(StepFailed):
        walk.run()
    kernel.asked.clear()
    walk.undo()
    assert [name for name, *_ in kernel.asked] == ["remove_d", "remove_c", "remove_b", "remove_a"]


def test_undo_of_what_never_came_to_be_is_passed_over(kernel: Kernel) -> None:
    kernel.refuse["open"] = OSError(errno.ENOENT, "gone")
    walk = Walk(plan_of(kernel), HOST)
    with pytest.raises(StepFailed):
        walk.run()
    walk.undo()  # <fd> has no value: nothing to close
    assert kernel.asked == [("open", "/x")]


def test_the_trace_tells_each_call_with_what_came_out(kernel: Kernel) -> None:
    told: list[tuple[int, str, str]] = []
    kernel.refuse["write"] = OSError(errno.EIO, "broken", "/f")

    def trace(number: int, step: Step, call: Call, outcome: str, microseconds: float) -> None:
        assert microseconds >= 0
        told.append((number, str(call), outcome))

    walk = Walk(plan_of(kernel), HOST, trace=trace)
    with pytest.raises(StepFailed):
        walk.run()
    Walk(walk.plan, INIT, walk.results, trace).run()
    assert told == [
        (1, 'open("/x")', "7"),
        (3, 'write("/proc/7/x", "a\\nb")', "-1 EIO (Input/output error): /f"),
        (2, "fstat(7<fd>)", "0"),
    ]


@pytest.mark.parametrize(
    ("gives", "outcome"), [(None, "0"), (True, "0"), (False, "skipped"), (5, "5"), ("/bin/sh", '"/bin/sh"')]
)
def test_outcomes(kernel: Kernel, gives: Any, outcome: str) -> None:
    told: list[str] = []
    plan = [Step("do", kernel.call("x", gives=gives), why="")]
    Walk(plan, INIT, trace=lambda *what: told.append(what[3])).run()
    assert told == [outcome]


def test_execve_is_told_before_and_clone3_once(kernel: Kernel) -> None:
    told: list[str] = []
    child = [Step("make", kernel.call("clone3", gives=0), why="", side=HOST, result="init")]
    Walk(child, HOST, trace=lambda *what: told.append("clone3")).run()
    assert told == []  # in the child: the parent tells
    kernel.refuse["execve"] = OSError(errno.ENOEXEC, "no")
    with pytest.raises(StepFailed):
        Walk([Step("become", kernel.call("execve"), why="")], INIT, trace=lambda *w: told.append(w[3])).run()
    assert told == ["", "-1 ENOEXEC (Exec format error)"]


def test_faults_are_injected_around_each_step(kernel: Kernel) -> None:
    seen: list[tuple[int, str, int]] = []
    walk = Walk(
        plan_of(kernel), HOST, fault=lambda number, when: seen.append((number, when, len(kernel.asked)))
    )
    walk.run()
    assert seen == [(1, "before", 0), (1, "after", 1), (3, "before", 1), (3, "after", 2)]


def test_how_arguments_are_shown() -> None:
    @syscall("x", "x(7)")
    def plain(*args: Any) -> None: ...

    @syscall("y", show=lambda path: f"y({path})")
    def special(path: str) -> None: ...

    shown = str(Call(plain, None, True, "a", b"abc", [1, "b"], Ref(name="fd"), Known(name="fd", value=3)))
    assert shown == 'x(NULL, 1, "a", <3 bytes>, [1, "b"], <fd>, 3<fd>)'
    assert Call(plain).manual == "x(7)"
    assert str(Call(special, Ref(name="fd"))) == "y(<fd>)"
    assert str(Call(special, Ref(name="fd")).known({"fd": 9})) == "y(9<fd>)"
    assert str(Call(special, Ref(name="fd")).known({})) == "y(<fd>)"
    assert steps.reason(OSError(errno.ENOENT, "x", "/a")) == "ENOENT (No such file or directory): /a"
