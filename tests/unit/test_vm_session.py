"""The wire to a guest: frames in pieces, a hostile guest, last words; and the errors made of them."""

from __future__ import annotations

import errno
import re
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from minirun.errors import MinirunError, NotExecutable, ProgramNotFound, StepFailed
from minirun.vm import failures, wire
from minirun.vm.wire import Guest

HEADER = Path(__file__).resolve().parents[2] / "minirun/native/guest_wire.h"


class Far:
    """The other ends of a guest's lines, which the test plays; ``guest`` is what is tested."""

    def __init__(self, killed_by: int = 0, complaints: str = "") -> None:
        control, self.control = socket.socketpair()
        console, self.console = socket.socketpair()
        hypervisor: Any = SimpleNamespace(
            lines=SimpleNamespace(control=control, console=console), ended_by=lambda: killed_by
        )
        self.milestones: list[tuple[str, int]] = []
        self.guest = Guest(hypervisor, lambda *told: self.milestones.append(told), lambda: complaints)
        self.sockets = (control, console, self.control, self.console)

    def die(self, words: bytes = b"") -> None:
        """It says ``words`` on its console, and ends."""
        self.console.sendall(words)
        self.console.close()
        self.control.close()


@pytest.fixture
def far() -> Iterator[Far]:
    """A machine whose both ends are the test's."""
    made = Far()
    yield made
    for sock in made.sockets:
        sock.close()


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """As native/guest_wire.h has it."""
    return kind + struct.pack("<I", len(payload)) + payload


def test_both_sides_use_the_same_letters() -> None:
    letters = dict(re.findall(r"^\t(\w+) = '(.)'", HEADER.read_text(), re.MULTILINE))
    assert len(letters) == 12
    assert {name: getattr(wire, name).decode() for name in letters} == letters


def test_frames_come_in_pieces_and_in_heaps(far: Far) -> None:
    sent = frame(wire.OUTPUT, b"abc") + frame(wire.ERROR_OUTPUT) + frame(wire.EXIT, b"3")
    for byte in sent[:-1]:
        far.control.sendall(bytes([byte]))
        list_of = list(far.guest.frames())
        assert len(list_of) <= 1
    far.control.sendall(sent[-1:] + sent)
    kinds = [kind for kind, _ in far.guest.frames()]
    assert kinds == [wire.EXIT, wire.OUTPUT, wire.ERROR_OUTPUT, wire.EXIT]
    assert list(far.guest.frames()) == []  # and nobody waits for more


@pytest.mark.parametrize(
    "said",
    [
        frame(b"?"),
        wire.OUTPUT + struct.pack("<I", 1 << 30),
        frame(wire.MILESTONE, b"later ready"),
        b"\0" * 99,
    ],
)
def test_a_hostile_guest_is_not_believed(far: Far, said: bytes) -> None:
    far.control.sendall(said)
    with pytest.raises(MinirunError, match="what was not agreed"):
        list(far.guest.frames())


@pytest.mark.parametrize("text", ["", "-1", "1e9", "9" * 19, "x", "1 "])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(MinirunError, match="what was not agreed"):
        wire.number(text)


def test_what_cannot_be_sent_at_once_is_sent_later(far: Far) -> None:
    data = bytes(4 << 20)
    far.guest.send(wire.INPUT, data)
    assert far.guest.is_behind
    got = bytearray()
    while len(got) < len(data) + 5:
        got += far.control.recv(1 << 20)
        far.guest.flush()
    assert not far.guest.is_behind and got == frame(wire.INPUT, data)


def test_ready_is_waited_for_and_milestones_are_in_their_order(far: Far) -> None:
    far.control.sendall(frame(wire.MILESTONE, b"3000 ready"))
    far.console.sendall(
        b"kernel words\r\nminirun: milestone 1000 init\r\nminirun: milestone 2000 drivers\r\n"
    )
    far.guest.wait_ready()
    assert far.milestones == [("init", 1000), ("drivers", 2000), ("ready", 3000)]
    assert far.guest.last_words() == "kernel words"


def test_what_a_program_writes_to_the_console_is_not_believed(far: Far) -> None:
    """A number of any length, and more than anybody wants to keep."""
    far.console.setblocking(False)
    far.console.sendall(b"minirun: milestone " + b"9" * 5000 + b" init\n")
    assert far.guest.read_console() and far.milestones == []
    for _ in range(50):
        far.console.sendall(b"x" * 60000)
        far.guest.read_console()
    assert len(far.guest.last_words()) <= 1 << 16


