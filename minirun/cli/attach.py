"""``minirun attach``: the streams of a container that runs already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option("--no-stdin", is_flag=True, help="Only look.")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to the program.")
@click.argument("container")
@click.pass_obj
def command(settings: Settings, no_stdin: bool, sig_proxy: bool, container: str) -> int:
    """Attach to a running container; Ctrl-P Ctrl-Q leaves it again."""
    from minirun.cli.run import report_exit
    from minirun.cli.several import store_of
    from minirun.container import attach, monitor
    from minirun.container.execute import running_pid

    home = store_of(settings).find(container)
    pid = running_pid(home)
    record = home.record()
    client = attach.connect(home)
    if client is None:
        from minirun.container.wait import last_exit

        return last_exit(home).exitCode
    stdin = record.interactive and not no_stdin
    client.sock.send(monitor.wish(stdin=stdin))
    tty = record.spec.process.terminal
    session = attach.Session(client, stdin=stdin, tty=tty, pid=pid if sig_proxy else 0)
    try:
        return report_exit(session.follow())
    except attach.Detached:
        print()
        return 0
