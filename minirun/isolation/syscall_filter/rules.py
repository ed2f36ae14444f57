"""An OCI profile's rules, sorted by system call number: what applies to a call, and when.

The meaning is libseccomp's as runc uses it, for profiles are written against those two:

- a rule whose action is the default action says nothing and is dropped;
- the arguments of one rule must all match; if an argument occurs twice in it, every condition
  becomes a rule of its own (so that "a0 == 1, a0 == 2" means either);
- a rule without arguments outweighs those with arguments, and the first such rule counts;
- of several rules that match by their arguments the strictest action counts;
- a name that an architecture, or any, does not know is passed over;
- a number above the highest that the profile names is a call the profile's author could not
  know: it gets ENOSYS rather than the default, so that libc falls back to an older call.

https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md, "Seccomp";
seccomp_rule_add(3). Read compiler.py next.
"""

from __future__ import annotations

import errno

from minirun.errors import InvalidInput, Unsupported
from minirun.linux.seccomp import SeccompReturn
from minirun.spec import SyscallArg
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.isolation.syscall_filter.architectures import Architecture
    from minirun.spec import Seccomp, SyscallRule

ACTIONS = {
    "SCMP_ACT_KILL": SeccompReturn.KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": SeccompReturn.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": SeccompReturn.KILL_PROCESS,
    "SCMP_ACT_TRAP": SeccompReturn.TRAP,
    "SCMP_ACT_ERRNO": SeccompReturn.ERRNO,
    "SCMP_ACT_TRACE": SeccompReturn.TRACE,
    "SCMP_ACT_ALLOW": SeccompReturn.ALLOW,
    "SCMP_ACT_LOG": SeccompReturn.LOG,
}
OPERATORS = tuple(f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"))

#: 32-bit x86, s390, PowerPC and others have old calls that lead to many: ``socketcall(1, ...)`` is
#: socket(2). Name -> (the old call, its first argument): SYS_* of <linux/net.h>, <linux/ipc.h>.
_SOCKETCALL = (
    "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom "
    "shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg"
)
_IPC = {
    1: "semop semget semctl semtimedop",
    11: "msgsnd msgrcv msgget msgctl",
    21: "shmat shmdt shmget shmctl",
}
MULTIPLEXED = {
    **{name: ("socketcall", number) for number, name in enumerate(_SOCKETCALL.split(), 1)},
    **{name: ("ipc", number) for first in _IPC for number, name in enumerate(_IPC[first].split(), first)},
}
ENOSYS = SeccompReturn.ERRNO | errno.ENOSYS


class Rule(Value):
    """``answer`` is a SECCOMP_RET_* value; all of ``args`` must match."""

    answer: int
    args: tuple[SyscallArg, ...] = ()


class Verdicts(Value):
    """What a profile says on one architecture: rules by number, and the rest."""

    default: int
    rules: dict[int, tuple[Rule, ...]]
    """Those that count, in the order in which they are to be asked."""
    highest: int
    """The highest number named; what is above it gets ENOSYS. -1: nothing does."""


def verdicts(profile: Seccomp, architecture: Architecture) -> Verdicts:
    """What ``profile`` says of each call of ``architecture``.

    Raises InvalidInput for an action, operator or argument that makes no sense, Unsupported for
    SCMP_ACT_NOTIFY.
    """
    default = answer(profile.defaultAction, profile.defaultErrnoRet)
    table = architecture.table()
    found: dict[int, list[Rule]] = {}
    highest = -1
    for said in profile.syscalls:
        action = answer(said.action, said.errnoRet)
        alternatives = _alternatives(said)
        for name in said.names:
            if name in table:
                highest = max(highest, _unless_private(table[name]))
            if action == default:
                continue
            for args in alternatives:
                for number, conditions in _calls(name, args, table, action, default):
                    found.setdefault(number, []).append(Rule(answer=action, args=conditions))
    if strictness(default) >= strictness(SeccompReturn.TRACE):
        highest = -1
    elif architecture.name.startswith("SCMP_ARCH_S390"):
        # Number 0 stands for every number that does not fit into the instruction (svc 0).
        found.setdefault(0, []).append(Rule(answer=ENOSYS))
    return Verdicts(
        default=default,
        rules={number: _in_order(rules) for number, rules in found.items()},
        highest=highest,
    )


def answer(action: str, errno_ret: int | None) -> int:
    """The SECCOMP_RET_* value of an OCI action and its errnoRet (default: EPERM)."""
    if action == "SCMP_ACT_NOTIFY":
        raise Unsupported(
            "seccomp action SCMP_ACT_NOTIFY is not supported",
            "nothing in minirun hands the listener to an agent",
            "use SCMP_ACT_ERRNO, or leave the rule out",
        )
    if action not in ACTIONS:
        known = ", ".join(ACTIONS)
        raise InvalidInput(
            f"seccomp action {action!r} is unknown", "config-linux.md, Seccomp", f"one of {known}"
        )
    base = ACTIONS[action]
    if base not in (SeccompReturn.ERRNO, SeccompReturn.TRACE):
        if errno_ret is not None:
            raise InvalidInput(f"{action} takes no errnoRet", "it returns no error", "leave errnoRet out")
        return int(base)
    # 4095 is MAX_ERRNO of <linux/err.h>; a tracer's message has all 16 bits.
    limit = 4095 if base is SeccompReturn.ERRNO else 0xFFFF
    number = errno.EPERM if errno_ret is None else errno_ret
    if not 0 <= number <= limit:
        raise InvalidInput(f"seccomp errnoRet {number} is out of range", f"0 to {limit}", "correct it")
    return base | number


def strictness(returned: int) -> int:
    """Orders answers as the kernel does among several filters: the smallest counts."""
    action = returned & 0xFFFF0000
    return action - (1 << 32) if action & 0x80000000 else action


def _alternatives(said: SyscallRule) -> list[tuple[SyscallArg, ...]]:
    for arg in said.args:
        if arg.op not in OPERATORS:
            raise InvalidInput(
                f"seccomp operator {arg.op!r} is unknown",
                f"in the rule for {', '.join(said.names)}",
                f"one of {', '.join(OPERATORS)}",
            )
        words = (arg.value, arg.valueTwo)
        if not 0 <= arg.index <= 5 or not all(0 <= word < 1 << 64 for word in words):
            raise InvalidInput(
                f"a seccomp condition of {', '.join(said.names)} is out of range",
                "index is 0 to 5, value and valueTwo are 64 bits",
                "correct it",
            )
    if len({arg.index for arg in said.args}) < len(said.args):
        return [(arg,) for arg in said.args]
    return [said.args]


def _calls(
    name: str, args: tuple[SyscallArg, ...], table: dict[str, int], action: int, default: int
) -> Iterator[tuple[int, tuple[SyscallArg, ...]]]:
    """The numbers that ``name`` stands for, each with its conditions."""
    if name in table:
        yield table[name], args
    old, first = MULTIPLEXED.get(name, ("", 0))
    # What a multiplexed call's arguments are stands in memory, where no filter can look. Where
    # that matters, a rule that forbids applies to all, and one that allows to none.
    if old in table and (not args or strictness(action) < strictness(default)):
        # The kernel reads only these bits of it: net/socket.c, ipc/syscall.c.
        mask = 0xFFFF if old == "ipc" else 0xFFFFFFFF
        yield table[old], (SyscallArg(index=0, op="SCMP_CMP_MASKED_EQ", value=mask, valueTwo=first),)


def _in_order(rules: list[Rule]) -> tuple[Rule, ...]:
    for rule in rules:
        if not rule.args:
            return (rule,)
    return tuple(sorted(rules, key=lambda rule: strictness(rule.answer)))


def _unless_private(number: int) -> int:
    # 32-bit ARM keeps a few calls of its own far above all others: arch/arm/include/uapi.
    return number if number & 0xFFFFF < 0xF0000 else -1
