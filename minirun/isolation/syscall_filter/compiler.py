"""Compiles a profile: rules -> decision tree -> BPF.

    which architecture?   a section each; any other kills the process
      which number?       a balanced tree over spans of numbers with the same verdict
        which arguments?  the rules of that call, one after the other
          the verdict     ALLOW, ERRNO 1, KILL_PROCESS ...

Cold path: what comes out is kept by cache.py. Its neighbours: rules.py says what a profile means,
arguments.py asks about 64-bit values, tree.py joins what is equal, bpf.py writes it down. seccomp(2)
"""

from __future__ import annotations

from minirun.isolation.syscall_filter import architectures, bpf
from minirun.isolation.syscall_filter.arguments import Questions
from minirun.isolation.syscall_filter.rules import ENOSYS, answer, verdicts
from minirun.isolation.syscall_filter.tree import FULL, Tree
from minirun.linux.seccomp import SeccompReturn
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.isolation.syscall_filter.architectures import Architecture
    from minirun.isolation.syscall_filter.rules import Verdicts
    from minirun.spec import Seccomp

_X32_BIT = 1 << 30


def compile_profile(profile: Seccomp, machine: str = "") -> bytes:
    """The BPF program of ``profile`` for ``machine`` (as uname(2) names it; default: this one).

    Raises InvalidInput and Unsupported by the name of what is wrong in the profile.
    """
    tree = Tree()
    by_token: dict[int, list[Architecture]] = {}
    for architecture in architectures.named(profile.architectures, machine):
        by_token.setdefault(architecture.audit, []).append(architecture)
    sections = [(token, _section(tree, profile, sharing)) for token, sharing in by_token.items()]
    # libseccomp kills only the thread here; a program that lost a thread goes on in a state that
    # nobody wrote it for.
    return bpf.assemble(tree, sections, otherwise=SeccompReturn.KILL_PROCESS)


def _section(tree: Tree, profile: Seccomp, sharing: list[Architecture]) -> int:
    """The tree of one token: x86_64 and x32 share one, told apart by bit 30 of the number."""
    starts: list[tuple[int, int]] = []
    names = {architecture.name for architecture in sharing}
    for architecture in sorted(sharing, key=lambda each: each.base):
        starts += _spans(tree, architecture, verdicts(profile, architecture))
    if "SCMP_ARCH_X86_64" in names:
        if "SCMP_ARCH_X32" not in names:
            starts.append((_X32_BIT, tree.leaf(SeccompReturn.KILL_PROCESS)))
        # A tracer that wants a call skipped makes its number -1: ptrace(2). Nothing is called.
        starts.append((FULL, tree.leaf(answer(profile.defaultAction, profile.defaultErrnoRet))))
    return tree.of_numbers(starts)


def _spans(tree: Tree, architecture: Architecture, said: Verdicts) -> list[tuple[int, int]]:
    """(first number, node) of each span, from the architecture's number 0 on."""
    default = tree.leaf(said.default)
    floor = _X32_BIT if architecture.name == "SCMP_ARCH_X32" else 0
    starts = {floor: default}
    beyond = default
    if said.highest >= 0:
        beyond = starts[said.highest + 1] = tree.leaf(ENOSYS)
    for number, rules in sorted(said.rules.items()):
        starts[number] = Questions(tree, architecture, rules, said.default).node()
        # A span of one number each: what follows on alike is merged by the tree.
        if number + 1 not in said.rules:
            starts.setdefault(number + 1, beyond if number > said.highest >= 0 else default)
    return sorted(starts.items())
