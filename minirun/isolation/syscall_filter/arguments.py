"""Questions about 64-bit arguments, asked by a machine that compares 32 bits at a time.

``a0 >= 0x1_0000_0005`` is: the upper word is greater than 1, or it is 1 and the lower word is at
least 5. What an earlier question has told about an upper word is remembered on the way down, so
that five rules about one argument load and test its upper word once. seccomp(2),
"struct seccomp_data". Used by compiler.py; the nodes are tree.py's.
"""

from __future__ import annotations

from minirun.isolation.syscall_filter.tree import FULL
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.isolation.syscall_filter.architectures import Architecture
    from minirun.isolation.syscall_filter.rules import Rule
    from minirun.isolation.syscall_filter.tree import Tree
    from minirun.spec import SyscallArg

    #: Whether the upper word of an argument is zero, as far as it is known at a node.
    Known = dict[int, bool]
    #: Makes the node that follows, from what is known by then.
    Next = Callable[[Known], int]

#: Operators that are another one with yes and no exchanged.
_OPPOSITE = {"SCMP_CMP_NE": "SCMP_CMP_EQ", "SCMP_CMP_LT": "SCMP_CMP_GE", "SCMP_CMP_LE": "SCMP_CMP_GT"}

#: With more rules for one call than this nothing is remembered from rule to rule: what is known
#: multiplies the nodes, and an odd profile may not make the program explode.
_MEMORABLE = 32


class Questions:
    """The rules of one call: tried in order, ``default`` when none matches."""

    def __init__(self, tree: Tree, architecture: Architecture, rules: tuple[Rule, ...], default: int) -> None:
        self.tree = tree
        self.little_endian = architecture.little_endian
        self.rules = rules
        self.default = default
        # The kernel widens 32-bit arguments with zeros.
        self.start: Known = dict.fromkeys(range(6), True) if architecture.bits == 32 else {}
        self.made: dict[tuple[int, int, tuple[tuple[int, bool], ...]], int] = {}

    def node(self) -> int:
        """The node at which the questions begin."""
        if len(self.rules) > _MEMORABLE:
            for position in reversed(range(len(self.rules))):
                self._ask(position, 0, self.start)
        return self._ask(0, 0, self.start)

    def _ask(self, position: int, place: int, known: Known) -> int:
        """From condition ``place`` of rule ``position`` on."""
        key = (position, place, tuple(sorted(known.items())))
        if key not in self.made:
            self.made[key] = self._question(position, place, known)
        return self.made[key]

    def _question(self, position: int, place: int, known: Known) -> int:
        if position == len(self.rules):
            return self.tree.leaf(self.default)
        rule = self.rules[position]
        if place == len(rule.args):
            return self.tree.leaf(rule.answer)

        def matches(known: Known) -> int:
            return self._ask(position, place + 1, known)

        def differs(known: Known) -> int:
            remembered = known if len(self.rules) <= _MEMORABLE else self.start
            return self._ask(position + 1, 0, remembered)

        return self._compare(rule.args[place], known, matches, differs)

    def _compare(self, arg: SyscallArg, known: Known, yes: Next, no: Next) -> int:
        op = arg.op
        if op in _OPPOSITE:
            op, yes, no = _OPPOSITE[op], no, yes
        if op == "SCMP_CMP_EQ":
            return self._equal(arg.index, FULL << 32 | FULL, arg.value, known, yes, no)
        if op == "SCMP_CMP_MASKED_EQ":
            return self._equal(arg.index, arg.value, arg.valueTwo & arg.value, known, yes, no)
        return self._greater(arg, "jge" if op == "SCMP_CMP_GE" else "jgt", known, yes, no)

    def _equal(self, index: int, mask: int, wanted: int, known: Known, yes: Next, no: Next) -> int:
        """(argument & mask) == wanted"""

        def lower(known: Known) -> int:
            return self._word(self._lower(index), mask & FULL, wanted & FULL, yes(known), no(known))

        upper_mask, upper = mask >> 32, wanted >> 32
        if upper_mask == 0:
            return lower(known)
        if known.get(index) is True:
            return no(known) if upper else lower(known)
        if upper_mask == FULL and upper == 0:
            return self._zero(index, known, lower, no)
        if upper:
            matched = {**known, index: False}
            return self._word(self._upper(index), upper_mask, upper, lower(matched), no(known))
        return self._word(self._upper(index), upper_mask, 0, lower(known), no({**known, index: False}))

    def _greater(self, arg: SyscallArg, op: str, known: Known, yes: Next, no: Next) -> int:
        """argument >= value, or > with op ``jgt``"""
        upper, value = arg.value >> 32, arg.value & FULL

        def lower(known: Known) -> int:
            word = (self._lower(arg.index), FULL)
            return self.tree.branch(word, op, value, yes(known), no(known))

        if upper == 0:
            return self._zero(arg.index, known, lower, yes)
        if known.get(arg.index) is True:
            return no(known)
        word = (self._upper(arg.index), FULL)
        above = {**known, arg.index: False}
        same_or_less = self.tree.branch(word, "jeq", upper, lower(above), no(known))
        return self.tree.branch(word, "jgt", upper, yes(above), same_or_less)

    def _zero(self, index: int, known: Known, zero: Next, more: Next) -> int:
        """Is the upper word of argument ``index`` zero? It need not be asked twice."""
        if index in known:
            return zero(known) if known[index] else more(known)
        word = (self._upper(index), FULL)
        return self.tree.branch(word, "jeq", 0, zero({**known, index: True}), more({**known, index: False}))

    def _word(self, offset: int, mask: int, wanted: int, yes: int, no: int) -> int:
        """(word & mask) == wanted, in the fewest instructions."""
        if mask == 0:
            return yes
        if mask == FULL:
            return self.tree.branch((offset, FULL), "jeq", wanted, yes, no)
        if wanted == 0:
            return self.tree.branch((offset, FULL), "jset", mask, no, yes)
        if mask & (mask - 1) == 0:
            return self.tree.branch((offset, FULL), "jset", mask, yes, no)
        return self.tree.branch((offset, mask), "jeq", wanted, yes, no)

    def _lower(self, index: int) -> int:
        return 16 + 8 * index + (0 if self.little_endian else 4)

    def _upper(self, index: int) -> int:
        return 16 + 8 * index + (4 if self.little_endian else 0)
