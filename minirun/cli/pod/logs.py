"""``minirun pod logs``: what a pod's containers wrote, to the streams they wrote it to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.cli.pod.view import View
    from minirun.cli.settings import Settings
    from minirun.container.logs import Line
    from minirun.container.state import Home


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until the containers have ended.")
@click.option("-c", "--container", default="", metavar="NAME", help="Which container.")
@click.option("--all-containers", is_flag=True, help="All of the pod's, in order; with -f at once.")
@click.option("-p", "--previous", is_flag=True, help="Of the run before this one.")
@click.option("-n", "--tail", default="all", metavar="LINES", help="Only that many of the last lines.")
@click.option("--since", default="", help="Only what is not older: 10m, 1h30m, or a time as RFC 3339.")
@click.option("-t", "--timestamps", is_flag=True, help="Put the time before each line.")
@click.option("--prefix", is_flag=True, help="Put the pod's and the container's name before each line.")
@click.argument("pod")
@click.pass_obj
def command(
    settings: Settings,
    follow: bool,
    container: str,
    all_containers: bool,
    previous: bool,
    tail: str,
    since: str,
    timestamps: bool,
    prefix: bool,
    pod: str,
) -> int:
    """Show what a pod's containers wrote.

    Without -c: the container that the annotation
    kubectl.kubernetes.io/default-container names, or the first.
    """
    from minirun.cli.logs import count
    from minirun.cli.pod.member import container_name
    from minirun.cli.pod.several import find
    from minirun.cli.pod.view import view
    from minirun.container import logs
    from minirun.errors import UsageError

    if all_containers and container:
        raise UsageError("pod logs: --all-containers and -c contradict each other", "", "leave one out")
    seen = view(find(settings, pod))
    last = count(tail)
    after = logs.moment(since) if since else ""
    names = [one.name for one in seen.containers] if all_containers else [container_name(seen, container)]
    sources = [(name, home) for name in names if (home := _home(seen, name, previous, all_containers))]
    heads = {name: f"[pod/{seen.record.name}/{name}] ".encode() if prefix else b"" for name in names}
    printers = {name: _Printer(heads[name], timestamps) for name in names}
    if follow and len(sources) > 1:
        _together([(printers[name], logs.read(home, last, after, True)) for name, home in sources])
        return 0
    for name, home in sources:
        for line in logs.read(home, last, after, follow and not previous):
            printers[name].show(line)
    return 0


def _home(seen: View, name: str, previous: bool, forgiving: bool) -> Home | None:
    """The container that wrote the log. Raises NotFound where there is none; None if ``forgiving``."""
    from minirun.cli.pod.member import id_of, status_of, word
    from minirun.errors import NotFound

    status = status_of(seen, name)
    last = status.lastState.terminated
    id = id_of(last.containerID if last else "") if previous else seen.seen.of(name).id
    if not id and not previous and last:
        id = id_of(last.containerID)  # between two runs
    home = seen.home.store.container(id) if id else None
    if home is not None and home.exists():
        return home
    if forgiving:
        return None
    pod = seen.record.name
    if previous:
        raise NotFound(
            f"container {name} of pod {pod} has no previous run",
            "it was not restarted",
            f"minirun pod logs {pod} -c {name} shows the one that there is",
        )
    raise NotFound(
        f"container {name} of pod {pod} has written nothing yet",
        word(status.state.waiting, status.state.terminated),
        f"minirun pod events {pod} says more",
    )


class _Printer:
    """Writes lines as they were written, each whole line with what is to stand before it."""

    def __init__(self, head: bytes, stamped: bool) -> None:
        self.head = head
        self.stamped = stamped
        self.fresh = {"stdout": True, "stderr": True}

    def show(self, line: Line) -> None:
        """One line, or a piece of one."""
        out = (sys.stdout if line.stream == "stdout" else sys.stderr).buffer
        begins = self.fresh[line.stream]
        stamp = line.time.encode() + b" " if self.stamped else b""
        out.write((self.head + stamp if begins else b"") + line.text)
        out.flush()
        self.fresh[line.stream] = line.text.endswith(b"\n")


def _together(sources: list[tuple[_Printer, Iterator[Line]]]) -> None:
    """Follows several logs at once, a thread each; a line is never inside another one.

    Only this thread prints, so that whatever is wrong, such as a reader that has
    left, ends the command as it does everywhere else.
    """
    import queue
    import threading

    heard: queue.Queue[tuple[_Printer, Line | BaseException | None]] = queue.Queue(maxsize=1000)

    def follow(printer: _Printer, lines: Iterator[Line]) -> None:
        end: BaseException | None = None
        try:
            for line in lines:
                heard.put((printer, line))
        except BaseException as error:
            end = error
        heard.put((printer, end))

    for source in sources:
        threading.Thread(target=follow, args=source, daemon=True).start()
    left = len(sources)
    while left:
        printer, line = heard.get()
        if isinstance(line, BaseException):
            raise line
        if line is None:
            left -= 1
        else:
            printer.show(line)
