"""``minirun pod debug``: an ephemeral container, to look around in a pod.

Layer ``cli``. As ``run``, in a pod. Read ``pod/debug.py`` next.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.container.prepare import Prepared


@click.command()
@click.option("--image", default=None, help="What it is made of (busybox).")
@click.option("--target", default="", metavar="CONTAINER", help="See this container's processes, too.")
@click.option("-c", "--container", "name", default="", help="Its name (debugger-...).")
@click.option("-i", "--stdin", "--interactive", "stdin", is_flag=True, help="Pass stdin on.")
@click.option("-t", "--tty", is_flag=True, help="Give the program a terminal.")
@click.argument("pod")
@click.argument("command", nargs=-1)
@click.pass_obj
def command(
    settings: Settings,
    image: str | None,
    target: str,
    name: str,
    stdin: bool,
    tty: bool,
    pod: str,
    command: tuple[str, ...],
) -> int:
    """Put one more container into a pod, to look around: minirun pod debug web -it -- sh

    It shares the pod's network, IPC and host name, and with --target also the
    processes of one container. It is not restarted, and goes with the pod. With -i
    or -t it is attached to, and its exit code is the command's.
    """
    from minirun.cli.pod.several import find
    from minirun.pod import debug, join
    from minirun.pod.manifest.types import Container

    host = join.host(find(settings, pod))
    container = Container(
        name=name or debug.name(),
        image=image or debug.IMAGE,
        command=command,
        stdin=stdin,
        stdinOnce=stdin,
        tty=tty,
        targetContainerName=target,
    )
    prepared = debug.prepare(host, container)
    if not name:
        print(f"minirun: the container is called {container.name}", file=sys.stderr, flush=True)
    return _run(prepared, stdin, tty)


def _run(prepared: Prepared, stdin: bool, tty: bool) -> int:
    """Starts it; its exit code where it is attached to."""
    from minirun.cli import run
    from minirun.container import start
    from minirun.container.options import Options

    options = Options(interactive=stdin, tty=tty, detach=not (stdin or tty))
    with prepared:
        client, pid = start.launch(
            prepared.home,
            prepared.record,
            prepared.lock,
            autostart=True,
            greeting=run.greeting(options),
        )
    run.in_pod(prepared)
    if not options.detach:
        return run.foreground(prepared, options, client, pid)
    start.wait_started(client)
    client.close()
    return 0
