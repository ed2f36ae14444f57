"""A virtual machine of the same image: what a kernel of its own costs.

Cold is a whole boot, the template is restored; beside them the container. What
is kept of a machine that idles is looked at in the host's /proc.
"""

from __future__ import annotations

import subprocess
import time
from typing import Any

from tests.bench.harness import Row, duel, output, ratio, spend, spread

RUNS = 50
COLD, WARM, RESIDENT = 3.0, 1.0, 110


def rows(contestants: dict[str, Any]) -> list[Row]:
    """Starts, memory, and whether it works every time."""
    minirun = contestants["minirun"]
    output(minirun("vm", "kernel", "fetch"))
    true = ("busybox", "true")
    spend(minirun("vm", "run", *true))  # makes the template
    cold, container = duel(minirun("vm", "run", "--cold", *true), minirun.run("true", flags=("--rm",)), 10, 1)
    warm, also = duel(minirun("vm", "run", *true), minirun.run("true", flags=("--rm",)), 20, 1)
    return [
        _start("`vm run --cold busybox true`, s", cold, container, COLD),
        _start("`vm run busybox true` from a template, s", warm, also, WARM),
        _memory(minirun),
        _many(minirun),
    ]


def _start(what: str, ours: list[float], container: list[float], bar: float) -> Row:
    middle = sorted(ours)[len(ours) // 2] / 1e3
    verdict = "met" if middle <= bar else "MISSED"
    beside = f"the container {spread(container, 1e3, 3)}: **{ratio(ours, container):.0f} x**"
    return Row(what, spread(ours, 1e3, 2), beside, f"at most {bar} s: {verdict}")


def _memory(minirun: Any) -> Row:
    """What the hypervisor of an idle guest has in memory, once its program has said a word."""
    words = minirun("vm", "run", "--name", "idle", "busybox", "sh", "-c", "echo up; exec sleep 1000")
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert running.stdout
    running.stdout.readline()
    time.sleep(1)  # it idles: what it does at its start is over
    pid = output(minirun("vm", "ps", "--format", "{{.Pid}}"))
    with open(f"/proc/{pid}/status") as status:
        resident = int(status.read().split("VmRSS:")[1].split()[0]) / 1024
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        share = int(rollup.read().split("Pss:")[1].split()[0]) / 1024
    output(minirun("vm", "stop", "-t", "0", "idle"))
    running.wait()
    verdict = "met" if resident <= RESIDENT else "MISSED"
    return Row(
        "kept in memory for an idle guest, MiB of RSS",
        f"{resident:.0f}",
        f"PSS {share:.0f}, of which the template's file is shared by all guests",
        f"at most {RESIDENT} MiB: {verdict}",
    )


def _many(minirun: Any) -> Row:
    right = 0
    for number in range(RUNS):
        words = minirun("vm", "run", "busybox", "sh", "-c", f"echo {number}; exit {number}")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        right += done.returncode == number and done.stdout == f"{number}\n"
    verdict = "met" if right == RUNS else "MISSED"
    return Row(f"{RUNS} guests in a row: right answers", str(right), "", f"all: {verdict}")
