"""SIGKILL at every step of the plan: afterwards, with `minirun gc` at most, nothing is left.

The moments come from the plan itself, right before and right after each of its
steps, on both sides. At each one is killed: who does the step, the other side,
the command, or all of them. A container that has nothing to do with it runs all
the while. See attempts.py for how, and test_bookkeeping_faults.py for the
moments that no plan has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.container.gc import gc
from minirun.container.options import Options
from minirun.container.remove import remove
from minirun.container.state import Store
from minirun.values import replace
from tests.conftest import Minirun
from tests.lifecycle import attempts
from tests.needs import needs

pytestmark = needs("root", "overlay", "userns", "timens", "memory", "cpu", "cpuset", "io", "pids")

Kind = Callable[[Path], Options]


@pytest.fixture
def store(minirun: Minirun) -> Iterator[Store]:
    """The session's store, in which everything is made that stays: directories, a filter, cgroups for all."""
    minirun("run", "--rm", "--network", "none", "--userns", "private", "busybox", "true", check=True)
    with attempts.shared_groups():
        yield Store(root=str(minirun.root), state=str(minirun.state))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """A directory in which a program that runs leaves a mark, also as another user."""
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(0o755)
    place = tmp_path / "marks"
    place.mkdir()
    place.chmod(0o777)
    return place


@pytest.fixture
def bystander(minirun: Minirun) -> Iterator[int]:
    """The pid of a container that is nobody's business; it must be the same afterwards."""
    minirun("run", "-d", "--name", "bystander", "--network", "none", "busybox", "sleep", "1000", check=True)
    pid = minirun("inspect", "-f", "{{.state.pid}}", "bystander").stdout
    yield int(pid)
    assert minirun("exec", "bystander", "echo", "well").stdout == "well\n"
    assert minirun("inspect", "-f", "{{.state.pid}}", "bystander").stdout == pid


#: Right after a step is right before the next, but on the other side: twice only where it tells more.
KILLS = {"self": ("before", "after"), "all": ("before", "after"), "peer": ("before",), "command": ("before",)}


@pytest.mark.slow
@pytest.mark.parametrize(("whom", "moments"), KILLS.items(), ids=KILLS)
def test_killed_at_any_step(
    store: Store, bystander: int, marks: Path, whom: str, moments: tuple[str, ...]
) -> None:
    """Of a plan with a step of every kind, in a user namespace, with a terminal."""
    walk(store, replace(attempts.everything(marks), rm=True), marks, whom, moments)


@pytest.mark.slow
def test_killed_at_any_step_of_a_plain_start(store: Store, bystander: int, marks: Path) -> None:
    """Of the plan that most containers have."""
    walk(store, replace(attempts.plain(marks), rm=True), marks, "all", ("before", "after"))


@pytest.mark.slow
@needs("runc")
@pytest.mark.parametrize(("whom", "moment"), [("self", "before"), ("all", "after")])
def test_killed_at_any_step_where_runc_makes_the_container(
    store: Store, bystander: int, marks: Path, whom: str, moment: str
) -> None:
    """Of the plan in which another runtime does what init does else; with pipes, and with a terminal."""
    options = replace(attempts.plain(marks), runtime="runc", tty=whom == "all", rm=True)
    walk(store, options, marks, whom, (moment,))


def walk(
    store: Store,
    options: Options,
    marks: Path,
    whom: str,
    moments: tuple[str, ...],
    chapter: str = "",
) -> None:
    """Kills ``whom`` at each moment of the plan, sweeps once, and looks for what is left.

    With ``chapter`` only at the steps that belong there.
    """
    plan = attempts.plan_of(store, options)
    gate = next(number for number, step in enumerate(plan, 1) if step.title == "wait at the gate")
    attempts.disturbed(store, options, 0, "", "self")  # makes the volume that stays
    (marks / "ran").unlink()
    clean = attempts.traces(store)
    wrong = []
    chosen = [(number, step) for number, step in enumerate(plan, 1) if step.chapter.startswith(chapter)]
    for number, step in chosen:
        for moment in moments:
            ended = attempts.disturbed(store, options, number, moment, whom)
            swept = gc(store)
            left = attempts.traces(store) - clean
            ran = (marks / "ran").exists()
            (marks / "ran").unlink(missing_ok=True)
            what = f"{moment} {number} ({step.side}: {step.title})"
            # The last step never returns, so there is no moment after it; but for one that calls a runtime.
            if ended.reached != (number < len(plan) or moment == "before" or bool(options.runtime)):
                wrong.append(f"{what}: not reached: {ended}")
            if left:
                wrong.append(f"{what}: left {sorted(left)}; gc said {swept}; {ended}")
            if ran and number <= gate and whom in ("self", "all"):
                wrong.append(f"{what}: the program ran")
            if whom == "command" and number > gate and not ran:
                wrong.append(f"{what}: the death of the command kept the program from running")
    assert not wrong, "\n".join(wrong)


def test_a_killed_command_loses_neither_exit_code_nor_logs(store: Store, marks: Path) -> None:
    """From the gate on the container lives without the command that started it."""
    options = attempts.plain(marks)
    plan = attempts.plan_of(store, options)
    gate = next(number for number, step in enumerate(plan, 1) if step.title == "wait at the gate")
    for number in range(gate + 1, len(plan) + 1):
        ended = attempts.disturbed(store, options, number, "before", "command")
        assert (ended.reached, ended.code) == (True, -9)
        home = store.find("disturbed")
        exit = home.exit()
        assert exit and (exit.exitCode, exit.error) == (0, None)
        assert " stdout F out\n" in Path(home.data, "container.log").read_text()
        assert gc(store) == []  # an ended container is no ruin
        remove(home, volumes=True)
        assert not store.ids()


def test_a_killed_start_keeps_what_was_there(store: Store, marks: Path) -> None:
    """`start` of an ended container is cut off: its files, and how it ended before, stay."""
    options = attempts.plain(marks)
    assert attempts.disturbed(store, options, 0, "", "self").code == 0
    home = store.find("disturbed")
    before = home.exit()
    clean = attempts.traces(store)
    plan = attempts.plan_of(store, replace(options, name=""))
    gate = next(number for number, step in enumerate(plan, 1) if step.title == "wait at the gate")
    for number in range(1, gate):
        whom = "self" if number % 2 else "all"
        ended = attempts.disturbed(store, options, number, "before", whom, again=home)
        gc(store)
        assert ended.reached
        assert attempts.traces(store) - clean == set(), (number, whom)
        assert home.exit() == before, (number, whom)
    assert attempts.disturbed(store, options, 0, "", "self", again=home).code == 0
    assert os.path.exists(marks / "ran")
    remove(home, volumes=True)
