"""``minirun tag``: gives an image one more name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.argument("source")
@click.argument("name")
@click.pass_obj
def command(settings: Settings, source: str, name: str) -> int:
    """Give the image SOURCE one more NAME; another image that had it loses it."""
    from minirun.image.store import tag

    tag(settings.root, source, name)
    return 0
