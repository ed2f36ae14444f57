"""``minirun images``: what is in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.cli.settings import Settings
    from minirun.image.config import Image


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
@click.option("--digests", is_flag=True, help="Show the digests that a registry knows them by.")
@click.option("--no-trunc", is_flag=True, help="Show whole ids.")
@click.option("--format", "form", metavar="FORM", help="table, json, or a line such as '{{.repository}}'.")
@click.argument("reference", required=False)
@click.pass_obj
def command(
    settings: Settings, quiet: bool, digests: bool, no_trunc: bool, form: str | None, reference: str | None
) -> int:
    """List images, the newest first: all, or those that are called REFERENCE.

    An image whose name was given to another has none.
    """
    from minirun.cli import output
    from minirun.image import store

    rows = []
    for image in store.images(settings.root):
        rows += [row for row in _rows(image, no_trunc) if _is_meant(row, reference)]
    if quiet:
        for id in dict.fromkeys(str(row["id"]) for row in rows):
            print(id)
        return 0
    columns = [("REPOSITORY", "repository"), ("TAG", "tag"), ("IMAGE ID", "id")]
    columns[2:2] = [("DIGEST", "digest")] if digests else []
    output.show(rows, [*columns, ("CREATED", "created_since"), ("SIZE", "human_size")], form)
    return 0


def _rows(image: Image, whole: bool) -> Iterator[dict[str, object]]:
    """A row for each name."""
    from minirun.cli import output

    for name in image.names or ("<none>:<none>",):
        repository, _, tag = name.partition("@")[0].rpartition(":")
        yield {
            "repository": repository or name.partition("@")[0],
            "tag": tag if repository else "<none>",
            "id": image.id if whole else image.id.removeprefix("sha256:")[:12],
            "digest": image.manifest,
            "created": image.created,
            "created_since": _age(image.created),
            "size": image.size,
            "human_size": output.human_size(image.size),
        }


def _age(created: str) -> str:
    from datetime import datetime

    from minirun.cli import output

    try:
        return output.human_age(datetime.fromisoformat(created).timestamp())
    except ValueError:
        return "unknown"  # the configuration need not say it


def _is_meant(row: dict[str, object], reference: str | None) -> bool:
    from minirun.image.reference import parse

    if reference is None:
        return True
    wanted = parse(reference)
    return row["repository"] == wanted.name and wanted.tag in ("", row["tag"])
