"""``minirun ps``: the containers, their state, and what they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.container.state import Home, Store

_COLUMNS = [
    ("CONTAINER ID", "short_id"),
    ("IMAGE", "image"),
    ("COMMAND", "shown_command"),
    ("CREATED", "age"),
    ("STATUS", "status"),
    ("PORTS", "ports"),
    ("NAMES", "names"),
]


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that do not run.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
@click.option("--no-trunc", is_flag=True, help="Whole ids and commands.")
@click.option(
    "-f", "--filter", "filters", multiple=True, help="status=, name=, label= or id=; all must hold."
)
@click.option("-l", "--latest", is_flag=True, help="Only the newest, whatever its state.")
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.ID}} {{.Names}}'.")
@click.pass_obj
def command(
    settings: Settings,
    everything: bool,
    quiet: bool,
    no_trunc: bool,
    filters: tuple[str, ...],
    latest: bool,
    form: str | None,
) -> int:
    """List containers."""
    from minirun.cli import output
    from minirun.cli.filters import keep
    from minirun.cli.several import store_of

    found = rows(store_of(settings), no_trunc)
    asks_state = any(text.startswith("status=") for text in filters)
    if latest:
        found = found[:1]
    elif not everything and not asks_state:
        found = [row for row in found if row["state"] in ("running", "paused")]
    found = keep(found, filters)
    if quiet:
        for row in found:
            print(row["id"] if no_trunc else row["short_id"])
    else:
        output.show(found, _COLUMNS, form)
    return 0


def rows(store: Store, whole: bool = False) -> list[dict[str, object]]:
    """A row for each container, the newest first."""
    from minirun.container.state import every
    from minirun.errors import NotFound

    found = []
    for home in every(store):
        try:
            found.append(_row(home, whole))
        except NotFound:
            continue  # removed while we looked
    return sorted(found, key=lambda row: str(row["created"]), reverse=True)


def _row(home: Home, whole: bool) -> dict[str, object]:
    from minirun.cli.output import human_age
    from minirun.container.pause import status_of
    from minirun.network.port_words import shown

    record = home.record()
    words = " ".join(record.command)
    state = status_of(home)
    return {
        "id": home.id,
        "short_id": home.id if whole else home.id[:12],
        "image": record.image,
        "command": list(record.command),
        "shown_command": f'"{words if whole or len(words) < 24 else words[:21] + "..."}"',
        "created": record.created,
        "age": human_age(seconds(record.created)),
        "state": state,
        "status": _status(home, state),
        "ports": ", ".join(map(shown, record.spec.ports)) if state in ("running", "paused") else "",
        "names": record.name,
        "labels": record.labels,
        "pid": home.live_pid(),
    }


def _status(home: Home, state: str) -> str:
    """As docker says it: "Up 3 minutes", "Exited (137) 2 hours ago"."""
    from minirun.cli.output import human_age, human_duration
    from minirun.container.wait import last_exit

    if state in ("running", "paused"):
        import time

        up = human_duration(time.time() - seconds(home.started()))
        return f"Up {up}" + (" (paused)" if state == "paused" else "")
    if state == "created":
        return "Created"
    ended = last_exit(home)
    since = f" {human_age(seconds(ended.finishedAt))}" if ended.finishedAt else ""
    return f"Exited ({ended.exitCode}){since}"


def seconds(moment: str) -> float:
    """An RFC 3339 time as seconds since 1970; now where there is none."""
    import datetime
    import time

    if not moment:
        return time.time()
    whole = moment.partition(".")[0].rstrip("Z")
    return datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
