"""``minirun network connect``: one more network for a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("--ip", default="", metavar="ADDRESS", help="Its IPv4 address there.")
@click.option("--ip6", default="", metavar="ADDRESS", help="Its IPv6 address there.")
@click.option("--alias", "aliases", multiple=True, metavar="NAME", help="One more name there.")
@click.argument("network")
@click.argument("container")
@click.pass_obj
def command(
    settings: Settings, ip: str, ip6: str, aliases: tuple[str, ...], network: str, container: str
) -> int:
    """Plug a container into one more network, also while it runs."""
    from minirun.cli.several import store_of
    from minirun.container.connect import connect

    connect(store_of(settings).find(container), network, ip, ip6, aliases)
    return 0
