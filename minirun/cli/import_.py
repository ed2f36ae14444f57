"""``minirun import``: the tar of a root filesystem becomes an image."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-c", "--change", "changes", multiple=True, help="A Dockerfile instruction: 'CMD [\"sh\"]'.")
@click.option("-m", "--message", default="", help="A note for the image's history.")
@click.argument("file")
@click.argument("reference", default="")
@click.pass_obj
def command(settings: Settings, changes: tuple[str, ...], message: str, file: str, reference: str) -> int:
    """Make an image of FILE, the tar of a root filesystem, and call it REFERENCE.

    FILE may be compressed with gzip, zstd, xz or bzip2; - is stdin. Prints the id.
    """
    from minirun.cli.load import stdin
    from minirun.image.import_ import import_

    source = stdin(sys.stdin.buffer, "minirun import FILE") if file == "-" else file
    print(import_(settings.root, source, reference, changes, message))
    return 0
