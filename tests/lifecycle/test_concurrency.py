"""Two commands on one container at once, or fifty on fifty: each outcome is one of the allowed.

While they run, `minirun gc` sweeps without a pause, and must find nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minirun.container.gc import gc
from minirun.container.options import Options
from minirun.container.state import Store
from tests.conftest import Minirun
from tests.lifecycle import attempts
from tests.lifecycle.test_faults import store  # noqa: F401  (fixture)
from tests.needs import needs

pytestmark = needs("root", "overlay", "userns", "pids")

MANY = 50

#: Ends with 0 when asked to, so that a 137 shows an impatient SIGKILL.
POLITE = ("sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done")


class Done:
    """How one of several commands ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.out, self.err = process.communicate(timeout=60)
        self.code = process.returncode

    def __repr__(self) -> str:
        return f"{self.code}: {self.out}{self.err}"


def at_once(minirun: Minirun, *commands: tuple[str, ...]) -> list[Done]:
    """Runs all of them at the same time."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [minirun.popen(*words, **pipes) for words in commands]
    return [Done(process) for process in processes]


@contextmanager
def sweeping(store: Store) -> Iterator[None]:
    """`gc` in a loop, beside whatever is done meanwhile. It must not find anything to do."""
    reading, writing = os.pipe()

    def sweep() -> int:
        os.close(writing)
        os.set_blocking(reading, False)
        lines: list[str] = []
        while True:
            lines += gc(store)
            try:
                os.read(reading, 1)
            except BlockingIOError:
                continue
            print("\n".join(lines))
            return 1 if lines else 0

    pid, output = attempts.forked(sweep)
    os.close(reading)
    try:
        yield
    finally:
        os.close(writing)
        code = attempts.exit_code_of(pid)
        said = attempts.text_of(output)
    assert code == 0, f"gc found something: {said}"


def detached(name: str, *flags: str, command: tuple[str, ...] = ("sleep", "1000")) -> tuple[str, ...]:
    """The words of a `run -d`."""
    return ("run", "-d", "--name", name, "--network", "none", *flags, "busybox", *command)


@pytest.mark.slow
def test_fifty_are_run_and_removed(minirun: Minirun, store: Store) -> None:
    """Each in a user namespace: fifty ranges of ids, none lent twice."""
    names = [f"many{number}" for number in range(MANY)]
    clean = attempts.traces(store)
    with sweeping(store):
        started = at_once(minirun, *[detached(name, "--userns", "private") for name in names])
        assert [done.code for done in started] == [0] * MANY, started
        homes = [store.find(name) for name in names]
        assert {home.id for home in homes} == {done.out.strip() for done in started}
        assert {home.status() for home in homes} == {"running"}
        firsts = {home.record().spec.linux.uidMappings[0].hostID for home in homes}
        assert len(firsts) == MANY and all(first % 65536 == 0 for first in firsts)
        maps = {Path(f"/proc/{home.live_pid()}/uid_map").read_text().split()[1] for home in homes}
        assert maps == {str(first) for first in firsts}
        removed = at_once(minirun, *[("rm", "-f", name) for name in names])
        assert [done.code for done in removed] == [0] * MANY, removed
    assert attempts.traces(store) - clean == set()
    assert not [place for home in homes for place in attempts.cgroups_of(home.id) if os.path.isdir(place)]


@pytest.mark.slow
def test_fifty_on_one(minirun: Minirun, store: Store) -> None:
    """exec, wait, stop, rm -f: each told apart, none impatient, none left waiting."""
    minirun(*detached("one", command=POLITE), check=True)
    ready(minirun, "one")
    with sweeping(store):
        done = at_once(minirun, *[("exec", "one", "sh", "-c", f"echo {n}; exit {n}") for n in range(MANY)])
        assert [(each.code, each.out) for each in done] == [(n, f"{n}\n") for n in range(MANY)], done
        waiting = [minirun.popen("wait", "one", stdout=subprocess.PIPE, text=True) for _ in range(MANY)]
        stopped = at_once(minirun, *[("stop", "one")] * MANY)
        assert [each.code for each in stopped] == [0] * MANY, stopped
        assert {Done(process).out.strip() for process in waiting} == {"0"}
        removed = at_once(minirun, *[("rm", "-f", "one")] * MANY)
        assert [each.code for each in removed] == [0] * MANY, removed
    assert store.ids() == []


def ready(minirun: Minirun, name: str) -> None:
    """Waits for the program's first line."""
    follower = minirun.popen("logs", "-f", name, stdout=subprocess.PIPE)
    assert follower.stdout
    follower.stdout.readline()
    follower.kill()
    follower.communicate()


