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
    holds, half-made images, layers that no image needs. Running containers are
    left alone. The exit code is 125 where something could not be swept.
    """
    from minirun.cli.rmi import layers_in_use
    from minirun.cli.several import store_of
    from minirun.container.gc import gc
    from minirun.image.remove import gc as gc_images

    done = gc(store_of(settings))
    done += [
        f"removed {path}: no image needs it"
        for path in gc_images(settings.root, lambda: layers_in_use(settings))
    ]
    for line in done:
        print(line)
    return 125 if any(line.startswith("cannot ") for line in done) else 0
