"""``minirun network rm``: networks go, with their bridges."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-f", "--force", is_flag=True, help="One that is gone is no error.")
@click.argument("networks", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, force: bool, networks: tuple[str, ...]) -> int:
    """Remove networks that nobody is on.

    The default network goes too; it is made again when a container needs it.
    """
    from minirun.cli.network.containers import name_of
    from minirun.cli.several import store_of
    from minirun.errors import MinirunError, NotFound
    from minirun.network.networks import remove

    code = 0
    for network in networks:
        try:
            remove(settings.root, settings.state, network, name_of(store_of(settings)))
        except NotFound as error:
            if not force:
                print(f"minirun: {error}", file=sys.stderr)
                code = code or error.exit_code
        except MinirunError as error:
            print(f"minirun: {error}", file=sys.stderr)
            code = code or error.exit_code
        else:
            print(network)
    return code
