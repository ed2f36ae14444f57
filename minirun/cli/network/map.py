"""``minirun network map``: who is wired to whom, as the kernel has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.container.state import Store
    from minirun.network.map import Names


@click.command()
@click.option("--mermaid", is_flag=True, help="As Mermaid text, which Markdown can hold.")
@click.option("--dot", is_flag=True, help="As text for graphviz.")
@click.option(
    "--svg", metavar="FILE", default="", help="As a picture, drawn by graphviz; - is standard output."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: all that was read.")
@click.pass_obj
def command(settings: Settings, mermaid: bool, dot: bool, svg: str, as_json: bool) -> int:
    """Draw who is wired to whom: namespaces, veth pairs, bridges, addresses, NAT, published ports.

    It is read from the kernel, so it also shows what others have made: podman,
    docker, ip netns. It is drawn as seen from the network namespace that the
    command runs in, and root sees most.
    """
    from minirun.cli import output
    from minirun.cli.several import store_of
    from minirun.errors import UsageError
    from minirun.network import map as network_map

    if mermaid + dot + bool(svg) + as_json > 1:
        raise UsageError(
            "network map: more than one form was asked for",
            "--mermaid, --dot, --svg and --json exclude one another",
            "give one of them, or none for text",
        )
    found = network_map.read_map(_names(store_of(settings), settings.root))
    if as_json:
        from minirun.network.map.model import whole

        output.show_json(whole(found))
    elif mermaid:
        from minirun.network.map.mermaid import mermaid as as_mermaid

        print(as_mermaid(found), end="")
    elif dot:
        from minirun.network.map.dot import dot as as_dot

        print(as_dot(found), end="")
    elif svg:
        from minirun.network.map.dot import svg as as_svg

        write_picture(svg, as_svg(found))
    else:
        from minirun.network.map.text import text

        print(text(found), end="")
    return 0


def _names(store: Store, root: str) -> Names:
    """The containers' names by their first process, the networks' by their bridge."""
    from minirun.container.state import every
    from minirun.errors import MinirunError
    from minirun.network.map import Names
    from minirun.network.networks import networks

    containers = {}
    for home in every(store):
        try:
            pid = home.live_pid()
            if pid:
                containers[pid] = home.record().name
        except MinirunError:
            continue  # it is gone, or cannot be read: its namespace has a process to be named after
    try:
        bridges = {one.bridge: one.name for one in networks(root) if one.driver == "bridge"}
    except (MinirunError, PermissionError):
        bridges = {}  # a bridge has a name of its own
    return Names(containers=containers, networks=bridges)


def write_picture(path: str, picture: bytes) -> None:
    """Writes it to the file; - is standard output. Raises MinirunError."""
    import sys

    from minirun.errors import MinirunError, reason

    if path == "-":
        sys.stdout.buffer.write(picture)
        sys.stdout.flush()
        return
    try:
        with open(path, "wb") as file:
            file.write(picture)
    except OSError as error:
        remedy = "name a file in a directory that is there and may be written to, or - for standard output"
        raise MinirunError(f"cannot write the picture to {path}", reason(error), remedy) from error
