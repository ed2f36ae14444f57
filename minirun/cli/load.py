"""``minirun load``: takes in images from an archive."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from minirun.errors import UsageError

if TYPE_CHECKING:
    from typing import BinaryIO

    from minirun.cli.settings import Settings


@click.command()
@click.option("-i", "--input", "file", help="An archive or a directory; without it, stdin.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@click.pass_obj
def command(settings: Settings, file: str | None, quiet: bool) -> int:
    """Take in images from an archive.

    OCI layouts (tar or directory) and what `docker save` and `podman save`
    write, compressed or not.
    """
    from minirun.image.archive import load

    source = stdin(sys.stdin.buffer, "minirun load -i FILE") if file in (None, "-") else file
    for name in load(settings.root, source or ""):
        if quiet:
            continue
        hint = "" if not name.startswith("sha256:") else f"  (no name; minirun tag {name[7:19]} NAME)"
        print(f"Loaded image: {name}{hint}")
    return 0


def stdin(file: BinaryIO, instead: str) -> BinaryIO:
    """``file``, unless somebody sits at it: then UsageError says what to do ``instead``."""
    if file.isatty():
        raise UsageError(
            "there is no archive to read", "stdin is a terminal", f"{instead}, or redirect stdin"
        )
    return file
