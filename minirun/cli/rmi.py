"""``minirun rmi``: removes images."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from minirun.errors import MinirunError, NotFound

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-f", "--force", is_flag=True, help="Also with several names, or while a container uses it.")
@click.argument("images", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, force: bool, images: tuple[str, ...]) -> int:
    """Remove images: the name, and with its last name the image.

    Of an image that a container uses, --force removes the names; its layers
    stay as long as the container.
    """
    from minirun.image.remove import rmi

    code = 0
    for image in images:
        try:
            for line in rmi(settings.root, image, force, lambda: layers_in_use(settings)):
                print(line)
        except MinirunError as error:
            if force and isinstance(error, NotFound):
                continue
            sys.stdout.flush()
            print(f"minirun: {error}", file=sys.stderr)
            code = code or error.exit_code
    return code


def layers_in_use(settings: Settings) -> dict[str, str]:
    """The directories of the layers that containers have, each with a container's name."""
    from minirun.cli.several import store_of

    store, used = store_of(settings), {}
    for id in store.ids():
        home = store.container(id)
        try:
            record = home.pending() or home.record()
        except NotFound:
            continue  # removed meanwhile, or not yet so far that it has chosen an image
        for layer in record.spec.root.layers:
            used[layer] = record.name or id[:12]
    return used
