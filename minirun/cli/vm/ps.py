"""``minirun vm ps``: the machines that run; one that has ended leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.vm.home import Record

_COLUMNS = [
    ("VM ID", "short_id"),
    ("NAME", "name"),
    ("IMAGE", "image"),
    ("COMMAND", "shown_command"),
    ("CREATED", "age"),
    ("PID", "pid"),
    ("VCPUS", "vcpus"),
    ("MEMORY", "shown_memory"),
    ("ACCEL", "accel"),
    ("PORTS", "ports"),
]


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
@click.option("--no-trunc", is_flag=True, help="Whole ids and commands.")
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.Name}} {{.PID}}'.")
@click.pass_obj
def command(settings: Settings, quiet: bool, no_trunc: bool, form: str | None) -> int:
    """List the virtual machines that run.

    PID is the hypervisor's, and MEMORY what it uses (its resident set), which
    includes what it shares with others of the same template.
    """
    from minirun.cli import output
    from minirun.vm.home import running

    found = [_row(record, no_trunc) for _, record in running(settings.state)]
    if quiet:
        for row in found:
            print(row["short_id"])
    else:
        output.show(found, _COLUMNS, form)
    return 0


def _row(record: Record, whole: bool) -> dict[str, Any]:
    from minirun.cli.output import human_age, human_memory
    from minirun.cli.ps import seconds
    from minirun.vm.inspect import resident

    words = " ".join(record.command)
    rss = resident(record.pid)
    return {
        "id": record.id,
        "short_id": record.id if whole else record.id[:12],
        "name": record.name,
        "image": record.image,
        "command": list(record.command),
        "shown_command": f'"{words if whole or len(words) < 24 else words[:21] + "..."}"',
        "created": record.created,
        "age": human_age(seconds(record.created)),
        "pid": record.pid,
        "vcpus": record.cpus,
        "memory": record.memory,
        "rss": rss,
        "shown_memory": human_memory(rss),
        "accel": record.accel,
        "kernel": record.kernel,
        "network": "user" if record.network else "none",
        "ports": list(record.ports),
        "booted": record.booted,
    }
