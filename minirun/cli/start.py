"""``minirun start``: opens the gate of created containers, runs ended ones again.

Layer ``cli``. Read ``container/start.py`` next.
"""

from __future__ import annotations

from minirun.cli.run import report_exit
from minirun.cli.settings import Settings
from minirun.container import attach, monitor, start
from minirun.container.options import StartOptions
from minirun.container.state import Store
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
        return _attached(store, options)
    for name in options.containers:
        client, _ = start.start(store.find(name))
        start.wait_started(client)
        client.close()
        print(name)
    return 0


def _attached(store: Store, options: StartOptions) -> int:
    home = store.find(options.containers[0])
    record = home.record()
    stdin = options.interactive and record.interactive
    client, pid = start.start(home, (monitor.wish(stdin=stdin),))
    terminal = record.spec.process.terminal
    session = attach.Session(client, stdin=stdin, tty=terminal, pid=pid)
    try:
        return report_exit(session.follow())
    except attach.Detached:
        print()
        return 0
