"""``minirun inspect``: everything about a container, or an image, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("--type", "kind", type=click.Choice(["container", "image"]), help="Only this kind of thing.")
@click.option("-f", "--format", "form", default="json", help="json, or one field such as '{{.state.pid}}'.")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, kind: str | None, form: str, names: tuple[str, ...]) -> int:
    """Show everything about a container or an image.

    For a container that runs: its process on the host, the inodes of its
    namespaces, cgroups with limits and usage, layers, mounts, privileges.
    """
    from minirun.cli import output

    found = [_found(settings, kind, name) for name in names]
    if form == "json":
        output.show_json(found)
        return 0
    for thing in found:
        print(output.field(form, thing))
    return 0


def _found(settings: Settings, kind: str | None, name: str) -> dict[str, Any]:
    from minirun.cli.several import store_of
    from minirun.container.inspect import inspect
    from minirun.errors import NotFound

    if kind != "image":
        try:
            return inspect(store_of(settings).find(name))
        except NotFound:
            if kind == "container":
                raise
    from minirun.image import store
    from minirun.values import plain

    try:
        return dict(plain(store.resolve(settings.root, name)))
    except NotFound as error:
        if kind == "image":
            raise
        raise NotFound(
            f"no such container or image: {name}",
            "it is neither a container's name or id nor an image's",
            "minirun ps -a and minirun images list what is there",
        ) from error
