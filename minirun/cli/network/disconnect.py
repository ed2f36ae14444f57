"""``minirun network disconnect``: one network less for a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.argument("network")
@click.argument("container")
@click.pass_obj
def command(settings: Settings, network: str, container: str) -> int:
    """Unplug a container from a network, also while it runs."""
    from minirun.cli.several import store_of
    from minirun.container.connect import disconnect

    disconnect(store_of(settings).find(container), network)
    return 0
