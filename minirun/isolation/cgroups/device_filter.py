"""The device filter of cgroup v2: a list of rules becomes an eBPF program.

Part of ``isolation/cgroups``; linux/bpf.py loads what is written here. v2 has
no devices file: instead the kernel runs a small program at every open(2) and
mknod(2) of a device, and 0 from it means EPERM. Ours is made anew for each
container, and short: three loads, a few instructions a rule, two exits. With
``text`` it can be read as the kernel's own disassembler would print it.
bpf(2); include/uapi/linux/bpf.h, ``struct bpf_cgroup_dev_ctx``; the
instruction set: https://docs.kernel.org/bpf/standardization/instruction-set.html.
"""

from __future__ import annotations

import struct

from minirun.isolation.cgroups.device_rules import Rule
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the program is called with: struct bpf_cgroup_dev_ctx at R1. Its first
# word has the device's type in the lower half and the accesses in the upper.
ACCESS_TYPE, MAJOR, MINOR = 0, 4, 8
TYPES = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR
ACCESSES = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_MKNOD, _READ, _WRITE

# Operation codes: class | source or size | operation
LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W: dst = *(u32 *)(src + offset)
MOVE, MOVE_NUMBER = 0xBF, 0xB7  # BPF_ALU64 | BPF_MOV: dst = src, dst = number
AND, SHIFT_RIGHT = 0x57, 0x77  # BPF_ALU64 | BPF_AND, BPF_RSH, with a number
JUMP_IF_EQUAL, JUMP_IF_NOT, JUMP_IF_ANY = 0x15, 0x55, 0x45  # BPF_JEQ, BPF_JNE, BPF_JSET
EXIT = 0x95

# Our use of the registers. R0 is the answer, R1 the context, by BPF's calling convention.
R0, R1, TYPE, WANTED, MAJ, MIN = 0, 1, 2, 3, 4, 5


class Instruction(Value):
    """One instruction; ``to`` names the place it jumps to, not yet a distance."""

    code: int
    dst: int = 0
    src: int = 0
    offset: int = 0
    number: int = 0
    to: str = ""
    label: str = ""
    """The name of this place, if something jumps here."""
    text: str = ""


def assembled(rules: Iterable[Rule]) -> bytes:
    """The program for ``rules`` (device_rules.simplified), eight bytes an instruction."""
    instructions = program(rules)
    places = {each.label: at for at, each in enumerate(instructions) if each.label}
    return b"".join(
        struct.pack(
            "<BBhi",
            each.code,
            each.dst | each.src << 4,
            places[each.to] - at - 1 if each.to else each.offset,
            each.number,
        )
        for at, each in enumerate(instructions)
    )


def text(rules: Iterable[Rule]) -> str:
    """The program for ``rules`` in words, a line an instruction."""
    return "\n".join(f"{each.label + ':' if each.label else '':10}{each.text}" for each in program(rules))


def program(rules: Iterable[Rule]) -> list[Instruction]:
    """From the last rule to the first, for the last that speaks wins.

    WANTED starts as the accesses that are asked for. A rule that allows some
    takes them out of it, and when none is left the answer is yes. A rule that
    denies one that is still wanted, or no rule left to ask, means no.
    """
    body: list[Instruction] = []
    for number, rule in enumerate(reversed(list(rules))):
        body += _rule(rule, here=f"rule{number}", beyond=f"rule{number + 1}")
    # Falling out of the last rule is a no, so that exit is always reached; the
    # verifier refuses an exit that nothing leads to.
    exits = [_set("r0 = 0", R0, 0, label="deny"), _exit()]
    if any(each.to == "allow" for each in body):
        exits += [_set("r0 = 1", R0, 1, label="allow"), _exit()]
    return _prologue() + _land(body, exits)


def _prologue() -> list[Instruction]:
    return [
        Instruction(code=LOAD_WORD, dst=TYPE, src=R1, offset=ACCESS_TYPE, text="r2 = context.access_type"),
        Instruction(code=MOVE, dst=WANTED, src=TYPE, text="r3 = r2"),
        Instruction(code=AND, dst=TYPE, number=0xFFFF, text="r2 &= 0xffff            the type"),
        Instruction(code=SHIFT_RIGHT, dst=WANTED, number=16, text="r3 >>= 16               the accesses"),
        Instruction(code=LOAD_WORD, dst=MAJ, src=R1, offset=MAJOR, text="r4 = context.major"),
        Instruction(code=LOAD_WORD, dst=MIN, src=R1, offset=MINOR, text="r5 = context.minor"),
    ]


def _rule(rule: Rule, here: str, beyond: str) -> list[Instruction]:
    """Go ``beyond`` if this rule is about another device, else apply it."""
    wanted = sum(ACCESSES[each] for each in rule.access)
    lines = [_jump(JUMP_IF_NOT, TYPE, TYPES[rule.type], beyond, label=here)]
    if rule.major is not None:
        lines.append(_jump(JUMP_IF_NOT, MAJ, rule.major, beyond))
    if rule.minor is not None:
        lines.append(_jump(JUMP_IF_NOT, MIN, rule.minor, beyond))
    if not rule.allow:
        return [*lines, _jump(JUMP_IF_ANY, WANTED, wanted, "deny")]
    lines.append(Instruction(code=AND, dst=WANTED, number=~wanted, text=f"r3 &= ~{wanted:#x}"))
    return [*lines, _jump(JUMP_IF_EQUAL, WANTED, 0, "allow")]


def _land(body: list[Instruction], exits: list[Instruction]) -> list[Instruction]:
    """Sends the jumps that go beyond the last rule to the exit that says no."""
    labels = {each.label for each in body} | {each.label for each in exits}
    return [_aimed(each, "deny") if each.to and each.to not in labels else each for each in body] + exits


def _aimed(jump: Instruction, to: str) -> Instruction:
    return _jump(jump.code, jump.dst, jump.number, to, jump.label)


_SIGNS = {JUMP_IF_EQUAL: "==", JUMP_IF_NOT: "!=", JUMP_IF_ANY: "&"}


def _jump(code: int, register: int, number: int, to: str, label: str = "") -> Instruction:
    words = f"if r{register} {_SIGNS[code]} {number:#x} goto {to}"
    return Instruction(code=code, dst=register, number=number, to=to, label=label, text=words)


def _set(words: str, register: int, number: int, label: str) -> Instruction:
    return Instruction(code=MOVE_NUMBER, dst=register, number=number, label=label, text=words)


def _exit() -> Instruction:
    return Instruction(code=EXIT, text="exit")
