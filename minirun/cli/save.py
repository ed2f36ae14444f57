"""``minirun save``: writes images to an archive."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from minirun.errors import UsageError

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-o", "--output", "file", help="The archive to write; without it, stdout.")
@click.argument("images", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, file: str | None, images: tuple[str, ...]) -> int:
    """Write images to one archive, an OCI layout that docker, podman and skopeo read."""
    from minirun.image.save import save

    if file is None and sys.stdout.isatty():
        raise UsageError(
            "an archive does not go to a terminal",
            "stdout is one",
            "minirun save -o FILE, or redirect stdout",
        )
    save(settings.root, images, sys.stdout.buffer if file is None else file)
    return 0
