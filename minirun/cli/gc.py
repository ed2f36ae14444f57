"""``minirun gc``: sweeps what killed commands and monitors left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.pass_obj
def command(settings: Settings) -> int:
    """Sweep up what a crash left behind.

    Containers whose creator or monitor was killed, names and ids that nobody
    holds, half-made images, layers that no image needs; pods that are half-made
    or that nobody looks after though they need it; virtual machines whose
    command was killed, half-made templates and kernels. What runs is left
    alone. The exit code is 125 where something could not be swept.
    """
    from minirun.cli.several import store_of
    from minirun.container.gc import gc

    done = gc(store_of(settings)) + _pods(settings) + _images(settings) + _machines(settings)
    for line in done:
        print(line)
    return 125 if any(line.startswith("cannot ") for line in done) else 0


def _pods(settings: Settings) -> list[str]:
    """What is left of pods, and who has to be looked after."""
    if not any(os.path.isdir(f"{place}/pods") for place in (settings.root, settings.state)):
        return []
    from minirun.cli.several import store_of
    from minirun.pod.gc import sweep

    return sweep(store_of(settings))


def _images(settings: Settings) -> list[str]:
    """What no image needs; nothing while a container does not say which layers it has."""
    from minirun.cli.rmi import layers_in_use
    from minirun.errors import MinirunError
    from minirun.image.remove import gc

    try:
        removed = gc(settings.root, lambda: layers_in_use(settings))
    except MinirunError as error:
        return [f"cannot sweep the images: {error.what}"]
    return [f"removed {path}: no image needs it" for path in removed]


def _machines(settings: Settings) -> list[str]:
    """What is left of virtual machines."""
    from minirun.errors import reason
    from minirun.vm.gc import gc

    try:
        return gc(settings.root, settings.state)
    except OSError as error:
        return [f"cannot sweep the virtual machines: {reason(error)}"]
