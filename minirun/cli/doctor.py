"""``minirun doctor``: what this host can do, and how to fix the rest.

The checks are in ``container/doctor`` and ``vm/doctor.py``; here they become a table or JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option(
    "--format", "form", metavar="FORMAT", help="table, json, or fields such as '{{.name}} {{.status}}'."
)
@click.pass_obj
def command(settings: Settings, form: str | None) -> int:
    """Check what this host can do, and say how to fix the rest.

    Ends with 1 if something is missing without which no container starts.
    """
    from minirun.cli.output import show
    from minirun.container import doctor
    from minirun.vm import doctor as machines

    findings = [*doctor.examine(settings.root, settings.state), *machines.examine(settings.root)]
    rows = [
        {"name": one.name, "status": one.status, "finding": one.finding, "fix": one.fix} for one in findings
    ]
    show(rows, [("CHECK", "name"), ("STATUS", "status"), ("FINDING", "finding"), ("FIX", "fix")], form)
    return 1 if any(one.status == "fail" for one in findings) else 0
