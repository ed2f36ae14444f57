"""Classic BPF: a decision tree as instructions, and instructions as a readable list.

An instruction is 8 bytes: code, two jump distances, a constant. There is one register, A, and
jumps go forward only, so a program always ends. A conditional jump reaches 255 instructions
far; what is farther away is reached through a ``ja`` beside it. bpf(4) of the BSDs,
Documentation/networking/filter.rst of Linux, <linux/bpf_common.h>. Read compiler.py next.
"""

from __future__ import annotations

import struct

from minirun.errors import InvalidInput
from minirun.isolation.syscall_filter.tree import ARCHITECTURE, FULL, Tree, Word
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# <linux/bpf_common.h>: class | size or operation | mode or source.
LD = 0x20  # BPF_LD | BPF_W | BPF_ABS: A = the word at k
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K: A &= k
JA = 0x05  # BPF_JMP | BPF_JA: skip k
JUMPS = {"jeq": 0x15, "jgt": 0x25, "jge": 0x35, "jset": 0x45}  # BPF_JMP | ... | BPF_K
RET = 0x06  # BPF_RET | BPF_K

MAXIMUM = 4096  # BPF_MAXINSNS of <linux/bpf_common.h>
_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter: code, jt, jf, k


def assemble(tree: Tree, sections: Sequence[tuple[int, int]], otherwise: int) -> bytes:
    """The program: by architecture token to its section, ``otherwise`` for any other token.

    ``sections`` are (token, node). Written from the end to the beginning, for a jump must know how
    far its target is and targets lie behind.
    """
    writer = _Writer(tree)
    refuse = writer.put(RET, k=otherwise)
    elsewhere = refuse
    for token, root in reversed(sections):
        section = writer.section(root, ARCHITECTURE)
        elsewhere = writer.jump("jeq", token, section, elsewhere)
    writer.put(LD, k=ARCHITECTURE[0])
    if len(writer.backwards) > MAXIMUM:
        raise InvalidInput(
            "the seccomp profile is too large",
            f"it makes {len(writer.backwards)} instructions, and the kernel takes {MAXIMUM}",
            "drop architectures or argument conditions from it",
        )
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in reversed(writer.backwards))


class _Writer:
    """Instructions from the last to the first; a place is a distance from the end."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.backwards: list[tuple[int, int, int, int]] = []

    def put(self, code: int, jt: int = 0, jf: int = 0, k: int = 0) -> int:
        self.backwards.append((code, jt, jf, k))
        return len(self.backwards) - 1

    def section(self, root: int, loaded: Word) -> int:
        """Writes everything below ``root``; ``loaded`` is what A holds on the way in."""
        # Each section has leaves of its own, within reach of short jumps.
        arriving = self._arrivals(root, loaded)
        places: dict[tuple[int, Word | None], int] = {}
        place = 0
        for number in sorted(arriving):
            node = self.tree.nodes[number]
            if len(node) == 1:
                place = self.put(RET, k=node[0])
                places.update({(number, word): place for word in arriving[number]})
                continue
            word, op, constant, yes, no = node
            place = self.jump(op, constant, places[yes, word], places[no, word])
            places[number, word] = place
            if arriving[number] != {word}:
                place = self._load(word)
                places.update({(number, other): place for other in arriving[number] - {word}})
        return place

    def jump(self, op: str, constant: int, yes: int, no: int) -> int:
        yes, no = self._within_reach(yes), self._within_reach(no)
        here = len(self.backwards)
        return self.put(JUMPS[op], here - yes - 1, here - no - 1, constant)

    def _within_reach(self, target: int) -> int:
        # One place is kept for the other target's detour.
        distance = len(self.backwards) - target
        if distance < 255:
            return target
        code, _, _, k = self.backwards[target]
        return self.put(RET, k=k) if code == RET else self.put(JA, k=distance - 1)

    def _load(self, word: Word) -> int:
        offset, mask = word
        if mask != FULL:
            self.put(AND, k=mask)
        return self.put(LD, k=offset)

    def _arrivals(self, root: int, loaded: Word) -> dict[int, set[Word]]:
        """Every node below ``root``, with what A may hold when control arrives there."""
        arriving: dict[int, set[Word]] = {root: {loaded}}
        waiting = [root]
        while waiting:
            node = self.tree.nodes[waiting.pop()]
            if len(node) == 1:
                continue
            word, _, _, yes, no = node
            for child in (yes, no):
                if child not in arriving:
                    arriving[child] = set()
                    waiting.append(child)
                arriving[child].add(word)
        return arriving


def instructions(program: bytes) -> list[tuple[int, int, int, int]]:
    """(code, jt, jf, k) of every instruction."""
    return list(_INSTRUCTION.iter_unpack(program))
