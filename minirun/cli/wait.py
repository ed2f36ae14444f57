"""``minirun wait``: blocks until containers have ended, prints their exit codes."""

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
    """Wait for containers to end; print their exit codes."""
    from minirun.container.wait import wait

    return each(settings, containers, lambda home: print(wait(home).exitCode, flush=True), echo=False)
