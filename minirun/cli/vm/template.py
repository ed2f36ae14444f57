"""``minirun vm template``: machines that were booted once, from which others begin."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings

_COLUMNS = [
    ("KEY", "short_key"),
    ("KERNEL", "kernel"),
    ("MEMORY", "shown_memory"),
    ("VCPUS", "vcpus"),
    ("ACCEL", "accel"),
    ("NETWORK", "network"),
    ("SIZE", "shown_size"),
    ("CREATED", "age"),
]


@click.group()
def command() -> None:
    """List and remove machines that were booted in advance.

    `vm run` makes a template when it first meets a kernel, a size of memory and
    a number of processors, and goes on from there the next time.
    """


@command.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the keys.")
@click.option("--no-trunc", is_flag=True, help="Whole keys.")
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.Key}}'.")
@click.pass_obj
def ls(settings: Settings, quiet: bool, no_trunc: bool, form: str | None) -> int:
    """List templates."""
    from minirun.cli import output
    from minirun.cli.ps import seconds
    from minirun.vm.template import templates

    rows: list[dict[str, object]] = [
        {
            "key": one.key,
            "short_key": one.key if no_trunc else one.key[:12],
            "kernel": one.kernel,
            "memory": one.memory,
            "shown_memory": output.human_memory(one.memory),
            "vcpus": one.cpus,
            "accel": one.accel,
            "network": "user" if one.network else "none",
            "size": size,
            "shown_size": output.human_size(size),
            "created": one.created,
            "age": output.human_age(seconds(one.created)),
        }
        for one, size in templates(settings.root)
    ]
    if quiet:
        for row in rows:
            print(row["short_key"])
    else:
        output.show(rows, _COLUMNS, form)
    return 0


@command.command()
@click.argument("keys", nargs=-1, required=True)
@click.pass_obj
def rm(settings: Settings, keys: tuple[str, ...]) -> int:
    """Remove templates; machines that began from one go on."""
    from minirun.errors import MinirunError
    from minirun.vm.template import remove

    code = 0
    for key in keys:
        try:
            print(remove(settings.root, key))
        except MinirunError as error:
            print(f"minirun: {error}", file=sys.stderr)
            code = code or error.exit_code
    return code


@command.command()
@click.pass_obj
def prune(settings: Settings) -> int:
    """Remove every template: the next run of each kind boots, and makes its own."""
    from minirun.errors import NotFound
    from minirun.vm.template import remove, templates

    for one, _ in templates(settings.root):
        try:
            print(remove(settings.root, one.key))
        except NotFound:
            continue  # somebody else removed it meanwhile
    return 0
