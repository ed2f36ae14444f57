"""Many conversations in one process, and the probes of a pod among them. The clock is the test's own."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from minirun.errors import ProgramNotFound, StepFailed
from minirun.pod.health import LIVENESS_PROBE, READINESS_PROBE, STARTUP_PROBE
from minirun.pod.manifest.types import (
    Container,
    ContainerPort,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    PodSpec,
    Probe,
    TCPSocketAction,
)
from minirun.pod.observed import FAILURE, SUCCESS
from minirun.pod.probes import ask, command
from minirun.pod.probes.command import Started
from minirun.pod.probes.conversation import Conversations, Failed, ProbeResult, Want, run
from minirun.pod.probes.prober import Counted, Prober, Up
from minirun.values import plain, revive
from tests.patience import until

if TYPE_CHECKING:
    from minirun.pod.probes.conversation import Talk

PATIENCE = 20.0


def shell(_: str, words: tuple[str, ...]) -> Started:
    """A RunExec that needs no container."""
    return command.spawn(["/bin/sh", "-c", *words])


def execs(words: str, **fields: int) -> Probe:
    return Probe(exec=ExecAction(command=(words,)), **fields)


def reading(fd: int) -> Talk[ProbeResult]:
    """Waits until there is something to read."""
    yield Want(fd=fd, doing="reading")
    return ProbeResult(success=True, message=os.read(fd, 100).decode())


@pytest.fixture
def talks() -> Iterator[Conversations]:
    one = Conversations()
    yield one
    one.close()


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    made = [os.pipe() for _ in range(3)]
    yield made
    for fd in (fd for pair in made for fd in pair):
        os.close(fd)


def test_conversations_end_as_they_can(talks: Conversations, pipes: list[tuple[int, int]]) -> None:
    for number, (fd, _) in enumerate(pipes):
        talks.begin(number, reading(fd), 0, 10 - number)
    assert (talks.step(0), talks.next(), 1 in talks) == ([], 8, True)
    os.write(pipes[1][1], b"b")
    assert select.select([talks], [], [], PATIENCE)[0]  # it is a descriptor itself
    assert talks.step(1) == [(1, ProbeResult(success=True, message="b"))]
    assert 1 not in talks
    late = ProbeResult(success=False, message="not done within 8 seconds: it was reading")
    assert talks.step(8) == [(2, late)]
    assert talks.next() == 10
    talks.drop(0)
    assert (talks.next(), talks.step(99)) == (None, [])


def test_one_that_ends_at_once_is_told_at_the_next_step(talks: Conversations) -> None:
    def gives_up() -> Talk[ProbeResult]:
        raise Failed("no")
        yield  # never: but a generator

    talks.begin("a", gives_up(), 5, 1)
    assert talks.next() == 0
    assert talks.step(5) == [("a", ProbeResult(success=False, message="no"))]


def test_time_passes(talks: Conversations) -> None:
    def naps() -> Talk[ProbeResult]:
        yield Want(seconds=3, doing="sleeping")
        yield Want(seconds=2, doing="sleeping")
        return ProbeResult(success=True)

    talks.begin("a", naps(), 0, None)
    talks.begin("b", naps(), 0, 4.5)
    assert talks.step(2.9) == []
    assert talks.step(3) == []
    late = ProbeResult(success=False, message="not done within 4.5 seconds: it was sleeping")
    assert (talks.step(4.9), talks.next()) == ([("b", late)], 5)
    assert talks.step(5) == [("a", ProbeResult(success=True))]


def test_a_closed_conversation_lets_go_of_what_it_holds(
    talks: Conversations, pipes: list[tuple[int, int]]
) -> None:
    let_go = []

    def holds() -> Talk[ProbeResult]:
        try:
            return (yield from reading(pipes[0][0]))
        finally:
            let_go.append(True)

    for end in (lambda: talks.drop("a"), lambda: talks.step(100), talks.close):
        talks.begin("a", holds(), 0, 50)
        end()
    assert let_go == [True] * 3


def test_an_error_of_the_program_is_not_hidden(talks: Conversations) -> None:
    def wrong() -> Talk[ProbeResult]:
        yield Want(seconds=0, doing="nothing")
        raise ZeroDivisionError

    talks.begin("a", wrong(), 0, None)
    with pytest.raises(ZeroDivisionError):
        talks.step(0)


class Pod:
    """A Prober, and the clock that it is told."""

    def __init__(self, *containers: Container, **counts: Counted) -> None:
        self.now = 1000.0
        self.next: float | None = None
        self.prober = Prober(PodSpec(containers=containers), "127.0.0.1", shell, counts)
        self.up = {container.name: Up(id="1", startedAt=1000) for container in containers}

    def turn(self, seconds: float = 0) -> float | None:
        """Lets so much time pass; asks who is due. Gives when the next turn is due."""
        self.now += seconds
        self.prober.follow(self.up, self.now)
        when = self.prober.step(self.now)
        return None if when is None else when - self.now

    def heard(self, seconds: float = 0) -> dict[tuple[str, str], bool]:
        """The same, and waits for all answers; gives them."""
        self.turn(seconds)
        answers = self.prober.answers()
        while self.prober._asked:
            assert select.select([self.prober], [], [], PATIENCE)[0]
            self.turn()
            answers += self.prober.answers()
        self.next = self.turn()
        return {(one.container, one.kind): one.result.success for one in answers}

    def outcomes(self) -> dict[tuple[str, str], str]:
        return {key: probed.outcome for key, probed in self.prober.results.items()}


@pytest.fixture
def pod() -> Iterator[Callable[..., Pod]]:
    pods: list[Pod] = []

    def make(*containers: Container, **counts: Counted) -> Pod:
        pods.append(Pod(*containers, **counts))
        return pods[-1]

    yield make
    for one in pods:
        one.prober.close()


def test_each_at_its_time(pod: Callable[..., Pod]) -> None:
    one = pod(
        Container(name="a", livenessProbe=execs("exit 0", initialDelaySeconds=3, periodSeconds=4)),
        Container(name="b", readinessProbe=execs("exit 0")),
        Container(name="c"),
    )
    assert one.heard() == {("b", "readiness"): True}
    assert one.next == 3
    assert one.outcomes() == {("a", "liveness"): SUCCESS, ("b", "readiness"): SUCCESS}
    assert one.heard(2.9) == {}
    assert one.heard(0.1) == {("a", "liveness"): True}
    assert one.next == 4
    assert one.heard(7) == {("a", "liveness"): True, ("b", "readiness"): True}


def test_startup_comes_first(pod: Callable[..., Pod], tmp_path: object) -> None:
    mark = f"{tmp_path}/up"
    one = pod(
        Container(
            name="a",
            startupProbe=execs(f"test -e {mark}", periodSeconds=1),
            livenessProbe=execs("exit 0"),
            readinessProbe=execs("exit 0"),
        )
    )
    assert one.heard() == {("a", "startup"): False}
    assert one.heard(1) == {("a", "startup"): False}
    assert one.outcomes()["a", "startup"] == ""
    open(mark, "w").close()
    assert one.heard(1) == {("a", "startup"): True, ("a", "liveness"): True, ("a", "readiness"): True}
    assert one.heard(9) == {}
    assert one.heard(1) == {("a", "liveness"): True, ("a", "readiness"): True}


def test_who_failed_is_left_alone_until_it_runs_anew(pod: Callable[..., Pod]) -> None:
    one = pod(Container(name="a", livenessProbe=execs("echo cold; exit 3", failureThreshold=2)))
    assert one.heard() == one.heard(10) == {("a", "liveness"): False}
    probed = one.prober.results["a", LIVENESS_PROBE]
    assert (probed.outcome, probed.since, probed.message) == (FAILURE, 1010, "exit code 3: cold")
    assert one.turn(10) is None
    one.up = {"a": Up(id="2", startedAt=1030)}
    assert one.heard(10) == {("a", "liveness"): False}
    assert one.prober.results["a", LIVENESS_PROBE].outcome == SUCCESS
    one.up = {}
    assert (one.turn(10), one.prober.results) == (None, {})


def test_no_answer_within_its_time(pod: Callable[..., Pod], tmp_path: object) -> None:
    """The program and what it has started are killed."""
    one = pod(Container(name="a", readinessProbe=execs(f"echo $$ > {tmp_path}/pid; sleep 100; true")))
    assert one.turn() == 1
    one.turn(1)
    (answer,) = one.prober.answers()
    assert answer.result.message.startswith("not done within 1 second: it was running ")
    assert not answer.result.success


def test_an_answer_wants_to_be_taken(pod: Callable[..., Pod]) -> None:
    """Who looks only at when to step next would otherwise sleep over it."""
    one = pod(Container(name="a", readinessProbe=Probe(tcpSocket=TCPSocketAction(port="nobody"))))
    assert one.turn() == one.turn() == 0
    assert [answer.result.success for answer in one.prober.answers()] == [False]
    assert one.turn() == 10


def test_a_run_that_ends_takes_its_questions_along(pod: Callable[..., Pod]) -> None:
    one = pod(Container(name="a", livenessProbe=execs("sleep 100", timeoutSeconds=50)))
    assert one.turn() == 50
    one.up = {}
    assert one.turn() is None
    assert one.prober.answers() == []


def test_a_probe_is_never_asked_twice_at_once(pod: Callable[..., Pod]) -> None:
    one = pod(Container(name="a", livenessProbe=execs("sleep 100", timeoutSeconds=50, periodSeconds=1)))
    one.turn()
    assert one.turn(5) == 45
    one.turn(45)
    assert len(one.prober.answers()) == 1


def test_a_successor_goes_on_counting(pod: Callable[..., Pod]) -> None:
    container = Container(name="a", livenessProbe=execs("exit 1"), readinessProbe=execs("exit 0"))
    first = pod(container)
    first.heard()
    first.heard(10)
    written = {name: plain(counted) for name, counted in first.prober.counts.items()}
    second = pod(container, **{name: revive(raw, Counted) for name, raw in written.items()})
    assert second.outcomes() == {("a", "liveness"): SUCCESS, ("a", "readiness"): SUCCESS}
    assert second.turn(15) == 5
    second.heard(5)
    assert second.outcomes() == {("a", "liveness"): FAILURE, ("a", "readiness"): SUCCESS}


def test_a_pod_that_is_deleted(pod: Callable[..., Pod]) -> None:
    probe = execs("exit 1")
    one = pod(Container(name="a", startupProbe=probe, livenessProbe=probe, readinessProbe=probe))
    one.prober.follow(one.up, one.now, deleting=True)
    assert one.heard() == {("a", READINESS_PROBE): False}
    assert one.outcomes()["a", STARTUP_PROBE] == one.outcomes()["a", LIVENESS_PROBE] == SUCCESS


def test_sidecars_have_probes_too() -> None:
    sidecar = Container(name="s", restartPolicy="Always", readinessProbe=execs("exit 0"))
    prober = Prober(PodSpec(initContainers=(sidecar,), containers=()), "127.0.0.1", shell)
    prober.follow({"s": Up(id="1", startedAt=0)}, 0)
    assert list(prober.results) == [("s", READINESS_PROBE)]
    prober.close()


def test_many_at_once_need_no_threads(pod: Callable[..., Pod]) -> None:
    """A hundred containers whose servers accept and say nothing: all answers come at the same moment."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as silent:
        port = silent.getsockname()[1]
        probe = Probe(httpGet=HTTPGetAction(port=port), failureThreshold=1)
        one = pod(*(Container(name=f"c{number}", livenessProbe=probe) for number in range(100)))
        threads, before = threading.active_count(), time.monotonic()
        one.turn()
        one.turn(1)
        assert set(one.outcomes().values()) == {FAILURE}
        assert time.monotonic() - before < PATIENCE / 2
        assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("error", "counts"),
    [(ProgramNotFound("there is no /x"), True), (StepFailed("cannot clone", "EAGAIN"), False)],
)
def test_what_could_not_be_started(error: Exception, counts: bool) -> None:
    def run_exec(_: str, words: tuple[str, ...]) -> Started:
        raise error

    result = command.probe("a", ("/x",), run_exec, 1)
    assert (result.success, result.counts) == (False, counts)
    assert result.message == str(error).replace("\n", ";")


