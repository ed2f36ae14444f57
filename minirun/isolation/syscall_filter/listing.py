"""A BPF program as a list to read: an instruction a line, and what it asks.

   0  ld   [4]                            the architecture
   1  jeq  0xc000003e   -> 2 | 71         is it SCMP_ARCH_X86_64?
   2  ld   [0]                            the number of the call
   3  jge  280          -> 4 | 27         is it utimensat or above?

``-> yes | no`` are the next instructions' places. For explain and the tutorials. bpf.py writes
what this reads.
"""

from __future__ import annotations

import errno

from minirun.isolation.syscall_filter import bpf
from minirun.isolation.syscall_filter.architectures import ARCHITECTURES, Architecture
from minirun.linux.seccomp import SeccompReturn
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPS = {code: op for op, code in bpf.JUMPS.items()}
_QUESTIONS = {
    "jeq": "is it {}?",
    "jge": "is it {} or above?",
    "jgt": "is it above {}?",
    "jset": "any bit of {}?",
}


def listing(program: bytes) -> str:
    """The whole program; a line an instruction."""
    return "\n".join(_lines(bpf.instructions(program)))


class _State:
    """What is known before an instruction: the word in A, and the architecture."""

    def __init__(self, offset: int, architecture: Architecture | None) -> None:
        self.offset = offset
        self.architecture = architecture


def _lines(program: list[tuple[int, int, int, int]]) -> Iterator[str]:
    # Jumps go forward only, so one pass knows the state before each instruction.
    states: dict[int, _State] = {0: _State(-1, None)}
    names: dict[str, dict[int, str]] = {}
    for place, (code, jt, jf, k) in enumerate(program):
        state = states.get(place, _State(-1, None))
        if code in _OPS:
            yes, no = place + 1 + jt, place + 1 + jf
            matched = _architecture(k) if state.offset == 4 else state.architecture
            states.setdefault(yes, _State(state.offset, matched))
            states.setdefault(no, state)
            text = f"{_OPS[code]:4} {_constant(k, state.offset)}"
            comment = _QUESTIONS[_OPS[code]].format(_meaning(k, state, names))
            yield f"{place:4}  {text:17} -> {yes} | {no}".ljust(42) + comment
            continue
        following = _State(k if code == bpf.LD else state.offset, state.architecture)
        states.setdefault(place + 1 + k if code == bpf.JA else place + 1, following)
        yield f"{place:4}  {_plain(code, k)}".ljust(42) + _comment(code, k, state)


def _plain(code: int, k: int) -> str:
    forms = {bpf.LD: f"ld   [{k}]", bpf.AND: f"and  {k:#x}", bpf.JA: f"ja   +{k}", bpf.RET: f"ret  {k:#010x}"}
    return forms[code]


def _comment(code: int, k: int, state: _State) -> str:
    if code == bpf.LD:
        return _word(k, state.architecture)
    if code == bpf.RET:
        return _verdict(k)
    return "only these bits" if code == bpf.AND else "a jump too far for the conditional one"


def _word(offset: int, architecture: Architecture | None) -> str:
    if offset < 16:
        return {0: "the number of the call", 4: "the architecture"}[offset]
    second = bool(offset // 4 % 2)
    upper = second == (architecture is None or architecture.little_endian)
    return f"argument {(offset - 16) // 8}, its {'upper' if upper else 'lower'} 32 bits"


def _verdict(returned: int) -> str:
    action = SeccompReturn(returned & 0xFFFF0000).name
    data = returned & 0xFFFF
    if action == "ERRNO":
        return f"ERRNO {errno.errorcode.get(data, data)}"
    return f"{action} {data}" if data else action


def _constant(k: int, offset: int) -> str:
    return str(k) if offset == 0 and k < 0x10000 else f"{k:#x}"


def _meaning(k: int, state: _State, names: dict[str, dict[int, str]]) -> str:
    if state.offset == 4:
        found = _architecture(k)
        return found.name if found else "another architecture"
    if state.offset == 0 and state.architecture is not None:
        architecture = state.architecture
        if architecture.name not in names:
            names[architecture.name] = {number: name for name, number in architecture.table().items()}
        return names[architecture.name].get(k, str(k) if k < 0x10000 else f"{k:#x}")
    return f"{k:#x}"


def _architecture(token: int) -> Architecture | None:
    for architecture in ARCHITECTURES.values():
        if architecture.audit == token:
            return architecture
    return None
