"""Questions to a guest: its answers, those to somebody else, and no answer at all."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minirun.errors import Conflict, MinirunError
from minirun.linux.process import start_time
from minirun.vm import agent
from minirun.vm.home import Home, Record

Answer = Callable[[bytes], bytes]


class Guest:
    """A socket where a hypervisor would have one; ``answer`` makes the answer of a token."""

    def __init__(self, home: Home, answer: Answer) -> None:
        self.heard = b""
        self.answer = answer
        self.server = socket.socket(socket.AF_UNIX)
        directory = os.open(home.path, os.O_PATH)
        self.server.bind(f"/proc/self/fd/{directory}/agent.sock")
        os.close(directory)
        self.server.listen(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self.server.accept()
        with connection:
            while not self.heard.strip().endswith((b" ps", b" kill 15")):
                self.heard += connection.recv(4096)
            said = self.answer(self.heard.split()[0])
            connection.sendall(said)
            if said.endswith(b"\n\n"):
                connection.recv(1)  # until the other has gone


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A machine whose hypervisor is this process, at a place with a long path."""
    made = Home(str(tmp_path / ("d" * 60) / ("e" * 60)), "f" * 64)
    os.makedirs(made.path)
    made.write(Record(id=made.id, name="one", pid=os.getpid(), startTime=start_time(os.getpid())))
    return made


@pytest.fixture
def guest(home: Home) -> Iterator[Callable[[Answer], Guest]]:
    """``guest(answer)``: somebody who answers."""
    made: list[Guest] = []

    def make(answer: Answer) -> Guest:
        made.append(Guest(home, answer))
        return made[-1]

    yield make
    for one in made:
        one.server.close()


def test_processes(home: Home, guest: Callable[[Answer], Guest]) -> None:
    lines = b"20 1 R 100 sh\tsh -c sleep\n2 0 S 0 kthreadd\t\n1 0 S 8 a b (c)\t/init\n"
    asked = guest(lambda token: token + b"\n" + lines + b"\n")
    first, second, third = agent.processes(home)
    assert (first.pid, first.name, first.command, first.resident) == (1, "a b (c)", "/init", 8 << 10)
    assert (second.name, second.command) == ("kthreadd", "")
    assert (third.parent, third.state, third.command) == (1, "R", "sh -c sleep")
    assert asked.heard.startswith(b"\n")  # who was here before may have stopped in a word


def test_a_signal(home: Home, guest: Callable[[Answer], Guest]) -> None:
    asked = guest(lambda token: token + b"\n\n")
    assert agent.signal(home, 15)
    assert asked.heard.endswith(b" kill 15\n")


def test_there_is_no_program_yet(home: Home, guest: Callable[[Answer], Guest]) -> None:
    guest(lambda token: token + b"\nnone\n\n")
    assert not agent.signal(home, 15)


def test_what_is_left_of_an_answer_to_somebody_else(home: Home, guest: Callable[[Answer], Guest]) -> None:
    guest(lambda token: b" 4 sh\trest\n\nother\n9 9 R 9 x\ty\n\n" + token + b"\n1 0 S 8 init\t/init\n\n")
    assert [one.pid for one in agent.processes(home)] == [1]


@pytest.mark.parametrize(
    "said", [b"x", b"1 0 S 8 no tab", b"1 0 SS 8 a\tb", b"-1 0 S 8 a\tb", b"\xb2 0 S 8 a\tb"]
)
def test_a_hostile_guest(home: Home, guest: Callable[[Answer], Guest], said: bytes) -> None:
    guest(lambda token: token + b"\n" + said + b"\n\n")
    with pytest.raises(MinirunError, match="makes no sense"):
        agent.processes(home)


def test_nothing_in_a_name_reaches_the_terminal(home: Home, guest: Callable[[Answer], Guest]) -> None:
    guest(lambda token: token + "\n1 0 S 8 a\x1b[2J\u202e\tb\x9bc\n\n".encode())
    (found,) = agent.processes(home)
    assert (found.name, found.command) == ("a?[2J?", "b?c")


def test_an_answer_without_end(
    home: Home, guest: Callable[[Answer], Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "_LONGEST", 1000)
    guest(lambda token: token + b"\n" + b"x" * 5000)
    with pytest.raises(MinirunError, match="more to come"):
        agent.processes(home)


def test_no_answer_in_time(home: Home, guest: Callable[[Answer], Guest]) -> None:
    guest(lambda token: b"\n\n")
    with pytest.raises(agent.Silent, match=r"nothing came within 0.2 seconds"):
        agent.processes(home, timeout=0.2)


def test_it_has_ended(home: Home, guest: Callable[[Answer], Guest]) -> None:
    guest(lambda token: token + b"\n1 0 S 8 half")
    with pytest.raises(Conflict, match="has ended"):
        agent.processes(home)


def test_nobody_listens(home: Home) -> None:
    """As long as the hypervisor lives it may begin to; afterwards it has ended."""
    with pytest.raises(agent.Silent):
        agent.processes(home, timeout=0.05)
    home.write(Record(id=home.id, name="one", pid=os.getpid(), startTime=1))
    with pytest.raises(Conflict, match="has ended"):
        agent.processes(home)
