"""What the default filter costs: to compile, to read from the cache, to load into the kernel.

    python -m tests.bench.bench_syscall_filter

Beside it libseccomp's filters for the same rules, linear as runc and crun load them for short
profiles, and with its binary tree. Medians; loads are timed each in a fresh child, for a filter
cannot be removed and each further one makes the next slower.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minirun.isolation import syscall_filter
from minirun.isolation.syscall_filter import profile
from minirun.isolation.syscall_filter.architectures import of_machine
from minirun.isolation.syscall_filter.compiler import compile_profile
from minirun.linux import libc, seccomp
from minirun.linux.seccomp import SeccompFlag
from minirun.spec import Capabilities, Linux, Process, Seccomp, Spec
from minirun.values import replace
from tests.bench.harness import Row, judged
from tests.unit import libseccomp_oracle

HELD = ("CAP_SYS_CHROOT",)
CALLS = 20000
PR_SET_NO_NEW_PRIVS = 38


INSTRUCTIONS = 130


@dataclass(frozen=True)
class Cost:
    """Of one filter: to make it, to give it to the kernel, and then of each call."""

    title: str
    instructions: int = 0
    compile_ms: float = 0.0
    load_us: float = 0.0
    call_ns: float = 0.0


def main() -> None:
    """All of them, as text."""
    heads = ("filter", "instructions", "compile ms", "load us", "personality ns")
    print(f"{heads[0]:34}" + "".join(f"{head:>15}" for head in heads[1:]))
    for cost in costs():
        cells = (
            cost.instructions,
            f"{cost.compile_ms:.2f}",
            f"{cost.load_us:.0f}",
            f"{cost.call_ns:.0f}",
        )
        print(f"{cost.title:34}" + "".join(f"{cell:>15}" for cell in cells))
    print(f"from the cache: {from_cache():.3f} ms")


def rows(contestants: dict[str, Any]) -> list[Row]:
    """For the table: the default filter beside libseccomp's for the same rules."""
    found = {cost.title: cost for cost in costs()}
    native, ours = found["minirun, native part"], found["minirun"]
    linear, short = found.get("libseccomp, linear"), found.get("libseccomp, linear, native part")
    return [
        Row(
            "default filter, native part: instructions",
            str(native.instructions),
            f"libseccomp {short.instructions}" if short else "",
            judged(str(INSTRUCTIONS), native.instructions <= INSTRUCTIONS),
        ),
        Row(
            "default filter: into the kernel, us",
            f"{ours.load_us:.0f}",
            f"libseccomp {linear.load_us:.0f}: **{ours.load_us / linear.load_us:.2f} x**" if linear else "",
        ),
        Row(
            "default filter: from the cache, ms",
            f"{from_cache():.2f}",
            f"compiled anew, which happens once: {ours.compile_ms:.1f}",
        ),
    ]


def costs() -> list[Cost]:
    """Of our default filter, of less, and of libseccomp's for the same rules where that is there."""
    said = profile.default(HELD)
    native = replace(said, architectures=of_machine()[:1])
    nothing = Seccomp(defaultAction="SCMP_ACT_ALLOW")
    makers: dict[str, Callable[[], bytes]] = {
        "one instruction": lambda: struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000),
        "minirun, everything allowed": lambda: compile_profile(nothing),
        "minirun, native part": lambda: compile_profile(native),
        "minirun": lambda: compile_profile(said),
    }
    if libseccomp_oracle.library() is not None:
        makers |= {
            "libseccomp, linear, native part": lambda: libseccomp_oracle.compiled(native),
            "libseccomp, linear": lambda: libseccomp_oracle.compiled(said),
            "libseccomp, binary tree": lambda: libseccomp_oracle.compiled(said, binary_tree=True),
        }
    bare = Cost("no filter", call_ns=loaded(b"")[1])
    return [bare, *(cost(title, make) for title, make in makers.items())]


def cost(title: str, make: Callable[[], bytes]) -> Cost:
    program = make()
    load, call = loaded(program)
    return Cost(title, len(program) // 8, median(make, 20) * 1e3, load, call)


def from_cache() -> float:
    """Milliseconds from the spec to the step when the program is in the cache."""
    wanted = Seccomp(defaultAction="SCMP_ACT_ERRNO", profile="default")
    process = Process(args=("true",), capabilities=Capabilities(bounding=HELD))
    spec = Spec(process=process, linux=Linux(seccomp=wanted))
    with tempfile.TemporaryDirectory() as directory:
        list(syscall_filter.steps(spec, directory))
        return median(lambda: list(syscall_filter.steps(spec, directory)), 200) * 1e3


def loaded(program: bytes) -> tuple[float, float]:
    """Microseconds to load, and nanoseconds for one personality(2), which asks for an argument."""
    pairs = [in_child(lambda: once(program)) for _ in range(30)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def once(program: bytes) -> tuple[float, float]:
    libc.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    start = time.perf_counter()
    if program:
        seccomp.install(program, SeccompFlag(0))
    load = time.perf_counter() - start
    ask, query = libc.libc.personality, ctypes.c_ulong(0xFFFFFFFF)
    start = time.perf_counter()
    for _ in range(CALLS):
        ask(query)
    return load * 1e6, (time.perf_counter() - start) / CALLS * 1e9


def in_child(measure: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, struct.pack("dd", *measure()))
        finally:
            os._exit(0)
    os.close(writer)
    pair = struct.unpack("dd", os.read(reader, 16))
    os.close(reader)
    os.waitpid(child, 0)
    return pair[0], pair[1]


def median(act: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
