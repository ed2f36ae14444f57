"""``minirun attach``: the streams of a container that runs already.

Layer ``cli``. Read ``container/attach.py`` next.
"""

from __future__ import annotations

from minirun.cli.run import report_exit
from minirun.cli.settings import Settings
from minirun.container import attach, monitor
from minirun.container.detach import Detached
from minirun.container.execute import running_pid
from minirun.container.options import AttachOptions
from minirun.container.state import Store
from minirun.container.wait import last_exit


def main(settings: Settings, options: AttachOptions) -> int:
    """Attaches; the exit code of the program, 0 when the user detached."""
    home = Store(root=settings.root, state=settings.state).find(options.container)
    pid = running_pid(home, "attach to")
    record = home.record()
    tty = record.spec.process.terminal
    stdin = record.interactive and not options.no_stdin
    attach.check_terminal(tty, stdin, "attach from a terminal, or without stdin")
    client = attach.connect(home)
    if client is None:
        return last_exit(home).exitCode
    client.send(monitor.wish(stdin=stdin))
    session = attach.Session(client, stdin=stdin, tty=tty, pid=pid if options.sig_proxy else 0)
    try:
        return report_exit(session.follow())
    except Detached:
        print()
        return 0
