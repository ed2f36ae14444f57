"""A guest that really runs on /dev/kvm: its exits, its ends, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import signal
import struct
from pathlib import Path
from typing import NoReturn

import pytest

from minirun.cli.vm.anatomy import trapped
from minirun.vm import anatomy
from minirun.vm.anatomy import run
from minirun.vm.anatomy_recorded import Exit, Run, recorded
from tests.conftest import Minirun
from tests.needs import needs

pytestmark = [
    needs("kvm"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="this machine lacks: x86_64"),
]

EXITS = [
    ("IO", "in", 0x3FD, "20"),
    ("IO", "out", 0x3F8, "48"),
    ("IO", "out", 0x3F8, "69"),
    ("IO", "out", 0x3F8, "0a"),
    ("MMIO", "write", 0x2000, "ba 13"),
    ("MMIO", "read", 0x3000, "ff"),
    ("INTR", "", None, ""),
    ("HLT", "", None, ""),
]


def shape(one: Exit) -> tuple[str, str, int | None, str]:
    """What is the same wherever the guest runs."""
    return one.reason, one.access, one.address, one.data


def test_every_exit_of_the_guest() -> None:
    live = run()
    assert [shape(one) for one in live.exits] == EXITS
    assert [one.number for one in live.exits] == list(range(1, 9))
    assert struct.unpack("<H", bytes.fromhex(live.exits[4].data)) == (5050,)
    assert live.halted
    assert not live.recorded


def test_each_exit_is_at_its_instruction() -> None:
    at = [trapped(one) for one in run().exits]
    assert at[:6] == [0x100C, 0x101B, 0x101B, 0x101B, 0x101E, 0x1022]
    assert at[6] in (0x1025, 0x102A), "anywhere in the loop"
    assert at[7] == 0x102C


def test_registers_before_and_after() -> None:
    live = run()
    assert {name: value for name, value in live.registers_before.items() if value} == {
        "rip": 0x1000,
        "rflags": 2,
    }
    after = live.registers_after
    assert [after[name] for name in ("rax", "rbx", "rcx", "rdx", "rsi")] == [0xFF, 5050, 0, 0x3F8, 0x1030]
    assert after["rip"] == 0x102D


def test_the_recorded_run_is_like_a_live_one() -> None:
    old, new = recorded(""), run()
    assert [(*shape(one), one.host) for one in old.exits] == [(*shape(one), one.host) for one in new.exits]
    assert old.registers_before == new.registers_before
    assert old.registers_after == new.registers_after


def test_nothing_of_it_stays() -> None:
    def theirs() -> tuple[list[str], int, object]:
        maps = Path("/proc/self/maps").read_text().count("kvm-vcpu")
        return os.listdir("/proc/self/fd"), maps, signal.getsignal(signal.SIGPROF)

    before = theirs()
    run()
    assert theirs() == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def ending(code: str) -> Run:
    """The run of other instructions."""
    return run(code=bytes.fromhex(code))


def test_a_guest_that_loops_for_ever_is_taken_the_processor_from() -> None:
    live = ending("eb fe")  # jmp 0x1000
    assert {shape(one) for one in live.exits} == {("INTR", "", None, "")}
    assert len(live.exits) == anatomy.MOST_EXITS
    assert not live.halted


def test_a_guest_that_leaves_its_memory_is_ended() -> None:
    """There are no instructions where no memory is."""
    live = ending("e9 fd 3f")  # jmp 0x5000
    assert [one.reason for one in live.exits] == ["INTERNAL_ERROR"]
    assert "cannot emulate" in live.exits[0].host


def test_a_guest_whose_errors_have_no_handler_is_ended() -> None:
    """No memory is at the interrupt vectors: KVM says SHUTDOWN, or that it cannot deliver."""
    live = ending("0f 0b")  # ud2
    assert live.exits[-1].reason in ("SHUTDOWN", "INTERNAL_ERROR")
    assert live.exits[-1].host in anatomy.ENDS.values()


def test_the_guest_sees_its_page_and_nothing_else() -> None:
    """Before and behind it every byte reads as all ones: it is no memory of the host."""
    for address in (0x0FFF, 0x2000, 0xFFFF):
        live = ending(f"a0 {address & 0xFF:02x} {address >> 8:02x} f4")  # mov al, [address]; hlt
        assert shape(live.exits[0]) == ("MMIO", "read", address, "ff")
        assert live.registers_after["rax"] == 0xFF
    inside = ending("a0 00 10 f4")
    assert [one.reason for one in inside.exits] == ["HLT"]
    assert inside.registers_after["rax"] == 0xA0, "its own first instruction"


def test_a_repeated_out_is_whole() -> None:
    # mov dx, 0x3f8; mov si, 0x100c; mov cx, 3; rep outsb; hlt; db "Kvm"
    live = ending("ba f8 03 be 0c 10 b9 03 00 f3 6e f4 4b 76 6d")
    sent = b"".join(bytes.fromhex(one.data) for one in live.exits if one.access == "out")
    assert sent == b"Kvm"
    assert live.halted


def test_a_signal_of_another_kind_is_heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C is: KVM_RUN ends, the exception comes through, and all is closed."""

    class Heard(Exception):
        pass

    def hear(_number: int, _frame: object) -> NoReturn:
        raise Heard

    monkeypatch.setattr(anatomy, "SLICE", 100.0)
    before = os.listdir("/proc/self/fd")
    others = signal.signal(signal.SIGALRM, hear)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Heard):
            ending("eb fe")
    finally:
        signal.signal(signal.SIGALRM, others)
    assert os.listdir("/proc/self/fd") == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_no_access_is_lost_to_the_end_of_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the guest is interrupted, what it sends arrives once and in order."""
    monkeypatch.setattr(anatomy, "SLICE", 1e-6)
    monkeypatch.setattr(anatomy, "MOST_EXITS", 100_000)
    # mov dx, 0x3f8; mov al, 0; out dx, al; inc al; jnz out; hlt
    live = ending("ba f8 03 b0 00 ee fe c0 75 fb f4")
    sent = [one.data for one in live.exits if one.reason == "IO"]
    assert sent == [f"{byte:02x}" for byte in range(256)]
    assert live.halted


def test_the_command(minirun: Minirun) -> None:
    done = minirun("vm", "anatomy", check=True)
    assert done.stdout.startswith("Live on this host's KVM")
    assert done.stderr == ""
    record = json.loads(minirun("vm", "anatomy", "--json", check=True).stdout)
    assert record["recorded"] is False
    assert [(one["reason"], one["access"], one["address"], one["data"]) for one in record["exits"]] == EXITS
