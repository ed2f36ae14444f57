"""From measurements to what is printed: rows, a table of what is shared, a legend, an answer.

Layer ``compare``. Pure. ``rows`` are for people, ``record`` for programs. The
answer is to the question that the ladder is built for: what does a container
share with its host that a virtual machine does not? It is said of what was
measured, not of what is known. Read ``chart.py`` next.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING

from minirun.values import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.compare.kernel import Kernel
    from minirun.compare.measure import Comparison, Measured
    from minirun.compare.processes import Process

#: Header and key of each column.
COLUMNS = [
    ("RUNG", "rung"),
    ("START", "start"),
    ("MEMORY", "memory"),
    ("KERNEL", "kernel"),
    ("PROCESSES ON THE HOST", "processes"),
    ("SYSCALLS", "syscalls"),
]


def rows(comparison: Comparison) -> list[dict[str, object]]:
    """A row for each rung, in words."""
    return [_row(one, comparison) for one in comparison.rungs]


def _row(one: Measured, comparison: Comparison) -> dict[str, object]:
    if one.missing:
        nothing = dict.fromkeys(("start", "memory", "kernel", "processes"), "-")
        return {"rung": one.rung, **nothing, "syscalls": f"not measured: {_first_line(one.missing)}"}
    return {
        "rung": one.rung,
        "start": milliseconds(start(one)),
        "memory": kibibytes(memory(one, comparison)),
        "kernel": one.kernel.release if one.kernel else "it has no shell to ask",
        "processes": _names(one.processes),
        "syscalls": _calls(one),
    }


def start(one: Measured) -> float | None:
    """The median of its starts, in milliseconds."""
    return statistics.median(one.starts) if one.starts and not one.missing else None


def memory(one: Measured, comparison: Comparison) -> int | None:
    """KiB on the host beside the program's own and the client's; None if nobody could look."""
    own = program_memory(comparison)
    if one.missing or one.processes is None or own is None:
        return None  # and with no own nobody knows which of them is the program
    beside = sum(each.pss for each in one.processes if each.role == "keeper")
    # Where the program is no process of the host's, it is somewhere in these.
    return beside if is_visible(one) else max(beside - own, 0)


def program_memory(comparison: Comparison) -> int | None:
    """KiB that the program takes as a plain process."""
    for one in comparison.rungs:
        if one.rung == "process" and one.processes is not None:
            return sum(each.pss for each in one.processes)
    return None


def is_visible(one: Measured) -> bool | None:
    """Whether the program is among the processes of the host; None where that is not known."""
    roles = {each.role for each in one.processes or ()}
    return None if not roles or "" in roles else "program" in roles


def _names(processes: tuple[Process, ...] | None) -> str:
    if processes is None:
        return "it had ended"
    names = Counter(each.name for each in processes if each.role != "client")
    shown = [name if number == 1 else f"{number} x {name}" for name, number in names.items()]
    return f"{sum(names.values())}: {', '.join(shown)}"


def _calls(one: Measured) -> str:
    calls = one.syscalls
    if calls.note:
        return "not counted"
    own = "?" if calls.program is None else str(calls.program)
    return own if calls.program == calls.total else f"{own} of {calls.total}"


def shared(comparison: Comparison) -> tuple[list[dict[str, object]], list[tuple[str, str]]]:
    """What each rung says of its kernel, beside what the host's own says: rows and columns."""
    told = [one for one in comparison.rungs if one.kernel]
    found: list[dict[str, object]] = []
    for title, key, show in (
        ("kernel release", "release", str),
        ("boot id", "boot_id", lambda value: f"{value[:8]}..."),
        ("booted at", "booted", _moment),
        ("memory", "memory", kibibytes),
        ("CPUs", "cpus", str),
    ):
        theirs = getattr(comparison.host, key)
        row: dict[str, object] = {"fact": title, "host": show(theirs)}
        for one in told:
            value = getattr(one.kernel, key)
            row[one.rung] = "it does not say" if not value else "the same" if value == theirs else show(value)
        found.append(row)
    words = {True: "visible", False: "not to be seen", None: "not known"}
    row = {one.rung: words[is_visible(one)] for one in told}
    found.append({"fact": "the program in ps", "host": "", **row})
    return found, [("FACT", "fact"), ("HOST", "host"), *((one.rung.upper(), one.rung) for one in told)]


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def shares_kernel(kernel: Kernel | None, host: Kernel) -> bool | None:
    """Whether it runs on the host's own running kernel; None where nothing was told."""
    if kernel is None or not kernel.release:
        return None
    return kernel.boot_id == host.boot_id if kernel.boot_id else kernel.release == host.release


def answer(comparison: Comparison) -> Iterator[str]:
    """What a container shares with its host and a virtual machine does not, as measured."""
    of = {one.rung: one for one in comparison.rungs if not one.missing}
    container = of.get("container")
    if container and shares_kernel(container.kernel, comparison.host):
        yield "The container is on the host's own running kernel: inside and outside read the same boot id."
        if container.syscalls.program and is_visible(container):
            yield (
                f"The host answers each of its {container.syscalls.program} system calls,"
                " and shows its program in ps as one process among others."
            )
    pod = of.get("pod")
    if pod and pod.processes and shares_kernel(pod.kernel, comparison.host):
        kept = tuple(each for each in pod.processes if each.role == "keeper")
        yield f"The pod is on it, too, and keeps {_names(kept).partition(': ')[2]} beside its program."
    for name in ("gVisor", "microVM"):
        one = of.get(name)
        if one and one.kernel and shares_kernel(one.kernel, comparison.host) is False:
            yield _other_kernel(one, one.kernel)


