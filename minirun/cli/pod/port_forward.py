"""``minirun pod port-forward``: ports of the host's that lead into a pod, as long as it runs.

Layer ``cli``. Read ``pod/forward.py`` next.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option(
    "--address",
    "addresses",
    default="localhost",
    show_default=True,
    metavar="ADDRESS,...",
    help="Which of the host's addresses to listen on; 0.0.0.0 for all.",
)
@click.argument("pod")
@click.argument("ports", nargs=-1, required=True, metavar="[LOCAL:]REMOTE...")
@click.pass_obj
def command(settings: Settings, addresses: str, pod: str, ports: tuple[str, ...]) -> int:
    """Lead ports of the host's into a pod: minirun pod port-forward web 8080:80

    What listens in the pod may do so on its own 127.0.0.1, and no hostPort is
    needed. REMOTE may be the name of a port; :REMOTE takes any local port that is
    free. It ends on Ctrl-C.
    """
    from minirun.cli.pod.several import find
    from minirun.linux import process
    from minirun.pod import forward, forward_words, join

    host = join.host(find(settings, pod), "no port can be led into pod")
    wanted = [forward_words.parse(word, host.record.pod.spec) for word in ports]
    listeners = forward_words.listen([one.strip() for one in addresses.split(",")], wanted)
    pidfd = process.pidfd_open(join.pid(host))
    _allow_many()
    forwarder = forward.Forwarder(listeners, pidfd, _say, _complain)
    forwarder.enter()
    for one in listeners:
        _say(f"Forwarding from {one.name} -> {one.remote}")
    try:
        with _Interruptible():
            forwarder.run()
    except KeyboardInterrupt:
        return 0
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> None:
    print(f"minirun: {line}", file=sys.stderr, flush=True)


def _allow_many() -> None:
    """Two descriptors for each connection: as many as this process may have."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Interruptible:
    """TERM ends it as Ctrl-C does."""

    def __enter__(self) -> None:
        import signal

        self.before = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        import signal

        signal.signal(signal.SIGTERM, self.before)
