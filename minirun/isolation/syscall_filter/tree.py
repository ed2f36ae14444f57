"""The filter as a decision tree: questions about a call, and answers at the leaves.

    Branch   is <word of seccomp_data> <op> <constant>?  yes -> node, no -> node
    Leaf     the answer, a SECCOMP_RET_* value

Equal subtrees are one node, so "allow" exists once however many calls end there. Nodes are
numbers and a node is always younger than its children: bpf.py writes them out by walking the
list backwards. Built by compiler.py; read bpf.py next.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A 32-bit word of struct seccomp_data: its offset, and the mask put on it (seccomp(2)).
Word = tuple[int, int]
FULL = 0xFFFFFFFF
NUMBER: Word = (0, FULL)
ARCHITECTURE: Word = (4, FULL)

#: A leaf is (answer,), a branch (word, op, constant, yes, no); op as in bpf(4): jeq jge jgt jset.
Leaf = tuple[int]
Branch = tuple[Word, str, int, int, int]

#: How many single numbers one leaf of the tree of numbers may ask for one by one.
_SINGLES = 4


class Tree:
    """The nodes made so far, each kind once."""

    def __init__(self) -> None:
        self.nodes: list[Leaf | Branch] = []
        self._known: dict[Leaf | Branch, int] = {}

    def leaf(self, answer: int) -> int:
        """The node that answers ``answer``."""
        return self._node((answer,))

    def branch(self, word: Word, op: str, constant: int, yes: int, no: int) -> int:
        """The node that asks; none where there is only one answer."""
        if yes == no:
            return yes
        if op == "jge" and constant == 0:
            return yes
        if (op == "jgt" and constant == FULL) or (op == "jset" and constant == 0):
            return no
        return self._node((word, op, constant, yes, no))

    def of_numbers(self, starts: Sequence[tuple[int, int]]) -> int:
        """The node that finds a call's number among spans; ``starts`` are (first number, node).

        A span ends where the next one starts, and the first starts at 0. Cost per call is
        logarithmic: spans are bundled into the fewest questions, the bundles into a balanced tree.
        """
        spans = _merged(starts)
        bundles = _bundles(spans)
        return self._halves([spans[first:last] for first, last in bundles])

    def _halves(self, bundles: list[list[tuple[int, int, int]]]) -> int:
        if len(bundles) == 1:
            return self._singles(bundles[0])
        middle = len(bundles) // 2
        low, high = self._halves(bundles[:middle]), self._halves(bundles[middle:])
        return self.branch(NUMBER, "jge", bundles[middle][0][0], high, low)

    def _singles(self, bundle: list[tuple[int, int, int]]) -> int:
        background = _background(bundle)
        node = background
        for first, _, answer in reversed(bundle):
            if answer != background:
                node = self.branch(NUMBER, "jeq", first, answer, node)
        return node

    def _node(self, node: Leaf | Branch) -> int:
        if node not in self._known:
            self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return self._known[node]


def _merged(starts: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(first, last, node), neighbours with the same node made one."""
    spans: list[tuple[int, int, int]] = []
    for position, (first, node) in enumerate(starts):
        last = starts[position + 1][0] - 1 if position + 1 < len(starts) else FULL
        if spans and spans[-1][2] == node:
            first = spans.pop()[0]
        spans.append((first, last, node))
    return spans


def _bundles(spans: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Cuts the spans into bundles, as (from, to), so that the questions are fewest.

    A cut costs a question (``jge``), and so does every single number in a bundle (``jeq``). The
    best way to cut the first n spans is known from the best ways to cut fewer.
    """
    best = [0]
    cut = [0]
    for end in range(1, len(spans) + 1):
        costs = []
        for begin in range(max(0, end - 2 * _SINGLES - 1), end):
            singles = _singles_in(spans[begin:end])
            if singles <= _SINGLES:
                costs.append((best[begin] + 1 + singles, begin))
        cost, begin = min(costs)
        best.append(cost)
        cut.append(begin)
    bundles = []
    end = len(spans)
    while end:
        bundles.append((cut[end], end))
        end = cut[end]
    return bundles[::-1]


def _singles_in(bundle: list[tuple[int, int, int]]) -> int:
    """How many single numbers stand out of the bundle's background; too many if it has none."""
    background = _background(bundle)
    out = [span for span in bundle if span[2] != background]
    return len(out) if all(first == last for first, last, _ in out) else _SINGLES + 1


def _background(bundle: list[tuple[int, int, int]]) -> int:
    """The node of the bundle's longest span."""
    return max(bundle, key=lambda span: span[1] - span[0])[2]
