"""``minirun pod attach``: the streams of a container of a pod.

Layer ``cli``. The container layer does the deed: read ``cli/attach.py`` next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("-c", "--container", default="", metavar="NAME", help="Which container.")
@click.option("-i", "--stdin", is_flag=True, help="Pass stdin on; the manifest has to say stdin: true.")
@click.argument("pod")
@click.pass_obj
def command(settings: Settings, container: str, stdin: bool, pod: str) -> int:
    """Attach to a container of a pod; Ctrl-P Ctrl-Q leaves it again.

    The exit code is that of the program. Signals are not passed on: they
    would end what others use.
    """
    from minirun.cli import attach
    from minirun.cli.pod.member import container_name, running
    from minirun.cli.pod.several import find
    from minirun.cli.pod.view import view
    from minirun.container.options import AttachOptions
    from minirun.errors import Conflict

    seen = view(find(settings, pod))
    name = container_name(seen, container)
    home = running(seen, name, "attach to")
    if stdin and not home.record().interactive:
        raise Conflict(
            f"container {name} of pod {seen.record.name} takes no input",
            "its manifest does not say stdin: true, so its stdin is /dev/null",
            "attach without -i, or add stdin: true and make the pod anew",
        )
    return attach.main(settings, AttachOptions(container=home.id, no_stdin=not stdin, sig_proxy=False))
