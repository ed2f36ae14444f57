"""native/pause.c as PID 1 of a PID namespace: who is reaped, what ends it, what it weighs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun import __version__
from minirun.native import build
from tests.needs import needs
from tests.patience import until
from tests.unit.native import PATIENCE, SOURCES, python

#: Children that sleep until they are let go; then their parent leaves, and they are orphans.
ORPHANS = """
import os, sys
gate, _ = os.pipe()
for number in range(int(sys.argv[1])):
    if os.fork() == 0:
        os.close(_)
        os.read(0, 1)
        os._exit(0)
"""
#: Becomes pause with a child that is dead already: its SIGCHLD has come and gone.
WITH_A_ZOMBIE = """
import os, sys
if os.fork() == 0: os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
os.execv(sys.argv[1], ["pause"])
"""
ENDS_IT = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """pause, compiled as build.py does it, with every warning an error."""
    program = tmp_path_factory.mktemp("native") / "pause"
    build.compile_one(SOURCES / "pause.c", program, ("-Werror", "-Wshadow"))
    return str(program)


class Sandbox:
    """A PID namespace whose PID 1 is ``program``."""

    def __init__(self, *program: str) -> None:
        self.unshare = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *program],
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},  # on its stack, so in its memory
        )
        self.pid = 0
        until("pause comes to rest", self._is_asleep)

    def _is_asleep(self) -> bool:
        """Whether PID 1 has executed pause and waits for signals."""
        children = Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children").read_text().split()
        if children:
            self.pid = int(children[0])
            return field(self.pid, "Name") == "pause" and field(self.pid, "State").startswith("S")
        return False

    def children(self) -> list[int]:
        """Whose parent pause is."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def zombies(self) -> int:
        """How many of them are dead and not reaped."""
        states = (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in self.children()
        )
        return sum(state == "Z" for state in states)

    def inside(self, *program: str, stdin: int = subprocess.DEVNULL) -> None:
        """Runs a program in the namespace."""
        subprocess.run(
            ["nsenter", "--target", str(self.pid), "--pid", "--mount", *program],
            stdin=stdin,
            timeout=PATIENCE,
            check=True,
        )

    def orphans(self, count: int) -> Callable[[], None]:
        """So many sleeping children of pause; what is returned lets them all die at once."""
        gate, opener = os.pipe()
        self.inside(*python(ORPHANS, str(count)), stdin=gate)
        os.close(gate)
        return lambda: os.close(opener)

    def end(self) -> tuple[int, str]:
        """Waits for the end: the exit code, and what it said."""
        _, said = self.unshare.communicate(timeout=PATIENCE)
        return self.unshare.returncode, said.decode()

    def close(self) -> None:
        """Ends it, whatever the test left."""
        if self.unshare.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.unshare.communicate()


@pytest.fixture
def sandbox(binary: str) -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes with pause (or another program); ends them all afterwards."""
    started: list[Sandbox] = []

    def begin(*program: str) -> Sandbox:
        started.append(Sandbox(*(program or (binary,))))
        return started[-1]

    yield begin
    for one in started:
        one.close()


def field(pid: int, name: str) -> str:
    """A line of /proc/PID/status."""
    found = re.search(rf"^{name}:\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return found[1] if found else ""


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_it_prints_its_version(binary: str) -> None:
    done = run(binary, "-v")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pause (minirun) {__version__}\n", "")


@pytest.mark.parametrize("words", [("-x",), ("-vv",), ("",), ("-v ",), ("v",)])
def test_other_words_are_refused(binary: str, words: tuple[str, ...]) -> None:
    done = run(binary, *words)
    assert (done.returncode, done.stdout, done.stderr) == (125, "", "pause: usage: pause [-v]\n")


@pytest.mark.parametrize("number", ENDS_IT)
def test_it_warns_where_it_is_not_pid_1(binary: str, number: signal.Signals) -> None:
    process = subprocess.Popen([binary], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        assert process.stderr.readline().startswith("pause: warning: not PID 1")
        until("it sleeps", lambda: field(process.pid, "State").startswith("S"))
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()


@needs("root", "unshare")
@pytest.mark.parametrize("number", ENDS_IT)
def test_term_and_int_end_it_in_silence(sandbox: Callable[..., Sandbox], number: int) -> None:
    one = sandbox()
    os.kill(one.pid, number)
    assert one.end() == (0, "")


@needs("root", "unshare", "nsenter")
@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_they_end_it_from_inside_too(sandbox: Callable[..., Sandbox], name: str) -> None:
    one = sandbox()
    # PID 1 takes everybody in the namespace along, the sender too.
    subprocess.run(["nsenter", "-t", str(one.pid), "-p", "-m", "sh", "-c", f"kill -{name} 1"], check=False)
    assert one.end() == (0, "")


@needs("root", "unshare", "nsenter")
def test_no_other_signal_ends_it(sandbox: Callable[..., Sandbox]) -> None:
    """But KILL and STOP, which are not asked: from outside and from inside."""
    one = sandbox()
    others = signal.valid_signals() - {*ENDS_IT, signal.SIGKILL, signal.SIGSTOP}
    for number in others:
        os.kill(one.pid, number)
    one.inside("sh", "-c", f"for n in {' '.join(str(int(number)) for number in others)}; do kill -$n 1; done")
    let_go = one.orphans(3)
    let_go()
    until("pause has no children any more", lambda: not one.children())
    os.kill(one.pid, signal.SIGTERM)
    assert one.end() == (0, "")


@needs("root", "unshare", "nsenter")
def test_a_thousand_orphans_at_once(sandbox: Callable[..., Sandbox]) -> None:
    """All die while it is stopped, so that one SIGCHLD stands for all of them."""
    one = sandbox()
    let_go = one.orphans(1000)
    assert len(one.children()) == 1000
    os.kill(one.pid, signal.SIGSTOP)
    let_go()
    until("all are dead", lambda: one.zombies() == 1000)
    os.kill(one.pid, signal.SIGCONT)
    until("pause has no children any more", lambda: not one.children())


@needs("root", "unshare", "nsenter")
def test_orphans_while_it_works(sandbox: Callable[..., Sandbox]) -> None:
    """They go on dying while it reaps: the last one is not forgotten."""
    one = sandbox()
    one.inside("sh", "-c", "for i in $(seq 300); do (true & ); done")
    until("pause has no children any more", lambda: not one.children())


@needs("root", "unshare")
def test_who_died_before_it_listened_is_reaped(sandbox: Callable[..., Sandbox], binary: str) -> None:
    one = sandbox(*python(WITH_A_ZOMBIE, binary))
    until("pause has no children any more", lambda: not one.children())


@needs("root", "unshare")
def test_it_does_nothing_while_nothing_happens(sandbox: Callable[..., Sandbox]) -> None:
    """Others come and go, and it is not woken."""
    one = sandbox()
    before = field(one.pid, "voluntary_ctxt_switches")
    run("sh", "-c", "for i in $(seq 300); do (true); done")
    assert field(one.pid, "voluntary_ctxt_switches") == before


@needs("root", "unshare")
def test_what_it_weighs(sandbox: Callable[..., Sandbox], binary: str) -> None:
    """Beside twenty others: at most 16 KiB of memory each, and 4 KiB on disk."""
    for _ in range(20):
        sandbox()
    pss = memory(sandbox().pid)
    size = os.path.getsize(binary)
    print(f"pause: {size} bytes, PSS {pss} KiB")
    assert pss <= 16
    assert size <= 4096


def memory(pid: int) -> int:
    """The proportional share of its pages, in KiB (proc_pid_smaps(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
