"""``minirun pod port``: where on the host a pod's ports are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.cli.pod.view import View
    from minirun.cli.settings import Settings


@click.command()
@click.argument("pod")
@click.argument("port", required=False, metavar="[PORT[/PROTOCOL]]")
@click.pass_obj
def command(settings: Settings, pod: str, port: str | None) -> int:
    """Show what is published of a pod (hostPort), or where one of its ports is.

    PORT is the one in the pod, or its name. On the host's network a pod's ports
    are the host's own.
    """
    from minirun.cli.pod.several import find
    from minirun.cli.pod.view import view
    from minirun.errors import NotFound

    seen = view(find(settings, pod))
    published = list(_published(seen))
    number, _, protocol = (port or "").partition("/")
    number, protocol = _numbered(seen, number, protocol)
    found = [
        line
        for line in published
        if port is None or line.partition(" -> ")[0] == f"{number}/{(protocol or 'tcp').lower()}"
    ]
    if port is not None and not found:
        raise NotFound(
            f"port {port} of pod {seen.record.name} is not published",
            f"published are: {', '.join(published) or 'none'}",
            "add hostPort to the port in the manifest",
        )
    for line in found:
        print(line if port is None else line.partition(" -> ")[2])
    return 0


def _numbered(seen: View, name: str, protocol: str) -> tuple[str, str]:
    """The number of a port that the manifest has a name for, and its protocol; else what was given."""
    for container in (*seen.spec.initContainers, *seen.spec.containers):
        for each in container.ports:
            if each.name == name and name:
                return str(each.containerPort), protocol or each.protocol or ""
    return name, protocol


def _published(seen: View) -> Iterator[str]:
    """``80/tcp -> 0.0.0.0:8080``, of a pod that has a sandbox."""
    from minirun.network.port_words import line
    from minirun.pod.create import is_alive

    sandbox = seen.seen.sandbox
    if sandbox is None or not is_alive(seen.seen):
        return
    if not seen.spec.hostNetwork:
        yield from map(line, seen.home.store.container(sandbox.id).record().spec.ports)
        return
    for container in (*seen.spec.initContainers, *seen.spec.containers):
        for each in container.ports:
            inside = f"{each.containerPort}/{(each.protocol or 'TCP').lower()}"
            yield f"{inside} -> {each.hostIP or '0.0.0.0'}:{each.containerPort}"
