"""``minirun gc``: sweeps what killed commands and monitors left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> int:
    """Sweep up what a crash left behind.

    Containers whose creator or monitor was killed, names and ids that nobody
    holds, half-made images. Running containers are left alone.
    """
    from minirun.cli.several import store_of
    from minirun.container.gc import gc

    for line in gc(store_of(settings)):
        print(line)
    return 0
