"""``minirun port``: where on the host a container's ports are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.argument("container")
@click.argument("port", required=False, metavar="[PORT[/PROTOCOL]]")
@click.pass_obj
def command(settings: Settings, container: str, port: str | None) -> int:
    """Show what is published of a container, or where one of its ports is."""
    from minirun.cli.several import store_of
    from minirun.errors import NotFound
    from minirun.network.port_words import line

    home = store_of(settings).find(container)
    record = home.record()
    published = record.spec.ports if home.live_pid() else ()
    if port is None:
        for one in published:
            print(line(one))
        return 0
    number, _, protocol = port.partition("/")
    found = [one for one in published if str(one.port) == number and one.protocol == (protocol or "tcp")]
    if not found:
        raise NotFound(
            f"port {port} of container {record.name} is not published",
            f"published are: {', '.join(map(line, published)) or 'none'}",
            "publish it when the container is made: --publish",
        )
    for one in found:
        print(line(one).partition("-> ")[2])
    return 0
