"""inspect: a machine from outside and from inside.

Layer ``vm``. From outside it is one process, with a thread for each processor
of the guest, and some memory; everything else in here the host's kernel cannot
know, and the guest is asked for it (``agent.py``). That is the whole difference
to a container, whose programs are the host's own. See proc(5),
/proc/PID/task and /proc/PID/smaps.
"""

from __future__ import annotations

import os
import re

from minirun.errors import MinirunError
from minirun.linux import procfs
from minirun.values import TYPE_CHECKING
from minirun.vm import agent

if TYPE_CHECKING:
    from typing import Any

    from minirun.vm.home import Home, Record

_TICKS = os.sysconf("SC_CLK_TCK")

#: What a hypervisor's threads are for, by the names that QEMU gives them.
_THREADS = (
    (r"CPU (\d+)/TCG", "the guest's processor {}: translates its instructions and runs them"),
    (r"CPU (\d+)/KVM", "the guest's processor {}: is in KVM_RUN, or handles an exit"),
    (r"worker", "does I/O: reads and writes files for 9p and for disks"),
    (r"IO mon_iothread", "QEMU's monitor (QMP), by which a template is restored"),
    (r"call_rcu", "frees what no other thread reads any more (RCU)"),
)
_MAIN = "the main loop: the devices, and the guest's access to files"
_UNNAMED = "frees what no other thread reads any more (RCU)"  # begins before QEMU names its threads


def inspect(home: Home, record: Record) -> dict[str, Any]:
    """The machine as a dictionary for JSON; sizes are in bytes. Raises NotFound when it is gone."""
    return {
        "id": record.id,
        "name": record.name,
        "created": record.created,
        "state": "running",
        "image": record.image,
        "command": list(record.command),
        "machine": {
            "memory": record.memory,
            "vcpus": record.cpus,
            "accel": record.accel,
            "kernel": record.kernel,
            "network": "user" if record.network else "none",
            "ports": list(record.ports),
            "booted": record.booted,
        },
        "host": _host(record.pid),
        "guest": _guest(home, record),
        "paths": {"home": home.path, "agent": f"{home.path}/agent.sock"},
    }


def _host(pid: int) -> dict[str, Any]:
    try:
        return {
            "pid": pid,
            "command_line": procfs.read(f"/proc/{pid}/cmdline").split("\0")[:-1],
            "processes": processes(pid),
            "threads": threads(pid),
            "memory": memory(pid),
            "cgroups": procfs.read(f"/proc/{pid}/cgroup").splitlines(),
        }
    except (FileNotFoundError, ProcessLookupError):
        return {"pid": 0}  # it ended while we looked


def processes(pid: int) -> list[dict[str, Any]]:
    """What the host's ps shows of a machine: the hypervisor, and whatever it would have started."""
    found, parents = [], [pid]
    for parent in parents:  # grows while it is walked
        words = procfs.read(f"/proc/{parent}/cmdline").replace("\0", " ").strip()
        name = procfs.read(f"/proc/{parent}/comm").strip()
        found.append({"pid": parent, "name": name, "command": words})
        for task in os.listdir(f"/proc/{parent}/task"):
            parents += map(int, procfs.read(f"/proc/{parent}/task/{task}/children").split())
    return found


def threads(pid: int) -> list[dict[str, Any]]:
    """The hypervisor's threads: what each is for, and its CPU time in seconds so far."""
    own = procfs.read(f"/proc/{pid}/comm").strip()
    found = []
    for task in sorted(map(int, os.listdir(f"/proc/{pid}/task"))):
        try:
            head, _, tail = procfs.read(f"/proc/{pid}/task/{task}/stat").rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue  # a worker that had nothing to do
        fields = tail.split()
        name = head.partition("(")[2]
        spent = (int(fields[11]) + int(fields[12])) / _TICKS
        purpose = _MAIN if task == pid else _UNNAMED if name == own else _purpose(name)
        found.append({"tid": task, "name": name, "purpose": purpose, "cpu_seconds": spent})
    return found


def _purpose(name: str) -> str:
    for pattern, purpose in _THREADS:
        if found := re.fullmatch(pattern, name):
            return purpose.format(*found.groups())
    return ""


def memory(pid: int) -> dict[str, int]:
    """The hypervisor's memory in bytes: resident, its fair part of what is shared, and the guest's.

    ``guest_shared`` is what the guest has read of its template's memory, of
    which there is one copy for all machines; ``guest_private`` what it wrote.
    """
    rollup = _kilobytes(procfs.read(f"/proc/{pid}/smaps_rollup"))
    found = {"rss": rollup["Rss"], "pss": rollup["Pss"], "anonymous": rollup["Anonymous"]}
    for mapping in _mappings(procfs.read(f"/proc/{pid}/smaps")):
        head = mapping.split("\n", 1)[0]
        if re.search(r"/templates/[^/]+/memory$", head):
            numbers = _kilobytes(mapping)
            found["guest_private"] = numbers["Anonymous"]
            found["guest_shared"] = numbers["Rss"] - numbers["Anonymous"]
    return found


def _mappings(text: str) -> list[str]:
    return re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", text)


def _kilobytes(text: str) -> dict[str, int]:
    return {name: int(number) << 10 for name, number in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}


def _guest(home: Home, record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {"kernel": record.kernel}
    try:
        found["processes"] = [
            {field: getattr(one, field) for field in one.__fields__} for one in agent.processes(home)
        ]
    except MinirunError as error:
        found["processes"] = []
        found["problem"] = f"{error.what}: {error.why}"
    return found


def resident(pid: int) -> int:
    """The hypervisor's resident memory in bytes; 0 when it has ended."""
    try:
        return int(procfs.status(pid).get("VmRSS", "0 kB").split()[0]) << 10
    except (FileNotFoundError, ProcessLookupError):
        return 0