@pytest.mark.parametrize(
    ("words", "success", "message"),
    [
        ("echo fine; echo really >&2", True, "fine\nreally"),
        ("exit 7", False, "exit code 7"),
        ("echo no; exit 1", False, "exit code 1: no"),
        ("kill -9 $$", False, "killed by signal 9"),
        ("exec >&- 2>&-; exit 0", True, ""),
    ],
)
def test_exec(words: str, success: bool, message: str) -> None:
    assert command.probe("a", (words,), shell, PATIENCE) == ProbeResult(success=success, message=message)


def test_exec_keeps_the_first_of_what_a_program_says() -> None:
    result = command.probe("a", (f"exec {sys.executable} -ISc \"print('x' * 3000000)\"",), shell, PATIENCE)
    assert result == ProbeResult(success=True, message="x" * command.OUTPUT_LIMIT)


def test_exec_does_not_wait_for_who_holds_the_pipe() -> None:
    """The program ends, and leaves another behind."""
    result = command.probe("a", ("sleep 1000 & echo $!",), shell, PATIENCE)
    assert result.success
    os.kill(int(result.message), 9)


def test_exec_kills_the_group(tmp_path: object) -> None:
    pid_file = f"{tmp_path}/pid"
    result = command.probe("a", (f"sleep 1000 & echo $! > {pid_file}; wait",), shell, 0.5)
    assert result.message.startswith("not done within 0.5 seconds")
    with open(pid_file) as file:
        child = int(file.read())
    until("it is gone", lambda: not _lives(child))


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


PORTS = (ContainerPort(containerPort=8080, name="web"), ContainerPort(containerPort=9, name="8081"))


@pytest.mark.parametrize(
    ("port", "number"), [(80, 80), ("web", 8080), ("80", 80), ("8081", 9), (65535, 65535)]
)
def test_ports(port: int | str, number: int) -> None:
    assert ask.port_of(port, Container(name="c", ports=PORTS)) == number


@pytest.mark.parametrize("port", [0, 65536, -1, "www", "", "0"])
def test_what_is_no_port(port: int | str) -> None:
    with pytest.raises(Failed, match="port"):
        ask.port_of(port, Container(name="c", ports=PORTS))


@pytest.mark.parametrize(
    "probe",
    [
        Probe(httpGet=HTTPGetAction(port="nobody")),
        Probe(tcpSocket=TCPSocketAction(port="nobody")),
        Probe(grpc=GRPCAction(port=0)),
        Probe(),
    ],
)
def test_a_probe_that_cannot_be_asked_fails(probe: Probe) -> None:
    result = run(ask.talk(probe, Container(name="c"), "127.0.0.1", shell), 1)
    assert not result.success
    assert result.message
