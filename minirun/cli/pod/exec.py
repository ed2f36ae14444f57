"""``minirun pod exec``: one more program in a container of a pod.

Layer ``cli``. The container layer does the deed: read ``cli/exec.py`` next.
"""

from __future__ import annotations

from minirun.cli import exec
from minirun.cli.pod.member import container_name, running
from minirun.cli.pod.several import find
from minirun.cli.pod.view import view
from minirun.container import options as container_options
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.flags import ExecOptions
    from minirun.cli.settings import Settings


def main(settings: Settings, options: ExecOptions) -> int:
    """Runs the program; its exit code."""
    seen = view(find(settings, options.pod))
    home = running(seen, container_name(seen, options.container), "run a program in")
    return exec.main(
        settings,
        container_options.ExecOptions(
            container=home.id, command=options.command, interactive=options.stdin, tty=options.tty
        ),
    )
