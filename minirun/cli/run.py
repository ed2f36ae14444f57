"""``minirun run``: create, attach, start, and what comes after.

Layer ``cli``. Read ``container/prepare.py``, then ``container/start.py``.
"""

from __future__ import annotations

import os
import sys

from minirun.cli.settings import Settings
from minirun.container import monitor, start
from minirun.container.channel import Channel
from minirun.container.options import Options
from minirun.container.prepare import Prepared, prepare
from minirun.container.state import Exit, Home, Store
from minirun.errors import Conflict, MinirunError
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def main(settings: Settings, options: Options) -> int:
    """Runs a container as ``options`` ask; the exit code of the program."""
    store = Store(root=settings.root, state=settings.state)
    with place(store, options) as prepared, Cidfile(options.cidfile, prepared.home.id):
        client, pid = start.launch(
            prepared.home,
            prepared.record,
            prepared.lock,
            autostart=True,
            greeting=greeting(options),
            trace=tracer(options.trace),
            meanwhile=_get_ready,
        )
    if options.pod:
        in_pod(prepared)
    say_what_was_set(store, options)
    try:
        if not options.detach:
            return foreground(prepared, options, client, pid)
        start.wait_started(client)
    except MinirunError:
        if not options.rm:
            _remove_if_it_never_started(prepared.home)
        raise
    print(prepared.home.id)
    return 0


def place(store: Store, options: Options) -> Prepared:
    """Where the container is going to be: a place of its own, or one in a pod."""
    if not options.pod:
        return prepare(store, options)
    from minirun.pod import join

    return join.prepare(store, options)


def in_pod(prepared: Prepared) -> None:
    """The container is created, and its pod has it looked after."""
    from minirun.pod import join

    join.settle(prepared)


def _remove_if_it_never_started(home: Home) -> None:
    """No program of its own ever ran in it: it goes, as what fails before the gate does."""
    from minirun.container import remove, wait

    wait.until_recorded(home)
    ended = home.exit()
    if ended and ended.error:
        remove.remove(home, volumes=True)


def _get_ready() -> None:
    """Imports what is needed from the start on."""
    from minirun.container import after, attach  # noqa: F401  (for foreground)


def greeting(options: Options) -> tuple[bytes, ...]:
    """What the monitor hears from us before the gate opens: nothing is missed."""
    if options.detach:
        return ()
    streams = options.attach or ("stdin", "stdout", "stderr")
    wish = monitor.wish(_sends_stdin(options), "stdout" in streams, "stderr" in streams)
    after = (monitor.TAKE_OVER,) if options.rm else ()
    return (wish, *after, *_terminal(options))


def _terminal(options: Options) -> tuple[bytes, ...]:
    if not options.tty:
        return ()
    from minirun.container import attach

    attach.check_terminal(options.tty, _sends_stdin(options))
    return attach.window()


def _sends_stdin(options: Options) -> bool:
    return options.interactive and (not options.attach or "stdin" in options.attach)


def foreground(prepared: Prepared, options: Options, client: Channel, pid: int) -> int:
    """Attached, until the program has ended; its exit code."""
    from minirun.container import after, attach
    from minirun.container.detach import Detached

    session = attach.Session(
        client,
        stdin=_sends_stdin(options),
        tty=options.tty,
        pid=pid if options.sig_proxy else 0,
    )
    try:
        ended = session.follow()
    except Detached:
        print()
        return 0
    finally:
        if options.rm and session.is_over:
            after.remove_ended(prepared.home, prepared.record)
            client.send_if_heard(monitor.DONE)
            if options.pod:
                in_pod_no_more(prepared)
    return report_exit(ended)


def in_pod_no_more(prepared: Prepared) -> None:
    """The container was removed: its pod shall know of it no longer."""
    from minirun.pod import join

    join.tell(prepared)


def report_exit(ended: Exit) -> int:
    """The exit code for the shell; an OOM kill is said, for 137 alone is a riddle."""
    if ended.oomKilled:
        print(
            "minirun: the container ran out of memory\n"
            "  why: a process in it was killed when it passed the limit of its cgroup\n"
            "  try: a larger --memory",
            file=sys.stderr,
        )
    return ended.exitCode


def tracer(form: str) -> Callable[..., None] | None:
    """What ``--trace`` asks for: a function that prints each call as it is made."""
    if not form:
        return None
    from minirun.cli.trace import printer

    return printer(form)


class Cidfile:
    """``--cidfile``: the container's id in a new file, which a failure removes again.

    ``with Cidfile(path, id):`` An empty path is no file. Raises Conflict when it exists.
    """

    def __init__(self, path: str, id: str) -> None:
        self.path = path
        if not path:
            return
        try:
            with open(path, "x") as file:
                file.write(id)
        except FileExistsError as error:
            raise Conflict(
                f"the file for the container's id exists: {path}",
                "another container may go by it, so it is not written over",
                "remove it, or choose another --cidfile",
            ) from error

    def __enter__(self) -> Cidfile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self.path:
            os.unlink(self.path)


def say_what_was_set(store: Store, options: Options) -> None:
    """The first container on a bridge makes the machine a router: its owner is told."""
    if options.pod or options.network_mode or not os.path.exists(f"{store.state}/networks.news"):
        return
    from minirun.network import bridge

    print(
        "minirun: so that containers reach the outside, this machine now forwards packets\n"
        f"  set: {', '.join(bridge.news(store.state))}",
        file=sys.stderr,
    )
