"""``minirun network prune``: every network goes that no container belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(settings: Settings, force: bool) -> int:
    """Remove all networks that no container belongs to, running or not."""
    from minirun.cli.network.containers import named_networks
    from minirun.cli.several import store_of
    from minirun.errors import Conflict, NotFound
    from minirun.network.networks import networks, remove, used_by

    used = named_networks(store_of(settings))
    found = [one.name for one in networks(settings.root) if one.name not in used]
    found = [name for name in found if not used_by(settings.state, name)]
    if not found:
        return 0
    if not force:
        click.confirm(f"Remove {', '.join(found)}?", abort=True, err=True)
    for name in found:
        try:
            remove(settings.root, settings.state, name)
        except (Conflict, NotFound):
            continue  # somebody uses or removed it meanwhile
        print(name)
    return 0