def _other_kernel(one: Measured, kernel: Kernel) -> str:
    said = f"{'The ' if one.rung == 'microVM' else ''}{one.rung} is on a kernel of its own, {kernel.release}"
    if is_visible(one) is not False:
        return f"{said}."
    said += f": ps shows {_names(one.processes).partition(': ')[2]} on the host, and not the program"
    if one.syscalls.program == 0:
        said += f"; none of the {one.syscalls.total} system calls that the host answered is the program's"
    return f"{said}."


def legend(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """What the columns and rows mean: a word, and its meaning."""
    runs = comparison.wish.runs
    own = program_memory(comparison)
    beside = "the program's own" if own is None else f"the program's own {kibibytes(own)}"
    shower = "the command that shows its output"
    yield "START", f"from the command to its first output; median of {runs}, after a first run; rungs in turn"
    yield "MEMORY", f"PSS of its processes on the host, beside {beside} and {shower}{_clients(comparison)}"
    yield "PROCESSES", f"what ps shows on the host while it runs, without {shower}"
    yield (
        "SYSCALLS",
        "by strace, in a whole run: the program's from its execve(2) on, of all that the host saw",
    )
    for one in comparison.rungs:
        yield one.rung, one.what
        for remark in _remarks(one):
            yield "", f"({remark})"
    for rung, why in comparison.absent.items():
        yield rung, f"(left out: {why})"


def _remarks(one: Measured) -> Iterator[str]:
    if one.missing:
        yield f"not measured: {one.missing}"
        return
    usual = start(one)
    if usual and one.first > max(2 * usual, 500.0):
        yield f"its first run, which makes what is kept for later ones, took {milliseconds(one.first)}"
    if any("-accel tcg" in each.args for each in one.processes or ()):
        yield "QEMU emulates the processor here (TCG): there is no KVM that it could use"
    if one.syscalls.note:
        yield f"its system calls are not counted: {one.syscalls.note}"
        if one.rung == "gVisor":
            yield "runsc traces its program with ptrace(2), and a process has one tracer: so strace cannot"


def _first_line(said: str) -> str:
    """Of an error in minirun's three parts the first."""
    return said.removeprefix("minirun: ").partition("; why: ")[0]


def _clients(comparison: Comparison) -> str:
    """Whose memory a detached run does not have."""
    found = {
        one.rung: sum(each.pss for each in one.processes if each.role == "client")
        for one in comparison.rungs
        if one.processes and any(each.role == "client" for each in one.processes)
    }
    if not found:
        return ""
    return f" ({', '.join(f'{rung} {kibibytes(size)}' for rung, size in found.items())})"


def record(comparison: Comparison) -> dict[str, object]:
    """All of it for programs: milliseconds, KiB, counts; null for what is not known."""
    return {
        "image": comparison.wish.image,
        "command": list(comparison.wish.command),
        "runs": comparison.wish.runs,
        "host": plain(comparison.host),
        "program_kib": program_memory(comparison),
        "rungs": [_record(one, comparison) for one in comparison.rungs],
        "left_out": comparison.absent,
        "answer": list(answer(comparison)),
    }


def _record(one: Measured, comparison: Comparison) -> dict[str, object]:
    return {
        "rung": one.rung,
        "what": one.what,
        "line": list(one.line),
        "missing": one.missing or None,
        "output": one.output,
        "start_ms": _rounded(start(one)),
        "starts_ms": [_rounded(each) for each in one.starts],
        "first_start_ms": _rounded(one.first) if one.first else None,
        "memory_kib": memory(one, comparison),
        "kernel": plain(one.kernel) if one.kernel else None,
        "shares_kernel": shares_kernel(one.kernel, comparison.host),
        "program_visible": is_visible(one),
        "processes": None
        if one.processes is None
        else [
            {"name": each.name, "role": each.role, "pss_kib": each.pss, "args": each.args}
            for each in one.processes
        ],
        "syscalls": {
            "program": one.syscalls.program,
            "total": one.syscalls.total,
            "note": one.syscalls.note or None,
        },
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)


def milliseconds(number: float | None) -> str:
    """``4.1 ms``, ``53 ms``, ``1.24 s``."""
    if number is None:
        return "-"
    if number < 1000:
        return f"{number:.1f} ms" if number < 10 else f"{number:.0f} ms"
    return f"{number / 1000:.2f} s"


def kibibytes(number: int | None) -> str:
    """``48 KiB``, ``81.0 MiB``, ``15.6 GiB``."""
    if number is None:
        return "-"
    if number < 1024:
        return f"{number} KiB"
    return f"{number / 1024:.1f} MiB" if number < 1 << 20 else f"{number / (1 << 20):.1f} GiB"
