"""``minirun vm anatomy``: the life of a small guest, told exit by exit.

Layer ``cli``. The hypervisor is ``minirun/vm/anatomy.py``: read that. Here its
run becomes text: the guest's instructions from the top, and at each one that
trapped, what the host did. JSON has the same for programs.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from minirun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.vm.anatomy_recorded import Exit, Run

#: A line of the story, and rich's style for it.
Line = tuple[str, str]

_EXIT = "bold yellow"
_DIM = "dim"


@click.command()
@click.option("--recorded", is_flag=True, help="Show the run that was recorded, even where KVM is.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--device", metavar="PATH", help="The device file of KVM (default: /dev/kvm).")
def command(recorded: bool, as_json: bool, device: str | None) -> int:
    """Run a virtual machine of a few instructions, and show each of its exits.

    It has a page of memory and a processor, on /dev/kvm. Where there is no KVM,
    a recorded run is shown, and called so. Ends with 1 if the guest did not halt.
    """
    from minirun.cli.output import show_json
    from minirun.vm import anatomy_recorded

    if recorded and device:
        raise UsageError(
            "--recorded and --device exclude each other",
            "what was recorded runs on no device",
            "leave one of them out",
        )
    run = anatomy_recorded.recorded("asked for") if recorded else live(device or "/dev/kvm")
    if as_json:
        show_json(as_record(run))
    else:
        _show(list(story(run)))
    return 0 if run.halted else 1


def live(device: str) -> Run:
    """The guest's life on ``device``, or the recorded one with why it could not be live."""
    import os

    from minirun.vm import anatomy
    from minirun.vm.anatomy_recorded import recorded, why_not

    if (machine := os.uname().machine) != "x86_64":
        return recorded(f"the guest's instructions are x86's, and this machine is {machine}")
    try:
        return anatomy.run(device)
    except OSError as error:
        return recorded(why_not(device, error))


def as_record(run: Run) -> dict[str, Any]:
    """A run for programs."""
    return {
        "recorded": run.recorded,
        "why": run.why,
        "driver": run.driver,
        "halted": run.halted,
        "program": program(),
        "registers_before": run.registers_before,
        "exits": [
            {"instruction": trapped(one), **{key: getattr(one, key) for key in one.__fields__}}
            for one in run.exits
        ],
        "registers_after": run.registers_after,
    }


def program() -> list[dict[str, Any]]:
    """The guest's instructions with their addresses."""
    from minirun.vm.anatomy import MEMORY, PROGRAM

    rows, address = [], MEMORY
    for code, assembly, trap, comment in PROGRAM:
        row = {"address": address, "bytes": code, "assembly": assembly, "trap": trap, "comment": comment}
        rows.append(row)
        address += len(bytes.fromhex(code))
    return rows


def trapped(one: Exit) -> int:
    """The address of the instruction that led to an exit: at rip, or the one before it.

    KVM may have stepped over it already, or do so when the guest goes on.
    """
    how = f"{one.reason} {one.access}".strip()
    for row in program():
        begin = row["address"]
        if row["trap"] == how and one.rip in (begin, begin + len(bytes.fromhex(row["bytes"]))):
            return int(begin)
    return one.rip


def story(run: Run) -> Iterator[Line]:
    """The whole run, line by line."""
    yield from _beginning(run)
    rows = program()
    for one in run.exits:
        while rows and rows[0]["address"] <= trapped(one):
            yield _instruction(rows.pop(0)), ""
        yield _exit(one), _EXIT
    if run.halted:
        yield from ((_instruction(row), _DIM) for row in rows)
    else:
        yield f"The guest did not halt: the host ends it after {len(run.exits)} exits.", "bold red"
    yield from _end(run)


def _beginning(run: Run) -> Iterator[Line]:
    from minirun.vm.anatomy import MEMORY, PAGE

    if run.recorded:
        yield f"RECORDED, not live: {run.why}", "bold red"
        yield f"What follows was recorded on a host with KVM ({run.driver}).", "bold"
    else:
        yield f"Live on this host's KVM ({run.driver}): a virtual machine of one page.", "bold"
    yield "", ""
    memory = f"{MEMORY:#x} to {MEMORY + PAGE - 1:#x}, a page of the hypervisor's own"
    yield _host("KVM_CREATE_VM", "a machine with nothing in it")
    yield _host("KVM_SET_USER_MEMORY_REGION", f"its memory: {memory}")
    yield _host("KVM_CREATE_VCPU", "its processor: the hypervisor's thread, while in KVM_RUN")
    yield _host("KVM_SET_SREGS, KVM_SET_REGS", f"real mode, {_registers(run.registers_before)}")
    yield _host("KVM_RUN", "and once more after each exit:")
    yield "", ""


def _host(call: str, what: str) -> Line:
    return f"host   {call:<28} {what}", ""


def _registers(values: dict[str, int]) -> str:
    return " ".join(f"{name[1:]}={values[name]:x}" for name in ("rip", "rax", "rbx", "rcx", "rdx", "rsi"))


def _instruction(row: dict[str, Any]) -> str:
    comment = f"; {row['comment']}" if row["comment"] else ""
    return f"guest  {row['address']:x}  {row['bytes']:<15}  {row['assembly']:<22}  {comment}".rstrip()


def _exit(one: Exit) -> str:
    place = f"{one.address or 0:#x}: {one.data}"
    asked = {
        "in": f"in from port {place}",
        "out": f"out to port {place}",
        "read": f"read at {place}",
        "write": f"write at {place}",
    }.get(one.access, "its slice is over" if one.reason == "INTR" else "")
    return f"{one.number:>4}   KVM_EXIT_{one.reason:<5}  {asked:<28}   host {one.host}"


def _end(run: Run) -> Iterator[Line]:
    yield "", ""
    yield _host("KVM_GET_REGS", _registers(run.registers_after))
    if not run.halted:
        return
    yield "", ""
    yield "What Popek and Goldberg (1974) ask of a virtual machine, and where it was seen:", "bold"
    for name, text in _properties(run):
        for margin, line in zip([name, "", "", ""], textwrap.wrap(text, 74), strict=False):
            yield f"  {margin:<18}{line}", ""


def _properties(run: Run) -> Iterator[tuple[str, str]]:
    at = {one.access or one.reason: one.number for one in run.exits}
    by_itself = {"kvm_intel": "VT-x", "kvm_amd": "AMD-V"}.get(run.driver)
    by = f"the processor itself ran them ({by_itself})."
    if not by_itself:
        by = "with VT-x or AMD-V the processor itself runs them "
        by += f"({run.driver} may step through them in the host's kernel)."
    yield "efficiency", f"Of the 203 instructions before exit {at['in']} the hypervisor heard nothing: {by}"
    stays = "memory that the guest was not given, time without end, and the processor itself stay the host's."
    yield "resource control", f"Exits {at['read']}, {at['INTR']} and {at['HLT']}: {stays}"
    same = "on a real PC the same bytes would drive real devices. "
    same += "The guest can tell only by how long it takes, and how little room it has."
    yield "equivalence", f"Exits {at['in']} to {at['write']}: {same}"


def _show(lines: list[Line]) -> None:
    if not sys.stdout.isatty():
        for text, _ in lines:
            print(text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for text, style in lines:
        console.print(Text(text, style=style), soft_wrap=True)
