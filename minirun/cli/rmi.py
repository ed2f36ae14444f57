"""``minirun rmi``: removes images."""

from __future__ import annotations

import os
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
    stay as long as the container. One that a pod would start its containers
    from is not removed; by --force it is, if that pod has ended.
    """
    from minirun.image.remove import rmi

    def needed() -> dict[str, str]:
        return _needed(settings, ended=not force)

    code = 0
    for image in images:
        try:
            for line in rmi(settings.root, image, force, lambda: layers_in_use(settings), needed):
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
    with_pods = _has_pods(settings)
    if with_pods:
        from minirun.pod import uses

        used = uses.layers(store)
    for id in store.ids():
        home = store.container(id)
        try:
            record = home.pending() or home.record()
        except NotFound:
            continue  # removed meanwhile, or not yet so far that it has chosen an image
        found = list(record.spec.root.layers)
        if with_pods and record.pod:
            found += [layer for mount in record.spec.mounts for layer in uses.layers_of(mount)]
        for layer in found:
            used[layer] = record.name or id[:12]
    return used


def _needed(settings: Settings, ended: bool) -> dict[str, str]:
    if not _has_pods(settings):
        return {}
    from minirun.cli.several import store_of
    from minirun.pod.uses import image_names

    return image_names(store_of(settings), ended)


def _has_pods(settings: Settings) -> bool:
    return os.path.isdir(f"{settings.root}/pods")
