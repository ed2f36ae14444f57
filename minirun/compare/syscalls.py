"""What the host's kernel was asked during a run: strace(1) writes it down, here it is counted.

Layer ``compare``. All that the run's processes asked is the total; the
program's share begins with its execve(2), which is known by its arguments, and
takes in its children. A program that no trace shows asked another kernel.
Read ``kernel.py`` next.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from minirun.compare.attempt import Failed
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: strace cuts strings, and lists of arguments, at this length: enough to know a program by.
_LENGTH = 64

_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
#: In a PID namespace the child has two numbers: `= 2 /* 5877 in strace's PID NS */`.
_CHILD = re.compile(r"\) += (\d+)(?: /\* (\d+) in strace's PID NS \*/)?$")
_MAKES_A_CHILD = {"clone", "clone3", "fork", "vfork"}


class Syscalls(Value):
    """How many: by the program (None: not known), and in all; or a ``note``: why not."""

    program: int | None = None
    total: int | None = None
    note: str = ""


def under_strace(line: Sequence[str], file: str) -> list[str]:
    """``line`` as a command that notes each system call in ``file``. Raises Failed without strace."""
    strace = shutil.which("strace")
    if not strace:
        raise Failed("strace is not installed (on Debian: apt install strace)")
    # Our own children's numbers, not those in their namespaces, are what lines begin with.
    return [strace, "-f", "-qq", "--decode-pids=pidns", "-s", str(_LENGTH), "-o", file, *line]


def count(lines: Iterable[str], args: Sequence[str]) -> Syscalls:
    """Counts what ``strace -f`` wrote; the program is the first that was executed with ``args``."""
    wanted = [os.fsencode(arg)[:_LENGTH] for arg in args][:_LENGTH]
    calls: dict[int, int] = {}  # of each process
    family: set[int] = set()  # the program, and those that it has made
    executing: dict[int, bool] = {}  # whether the execve that a process is in the middle of is the program's
    program, before = 0, 0
    for line in lines:
        match = _LINE.match(line)
        if not match:
            continue  # a signal, an end
        pid, name, rest = int(match[1]), match[2], match[3].rstrip()
        if " resumed>" not in line[: match.start(3)]:
            calls[pid] = calls.get(pid, 0) + 1
            if name == "execve":
                executing[pid] = _argv(rest) == wanted
        if name == "execve" and executing.get(pid) and not program and rest.endswith(" = 0"):
            program, before = pid, calls[pid]
            family.add(pid)
        elif name in _MAKES_A_CHILD and pid in family and (child := _CHILD.search(rest)):
            family.add(int(child[2] or child[1]))
    own = sum(calls.get(pid, 0) for pid in family) - before if program else None
    return Syscalls(program=own, total=sum(calls.values()))


def _argv(rest: str) -> list[bytes]:
    """The arguments in ``"/bin/sh", ["sh", "-c", "echo"], 0x7ffe /* 3 vars */) = 0``."""
    _, _, behind = rest.partition(", [")
    found = []
    place = 0
    while match := _STRING.match(behind, place):
        found.append(match[1].encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1"))
        place = match.end()
        place += 3 * behind.startswith("...", place)
        if not behind.startswith(", ", place):
            break
        place += 2
    return found
