"""``minirun pod top``: the processes of a pod, by container."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.cli.pod.view import View
    from minirun.cli.settings import Settings

_COLUMNS = [
    ("CONTAINER", "container"),
    ("UID", "uid"),
    ("PID", "pid"),
    ("PPID", "ppid"),
    ("PID INSIDE", "pid_inside"),
    ("ELAPSED", "elapsed"),
    ("TIME", "time"),
    ("RSS", "rss"),
    ("COMMAND", "command"),
]


@click.command()
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.PID}}'.")
@click.argument("pod")
@click.pass_obj
def command(settings: Settings, form: str | None, pod: str) -> int:
    """List the processes of a pod, by container; CONTAINER is POD for its sandbox.

    UID, PID and PPID are as the host has them, PID INSIDE as the process itself does.
    """
    from minirun.cli import output
    from minirun.cli.pod.several import find
    from minirun.cli.pod.view import view

    output.show(list(_rows(view(find(settings, pod)))), _COLUMNS, form)
    return 0


def containers(seen: View) -> Iterator[tuple[str, str]]:
    """Name and id of all that runs in the pod, its sandbox first."""
    from minirun.pod.create import is_alive
    from minirun.pod.observed import RUNNING
    from minirun.pod.sandbox import SANDBOX

    if seen.seen.sandbox and is_alive(seen.seen):
        yield SANDBOX, seen.seen.sandbox.id
    for container in seen.containers:
        run = seen.seen.of(container.name)
        if run.state == RUNNING and run.id:
            yield container.name, run.id


def _rows(seen: View) -> Iterator[dict[str, Any]]:
    from minirun.errors import NotFound
    from minirun.isolation import cgroups

    for name, id in containers(seen):
        try:
            groups = seen.home.store.container(id).record().cgroups
        except NotFound:
            continue  # it was removed while we looked
        for pid in sorted(cgroups.processes(groups)):
            row = _process(name, pid)
            if row:
                yield row


def _process(container: str, pid: int) -> dict[str, Any] | None:
    """One line, from /proc/PID; None for a process that has ended. See proc(5)."""
    from minirun.cli.output import human_memory
    from minirun.linux import procfs
    from minirun.pod.times import length

    try:
        status = procfs.status(pid)
        # Behind the name, which may have spaces and brackets: state is field 3, utime 14, stime 15, start 22.
        fields = procfs.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        words = procfs.read(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")
        up = float(procfs.read("/proc/uptime").split()[0])
    except OSError:
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    used = (int(fields[11]) + int(fields[12])) / ticks
    return {
        "container": container,
        "uid": int(status["Uid"].split()[1]),
        "pid": pid,
        "ppid": int(status["PPid"]),
        "pid_inside": int(status.get("NSpid", str(pid)).split()[-1]),
        "elapsed": length(up - int(fields[19]) / ticks),
        "time": f"{int(used // 60)}:{used % 60:05.2f}",
        "rss": human_memory(int(status.get("VmRSS", "0 kB").split()[0]) * 1024),
        "command": " ".join(words) if words != [""] else f"[{status['Name']}]",
    }
