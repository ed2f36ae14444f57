"""``minirun pause``: the freezer of a container's cgroup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minirun.cli.several import each

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.argument("containers", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, containers: tuple[str, ...]) -> int:
    """Freeze all processes of containers."""
    from minirun.container.pause import pause

    return each(settings, containers, pause)
