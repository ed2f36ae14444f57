"""``minirun pod events``: what has happened to pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from minirun.cli.settings import Settings
    from minirun.pod.state import PodHome

_COLUMNS = [
    ("LAST SEEN", "age"),
    ("TYPE", "type"),
    ("REASON", "reason"),
    ("OBJECT", "object"),
    ("MESSAGE", "message"),
]
#: The columns of --follow, whose widths cannot be known before.
_FOLLOWED = "{time:<9} {type:<8} {reason:<23} {object:<23} {message}"
#: When a followed pod is looked at though nothing was heard, in milliseconds.
_PATIENCE = 1000


@click.command()
@click.option("-f", "--follow", "-w", "--watch", is_flag=True, help="Go on until the pod is removed.")
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.Reason}}'.")
@click.argument("pod", required=False)
@click.pass_obj
def command(settings: Settings, follow: bool, form: str | None, pod: str | None) -> int:
    """Show what has happened to a pod, or to all, the oldest first.

    OBJECT is the pod; of an event of one container with its name, pod/web{app}.
    """
    from minirun.cli import output
    from minirun.cli.pod.several import find, pods_of
    from minirun.errors import UsageError

    if not follow:
        homes = [find(settings, pod)] if pod else list(pods_of(settings))
        found = sorted((row for home in homes for row in _rows(home)), key=lambda row: float(row["at"]))
        output.show(found, _COLUMNS, form)
        return 0
    if not pod:
        raise UsageError("pod events: --follow needs a pod", "each has a log of its own", "name one")
    if form not in (None, "table", "json"):
        raise UsageError(
            "pod events: --follow has no such --format", f"{form!r} is for a table", "use --format json"
        )
    for row in _followed(find(settings, pod)):
        print(_line(row, form), flush=True)
    return 0


def _rows(home: PodHome) -> list[dict[str, Any]]:
    """The events of one pod; none of one that is gone."""
    from minirun.errors import NotFound

    try:
        name = home.record().name
        with open(f"{home.data}/events.log", "rb") as file:
            return [_row(line, name) for line in file if line.endswith(b"\n")]
    except (NotFound, FileNotFoundError):
        return []


def _row(line: bytes, pod: str) -> dict[str, Any]:
    import json
    import time

    from minirun.pod.times import length

    event: dict[str, Any] = json.loads(line)
    container = event.get("container", "")
    shown = f"pod/{pod}" + (f"{{{container}}}" if container else "")
    return {**event, "container": container, "object": shown, "age": length(time.time() - event["at"])}


def _followed(home: PodHome) -> Iterator[dict[str, Any]]:
    """All events, and those to come until the pod is removed."""
    import select

    from minirun.linux import inotify
    from minirun.linux.inotify import Event

    name = home.record().name
    try:
        changes = inotify.watch(home.data, Event.MODIFY | Event.CREATE | Event.DELETE)
    except FileNotFoundError:
        return
    log = _Log(f"{home.data}/events.log")
    poll = select.poll()
    poll.register(changes, select.POLLIN)
    there = True
    while there:
        there = home.exists()  # asked first: what was written before it went is read yet
        for line in log.new_lines():
            yield _row(line, name)
        if there:
            poll.poll(_PATIENCE)
            inotify.drain(changes)


class _Log:
    """A file that grows, and may not be there yet."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: BinaryIO | None = None
        self.rest = b""

    def new_lines(self) -> Iterator[bytes]:
        """The whole lines that were not there the last time."""
        try:
            self.file = self.file or open(self.path, "rb")
        except FileNotFoundError:
            return
        for piece in self.file:
            self.rest += piece
            if self.rest.endswith(b"\n"):
                yield self.rest
                self.rest = b""


def _line(row: dict[str, Any], form: str | None) -> str:
    import json
    import time

    if form == "json":
        return json.dumps({key: value for key, value in row.items() if key != "age"})
    at = time.strftime("%H:%M:%S", time.localtime(row["at"]))
    line = _FOLLOWED.format(time=at, **{key: row[key] for key in ("type", "reason", "object", "message")})
    return line.rstrip()