def test_one_of_several_starts_wins(minirun: Minirun, store: Store) -> None:
    """Of a created container and of an ended one; the others are told that it runs."""
    minirun("create", "--name", "one", "--network", "none", "busybox", "sleep", "1000", check=True)
    for _ in range(2):
        with sweeping(store):
            done = at_once(minirun, *[("start", "one")] * 10)
            assert Counter(each.code for each in done) == {0: 1, 125: 9}, done
            assert all("cannot be started" in each.err for each in done if each.code), done
        minirun("stop", "-t", "0", "one", check=True)


def test_one_of_several_names_wins(minirun: Minirun, store: Store) -> None:
    """Also where the name is one that a crash has left."""
    for round in range(2):
        if round:
            os.symlink("0" * 64, f"{store.root}/names/same")
        done = at_once(minirun, *[detached("same")] * 10)
        assert Counter(each.code for each in done) == {0: 1, 125: 9}, done
        assert all("the name 'same' is in use" in each.err for each in done if each.code)
        assert len(store.ids()) == 1
        minirun("rm", "-f", "same", check=True)


def test_one_of_several_removals_wins(minirun: Minirun, store: Store) -> None:
    """Without -f the others are told that it is gone."""
    minirun("run", "--name", "one", "--network", "none", "busybox", "true", check=True)
    done = at_once(minirun, *[("rm", "one")] * 10)
    assert Counter(each.code for each in done) == {0: 1, 125: 9}, done
    assert store.ids() == []


def test_rm_races_with_the_end_of_a_container_with_rm(minirun: Minirun, store: Store) -> None:
    """Both remove it, in either order, attached or detached: both come back, nothing is left."""
    clean = attempts.traces(store)
    run = ("run", "--rm", "--name", "one", "--network", "none", "busybox", "true")
    with sweeping(store):
        for round in range(12):
            words = run if round % 2 else ("run", "-d", *run[1:])
            done = at_once(minirun, words, *[("rm", "-f", "one")] * 3)
            assert done[0].code in (0, 125, 137), done
            assert [each.code for each in done[1:]] == [0, 0, 0], done
            minirun("rm", "-f", "one", check=True)
    assert attempts.traces(store) - clean == set()


def test_everything_on_one(minirun: Minirun, store: Store) -> None:
    """Whatever the order in which they come: no traceback, no lost lock, nothing left."""
    clean = attempts.traces(store)
    words = [("start",), ("stop", "-t", "0"), ("kill",), ("pause",), ("unpause",), ("inspect",), ("logs",)]
    with sweeping(store):
        minirun(*detached("one"), check=True)
        done = at_once(minirun, *[(*each, "one") for each in words * 5])
        assert {each.code for each in done} <= {0, 125}
        assert not [each for each in done if "bug" in each.err or "foresee" in each.err]
        minirun("rm", "-f", "one", check=True)
    assert attempts.traces(store) - clean == set()


def test_rm_of_a_container_whose_client_stands_still(minirun: Minirun, store: Store) -> None:
    """An attached command that reads nothing holds up the output, but no removal."""
    client = minirun.popen(
        "run", "--rm", "--name", "one", "--network", "none", "busybox", "yes", stdout=subprocess.PIPE
    )
    assert client.stdout
    client.stdout.readline()
    client.send_signal(signal.SIGSTOP)
    minirun("rm", "-f", "one", check=True, timeout=20)
    assert store.ids() == []
    client.send_signal(signal.SIGCONT)
    client.communicate(timeout=20)


@pytest.mark.slow
def test_two_hundred_starts_leave_no_descriptor_and_no_lock(store: Store) -> None:
    """In one process, as the Python API makes them."""
    options = Options(image="busybox", command=("true",), network=("none",), rm=True, userns="private")

    def starts() -> int:
        attempts.as_the_command(store, options)
        before = os.listdir("/proc/self/fd"), locks()
        codes = {attempts.as_the_command(store, options) for _ in range(200)}
        after = os.listdir("/proc/self/fd"), locks()
        print(codes, before, after)
        return 0 if codes == {0} and before == after else 1

    ended = attempts.finished(starts)
    assert ended.code == 0, ended.said


def locks() -> int:
    """How many file locks this process holds."""
    lines = Path("/proc/locks").read_text().splitlines()
    return sum(line.split()[4] == str(os.getpid()) for line in lines if "->" not in line)