def test_a_deadline_comes_before_readiness(far: Far) -> None:
    with pytest.raises(TimeoutError):
        far.guest.wait_ready(time.monotonic() + 0.01)


@pytest.mark.parametrize(
    ("words", "what", "why"),
    [
        (b"", "ended before its program", "killed or switched off"),
        (
            b"[1.0] Kernel panic - not syncing: no init\r\n[1.0] Offset\r\n",
            "kernel panicked",
            "no init; its last",
        ),
        (
            b"minirun: cannot load the driver 9p.ko: no memory\r\n",
            "could not be brought up",
            "9p.ko: no memory",
        ),
    ],
)
def test_the_last_words_of_a_machine(far: Far, words: bytes, what: str, why: str) -> None:
    far.die(words)
    with pytest.raises(failures.DidNotComeUp) as error:
        far.guest.wait_ready()
    assert what in error.value.what and why in error.value.why and error.value.remedy


def test_a_panic_is_found_before_a_long_trace(far: Far) -> None:
    """What the kernel said before and at its panic tells more than its registers, a page later."""
    trace = "".join(f"[2.0]  ? function_{number}+0x1/0x2\r\n" for number in range(100))
    far.die(f"[1.0] early\r\n[1.9] BUG: bad\r\n[2.0] Kernel panic - not syncing: Oh\r\n{trace}".encode())
    with pytest.raises(failures.DidNotComeUp, match="kernel panicked") as error:
        far.guest.wait_ready()
    assert error.value.why.startswith("Oh; its last words:")
    assert "| [1.9] BUG: bad\n" in error.value.why and "function_7" in error.value.why
    assert error.value.why.count("\n") == 12


def test_what_a_guest_says_commands_no_terminal(far: Far) -> None:
    """Whatever is written to its console, reported as a failure or called a milestone: it is shown."""
    far.control.sendall(frame(wire.MILESTONE, b"1 \x1b[2J"))
    list(far.guest.frames())
    assert far.milestones == [("?[2J", 1)]
    assert "mount ?[2J" in str(failures.of_operation(f"{errno.ENODEV} mount \x1b[2J"))
    far.die("a\x1b[31mRED\x07\tsch\u00f6n\x9b\r\n".encode())
    with pytest.raises(MinirunError) as error:
        list(far.guest.frames())
    assert error.value.why.endswith("| a?[31mRED? sch\u00f6n?")


def test_more_memory_than_the_host_has() -> None:
    """The hypervisor says so; what to do is not what doctor could say."""
    far = Far(complaints="qemu: cannot set up guest memory 'pc.ram': Cannot allocate memory")
    far.die()
    with pytest.raises(MinirunError, match="cannot set up guest memory") as error:
        list(far.guest.frames())
    assert "less --memory" in error.value.remedy


def test_what_the_hypervisor_complained_of() -> None:
    far = Far(complaints="qemu: no such\nmachine")
    far.die()
    with pytest.raises(MinirunError, match="qemu: no such machine"):
        list(far.guest.frames())


def test_a_hypervisor_that_was_killed() -> None:
    """Its end is 128 + the signal, and no reason to boot it once more."""
    far = Far(killed_by=signal.SIGKILL)
    far.die(b"some words\n")
    with pytest.raises(failures.Killed, match="its hypervisor got SIGKILL") as error:
        far.guest.wait_ready()
    assert error.value.exit_code == 137


@pytest.mark.parametrize(
    ("told", "kind", "code", "said"),
    [
        (f"{errno.ENOENT} exec nosuch", ProgramNotFound, 127, "no such program"),
        (f"{errno.EACCES} exec /etc/passwd", NotExecutable, 126, "permission denied"),
        (f"{errno.ELIBACC} exec /x", NotExecutable, 126, "interpreter or loader is missing"),
        (f"{errno.ENODEV} mount root /lower", StepFailed, 125, "mount root /lower"),
        ("nonsense", StepFailed, 125, "it said no more"),
        ("99999999999999999999 exec x", StepFailed, 125, "it said no more"),
        ("", StepFailed, 125, "it said no more"),
    ],
)
def test_an_operation_that_failed(told: str, kind: type[MinirunError], code: int, said: str) -> None:
    error = failures.of_operation(told)
    assert type(error) is kind and error.exit_code == code
    assert said in str(error) and error.why and error.remedy
