"""``make bench``: measures all, and prints the table that README has.

    python -m tests.bench [start] [idle] [filter] [streams] [images] [vm] [network[=STARTS]] [traffic]
                          [pods]

with the interpreter beside which minirun is installed, as root, on a machine
that does nothing else. STARTS is for how long the soak of the networks goes on
(200). Read ``harness.py`` for how, ``peers.py`` for whom.
"""

from __future__ import annotations

import os
import platform
import sys

from tests.bench import (
    bench_idle,
    bench_images,
    bench_network,
    bench_pods,
    bench_start,
    bench_streams,
    bench_syscall_filter,
    bench_traffic,
    bench_vm,
)
from tests.bench.harness import note, output, table
from tests.bench.peers import IMAGE, REPOSITORY, contestants

PARTS = {
    "start": bench_start.rows,
    "idle": bench_idle.rows,
    "filter": bench_syscall_filter.rows,
    "streams": bench_streams.rows,
    "images": bench_images.rows,
    "vm": bench_vm.rows,
    "network": bench_network.rows,
    "traffic": bench_traffic.rows,
    "pods": bench_pods.rows,
}


def main(wanted: list[str]) -> None:
    """Runs the parts that are named, or all. Raises SystemExit for one that does not exist."""
    starts = {name: int(count) for name, _, count in (word.partition("=") for word in wanted) if count}
    wanted = [word.partition("=")[0] for word in wanted]
    if unknown := [name for name in wanted if name not in PARTS]:
        raise SystemExit(f"bench: there is no {unknown[0]}; the parts are {', '.join(PARTS)}")
    if not IMAGE.exists():
        output([sys.executable, f"{REPOSITORY}/rootfs-builder/build.py", "busybox"])
    rows = []
    with contestants() as found:
        for name in wanted or list(PARTS):
            note(name)
            rows += (
                bench_network.rows(found, starts[name])
                if name == "network" and name in starts
                else PARTS[name](found)
            )
        print(f"\n{host(found)}\n\n{table(rows)}")


def host(found: dict[str, object]) -> str:
    """What the numbers are from."""
    versions = [output([name, "--version"]).splitlines()[0] for name in found if name != "minirun"]
    machine = f"Linux {platform.release()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    return f"{machine}; {'; '.join(versions)}. Medians (least..most); ratios pair by pair."


if __name__ == "__main__":
    main(sys.argv[1:])
