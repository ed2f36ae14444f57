"""``minirun pod inspect``: a pod as a manifest with a true status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option(
    "-f",
    "-o",
    "--format",
    "form",
    default="json",
    help="json, yaml, or one field such as '{{.status.phase}}'.",
)
@click.argument("pods", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, form: str, pods: tuple[str, ...]) -> int:
    """Show pods as manifests, with their status as it is now.

    The YAML can be given to `minirun pod create` again; several pods are one
    List in JSON, and a document each in YAML.
    """
    from minirun.cli import output
    from minirun.cli.pod.several import find
    from minirun.cli.pod.view import manifest, view
    from minirun.pod import node
    from minirun.pod.manifest.write import as_written, write

    host = node.addresses()
    found = [manifest(view(find(settings, name), host)) for name in pods]
    if form == "yaml":
        print(write(found), end="")
        return 0
    objects = [as_written(one) for one in found]
    if form == "json":
        output.show_json(objects[0] if len(objects) == 1 else _list(objects))
        return 0
    for one in objects:
        print(output.field(form, one))
    return 0


def _list(objects: list[dict[str, object]]) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "List", "items": objects}
