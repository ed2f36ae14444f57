"""``minirun volume``: what ``-v NAME:/path`` left on disk."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings

_COLUMNS = [("VOLUME NAME", "name"), ("USED BY", "users"), ("PATH", "path")]


@click.group()
def command() -> None:
    """List and remove volumes."""


@command.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the names.")
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.Name}}'.")
@click.pass_obj
def ls(settings: Settings, quiet: bool, form: str | None) -> int:
    """List volumes."""
    from minirun.cli import output
    from minirun.cli.several import store_of
    from minirun.container.volume_store import volumes

    found = volumes(store_of(settings), lambda: _claims(settings))
    if quiet:
        for volume in found:
            print(volume.name)
        return 0
    rows: list[dict[str, object]] = [
        {
            "name": one.name,
            "path": one.path,
            "containers": list(one.containers),
            "pods": list(one.pods),
            "users": [*one.containers, *(f"pod/{name}" for name in one.pods)],
        }
        for one in found
    ]
    output.show(rows, _COLUMNS, form)
    return 0


@command.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def rm(settings: Settings, names: tuple[str, ...]) -> int:
    """Remove volumes and what is in them."""
    from minirun.cli.several import store_of
    from minirun.container.volume_store import remove
    from minirun.errors import MinirunError

    code = 0
    for name in names:
        try:
            remove(store_of(settings), name, lambda: _claims(settings))
        except MinirunError as error:
            print(f"minirun: {error}", file=sys.stderr)
            code = code or error.exit_code
        else:
            print(name)
    return code


def _claims(settings: Settings) -> dict[str, list[str]]:
    """Path of a volume -> the pods that claim it."""
    if not os.path.isdir(f"{settings.root}/pods"):
        return {}
    from minirun.cli.several import store_of
    from minirun.pod.uses import volumes

    return volumes(store_of(settings))
