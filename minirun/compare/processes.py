"""What an administrator sees of a run: its processes on the host, and their memory.

Layer ``compare``. Read from /proc, as ps(1) does. Memory is PSS: a page that
several processes map counts for each of them with its share, so that the sum
over processes is what they take together. Read ``syscalls.py`` next. proc(5).
"""

from __future__ import annotations

import os
import time

from minirun.compare.in_pod import SHELL
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable

#: A run is looked at again and again until nothing moves, but no longer than this, in seconds.
_SETTLING = 1.0
_INTERVAL = 0.05


class Process(Value):
    """A process as the host sees it. ``pss`` is in KiB.

    ``program`` is the name and size of its executable. ``role`` is "program",
    "client" (the command that was typed, which shows the output; a detached
    run has none), "keeper" (all else); empty where the program is not known.
    """

    pid: int
    name: str
    args: str = ""
    """The whole command line."""
    pss: int = 0
    program: tuple[str, int] = ("", 0)
    role: str = "keeper"


def settled() -> tuple[Process, ...]:
    """The processes below this one, as soon as they have come to rest."""
    deadline = time.monotonic() + _SETTLING
    found = below()
    while time.monotonic() < deadline:
        time.sleep(_INTERVAL)  # at rest is what two looks in a row find alike
        before, found = found, below()
        if _is_same(before, found):
            break
    return found


def _is_same(before: tuple[Process, ...], now: tuple[Process, ...]) -> bool:
    weight = sum(each.pss for each in before)
    return [each.pid for each in before] == [each.pid for each in now] and (
        abs(sum(each.pss for each in now) - weight) <= weight // 100
    )


def below() -> tuple[Process, ...]:
    """All that runs below this process, now."""
    direct = children(os.getpid())
    ours = _program(os.getpid())
    shell = _named(SHELL, os.path.realpath)
    scripts = {pid for pid in direct if _program(pid) == shell}
    found = []
    for pid in descendants(os.getpid()):
        program = _program(pid)
        # What was typed is our own child, and still minirun's interpreter, or runsc.
        client = pid in direct and (program == ours or program[0] == "runsc")
        client = client or _session(pid) in scripts  # each run is a session; what stays makes its own
        role = "client" if client else "keeper"
        args = _read(f"/proc/{pid}/cmdline").rstrip("\0").replace("\0", " ")
        found.append(Process(pid=pid, name=name(pid), args=args, pss=pss(pid), program=program, role=role))
    return tuple(each for each in found if each.name)


def role(process: Process, programs: set[tuple[str, int]]) -> str:
    """Its role, now that it is known what the plain process executed (nothing: it did not work)."""
    if process.role != "keeper":
        return process.role
    if not programs:
        return ""
    return "program" if process.program in programs else "keeper"


def descendants(pid: int) -> list[int]:
    """The living processes below ``pid``, parents first; the dead that nobody reaped are none."""
    table: dict[int, list[int]] = {}
    for child, parent, state in _everyone():
        if state != "Z":
            table.setdefault(parent, []).append(child)
    found: list[int] = []
    todo = [pid]
    while todo:
        next_ones = table.get(todo.pop(0), [])
        found += next_ones
        todo += next_ones
    return found


def children(pid: int) -> list[int]:
    """The living processes directly below ``pid``."""
    return [child for child, parent, state in _everyone() if parent == pid and state != "Z"]


def _everyone() -> list[tuple[int, int, str]]:
    """Pid, parent and state of every process."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        fields = _read(f"/proc/{entry}/stat").rpartition(")")[2].split()
        if fields:
            found.append((int(entry), int(fields[1]), fields[0]))
    return found


def name(pid: int) -> str:
    """As ps(1) tells it: the first word of the command line, in brackets where it has none."""
    words = _read(f"/proc/{pid}/cmdline").split("\0")
    if words[0]:
        return os.path.basename(words[0]) or words[0]
    title = _read(f"/proc/{pid}/comm").strip()
    return f"[{title}]" if title else ""


def pss(pid: int) -> int:
    """Its proportional set size in KiB; 0 if it is gone."""
    return parse_pss(_read(f"/proc/{pid}/smaps_rollup"))


def parse_pss(text: str) -> int:
    """The line ``Pss:  1234 kB`` of smaps_rollup."""
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def is_nested(pid: int) -> bool:
    """Whether it runs in a PID namespace below ours: it has more than one pid."""
    lines = _read(f"/proc/{pid}/status").splitlines()
    return any(line.startswith("NSpid:") and len(line.split()) > 2 for line in lines)


def _program(pid: int) -> tuple[str, int]:
    # Not realpath: its own files are elsewhere, and links of ours with those names lead astray.
    return _named(f"/proc/{pid}/exe", os.readlink)


def _named(path: str, target: Callable[[str], str]) -> tuple[str, int]:
    try:
        return os.path.basename(target(path)), os.stat(path).st_size
    except OSError:
        return "", 0  # it is gone, or a kernel thread


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _read(path: str) -> str:
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""  # it ended while we looked
