"""``minirun pod inspect``: a pod as a manifest with a true status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.errors import UsageError


@click.command()
@click.option(
    "-f",
    "-o",
    "--format",
    "form",
    default="json",
    help="json, yaml, or one field such as '{{.status.phase}}' or jsonpath='{.status.podIPs[0].ip}'.",
)
@click.argument("pods", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, form: str, pods: tuple[str, ...]) -> int:
    """Show pods as manifests, with their status as it is now.

    The YAML can be given to `minirun pod create` again, unless `run --pod` or `pod
    debug` has added containers: `minirun pod generate` writes it without the status.
    Several pods are one List in JSON, and a document each in YAML.
    """
    from minirun.cli import output
    from minirun.cli.pod.jsonpath import text_at
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
    if form.startswith(("jsonpath=", "{.", "{$", "{[")):
        place = _place(form)
        for one in objects:
            print(text_at(one, place))
        return 0
    if "{{" not in form:
        raise _no_form(form, "it is no form of output that this command has")
    for one in objects:
        print(output.field(form, one))
    return 0


def _place(form: str) -> list[str | int]:
    """The one place that ``jsonpath={.a.b}`` names. Raises UsageError."""
    from minirun.cli.pod.jsonpath import braced

    try:
        place, rest = braced(form.removeprefix("jsonpath="))
    except ValueError as error:
        raise _no_form(form, str(error)) from error
    if rest:
        raise _no_form(form, f"{rest!r} stands behind the one path that is supported")
    return place


def _no_form(form: str, why: str) -> UsageError:
    from minirun.errors import UsageError

    return UsageError(
        f"--format {form!r} is not understood",
        why,
        "use json, yaml, '{{.status.phase}}' or jsonpath='{.status.podIPs[0].ip}'",
    )


def _list(objects: list[dict[str, object]]) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "List", "items": objects}
