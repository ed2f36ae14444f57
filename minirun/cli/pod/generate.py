"""``minirun pod generate``: a manifest of what runs.

Layer ``cli``. Read ``pod/generate.py`` next.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.container.state import Home
    from minirun.pod.state import PodHome


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="POD... | CONTAINER...")
@click.pass_obj
def command(settings: Settings, names: tuple[str, ...]) -> int:
    """Write the manifest of pods, or of plain containers as one pod: minirun pod generate web > web.yaml

    `minirun pod create` makes the same again of it. A Secret that a pod uses is in
    it, and readable. What a container was told that no manifest can say is noted
    on standard error.
    """
    from minirun.pod import generate
    from minirun.pod.manifest.write import write

    pods, containers = _found(settings, names)
    found = [generate.of_pod(home) for home in pods]
    if containers:
        found.append(generate.of_containers(containers))
    for one in found:
        for note in one.notes:
            print(f"note: {note}", file=sys.stderr)
    sys.stderr.flush()
    print(write([thing for one in found for thing in one.objects]), end="")
    return 0


def _found(settings: Settings, names: tuple[str, ...]) -> tuple[list[PodHome], list[Home]]:
    """A pod of that name; else a container. Raises NotFound."""
    from minirun.cli.pod.several import pods_of
    from minirun.errors import NotFound
    from minirun.pod import generate

    pods: list[PodHome] = []
    containers: list[Home] = []
    known = pods_of(settings)
    for name in names:
        try:
            pods.append(known.find(name.removeprefix("pod/")))
            continue
        except NotFound:
            pass
        try:
            containers.append(known.store.find(name))
        except NotFound as error:
            raise generate.missing(name) from error
    return pods, containers
