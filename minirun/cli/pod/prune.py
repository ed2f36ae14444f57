"""``minirun pod prune``: every pod goes that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(settings: Settings, force: bool) -> int:
    """Remove all pods that have ended: Succeeded, Failed, or stopped."""
    from minirun.cli.pod.several import by_name, pods_of, report
    from minirun.errors import Conflict, MinirunError, NotFound
    from minirun.pod.remove import has_ended, remove

    found = []
    for name, home in by_name(pods_of(settings)):
        try:
            if has_ended(home):
                found.append((name, home))
        except NotFound:
            continue  # somebody removed it meanwhile
    if not found:
        return 0
    if not force:
        click.confirm(f"Remove {', '.join(name for name, _ in found)}?", abort=True, err=True)
    code = 0
    for name, home in found:
        try:
            remove(home)
        except (Conflict, NotFound):
            continue  # somebody started or removed it meanwhile
        except MinirunError as error:
            code = report(error, code)
        else:
            print(name)
    return code
