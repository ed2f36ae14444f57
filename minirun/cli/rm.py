"""``minirun rm``: removes ended containers, with --force running ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minirun.cli.several import each

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-f", "--force", is_flag=True, help="Kill those that run; one that is gone is no error.")
@click.option("-v", "--volumes", is_flag=True, help="Remove their anonymous volumes too.")
@click.argument("containers", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, force: bool, volumes: bool, containers: tuple[str, ...]) -> int:
    """Remove containers."""
    from minirun.container.remove import remove

    return each(settings, containers, lambda home: remove(home, force, volumes), missing=force)
