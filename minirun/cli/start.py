"""``minirun start``: opens the gate of created containers, runs ended ones again.

Layer ``cli``. Read ``container/start.py`` next.
"""

from __future__ import annotations

from minirun.cli.run import report_exit
from minirun.cli.settings import Settings
from minirun.cli.several import each
from minirun.container import attach, monitor, start
from minirun.container.detach import Detached
from minirun.container.options import StartOptions
from minirun.container.state import Home, Record, Store
from minirun.errors import UsageError


def main(settings: Settings, options: StartOptions) -> int:
    """Starts containers; with --attach the exit code of the only one."""
    store = Store(root=settings.root, state=settings.state)
    attached = options.attach or options.interactive
    if attached and len(options.containers) > 1:
        raise UsageError(
            "--attach takes one container",
            "the streams of several would mix",
            "start them without it, then minirun logs -f each",
        )
    if attached:
        return _attached(store.find(options.containers[0]), options)
    return each(settings, options.containers, _detached)


def _detached(home: Home) -> None:
    _check(home, home.record())
    client, _ = start.start(home)
    start.wait_started(client)
    client.close()


def _check(home: Home, record: Record) -> None:
    """A pod's container is its pod's to start. Raises Conflict."""
    if record.pod:
        from minirun.pod import join  # rarely needed

        join.check_start(home, record.pod)


def _attached(home: Home, options: StartOptions) -> int:
    record = home.record()
    _check(home, record)
    terminal = record.spec.process.terminal
    stdin = options.interactive and record.interactive
    attach.check_terminal(terminal, stdin)
    size = attach.window() if terminal else ()
    client, pid = start.start(home, (monitor.wish(stdin=stdin), *size))
    session = attach.Session(client, stdin=stdin, tty=terminal, pid=pid)
    try:
        return report_exit(session.follow())
    except Detached:
        print()
        return 0
