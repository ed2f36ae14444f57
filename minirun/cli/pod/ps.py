"""``minirun pod ps``: the pods, as `kubectl get pods` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.cli.pod.view import View
    from minirun.cli.settings import Settings

_COLUMNS = [
    ("NAME", "name"),
    ("READY", "ready"),
    ("STATUS", "status"),
    ("RESTARTS", "restarts"),
    ("AGE", "age"),
    ("IP", "ip"),
]


@click.command()
@click.option(
    "-a", "--all", "everything", is_flag=True, help="Ended pods, too; as by kubectl they always are."
)
@click.option("-q", "--quiet", is_flag=True, help="Only the uids.")
@click.option("--no-trunc", is_flag=True, help="Whole uids, and all addresses.")
@click.option(
    "-l",
    "--selector",
    default="",
    metavar="LABELS",
    help="app=web, tier!=db, 'env in (a, b)', key, !key; all must hold.",
)
@click.option(
    "-f", "--filter", "filters", multiple=True, help="name=, id=, status= or label=; all must hold."
)
@click.option(
    "-o",
    "--format",
    "form",
    default=None,
    help="table, wide, json, name, or fields such as '{{.Name}} {{.IP}}'.",
)
@click.pass_obj
def command(
    settings: Settings,
    everything: bool,
    quiet: bool,
    no_trunc: bool,
    selector: str,
    filters: tuple[str, ...],
    form: str | None,
) -> int:
    """List pods.

    STATUS is the most telling word: the phase, or what is in its way
    (CrashLoopBackOff, Init:0/1, ErrImagePull, Completed ...).
    """
    from minirun.cli import output
    from minirun.cli.pod.several import pods_of
    from minirun.cli.pod.view import views
    from minirun.pod import supervise

    if form == "wide":
        form, no_trunc = "table", True
    homes = list(pods_of(settings))
    rows = [_row(seen, no_trunc) for seen in views(homes)]
    kept = _kept(rows, selector, filters)
    if quiet:
        for row in kept:
            print(row["id"] if no_trunc else row["id"][:13])
    elif form == "name":
        for row in kept:
            print(f"pod/{row['name']}")
    else:
        output.show(kept, _COLUMNS, form)
    for home in homes:
        supervise.resume(home)
    return 0


def _row(seen: View, whole: bool) -> dict[str, Any]:
    from minirun.pod.columns import columns
    from minirun.pod.create import is_alive
    from minirun.pod.times import length

    cells = columns(seen.spec, seen.status, seen.seen, seen.now)
    status = seen.status
    # Without a sandbox its addresses may be another pod's by now.
    ips = [each.ip for each in status.podIPs] if is_alive(seen.seen) else []
    return {
        "name": seen.record.name,
        "ready": cells.ready,
        "status": cells.status,
        "restarts": cells.restarts,
        "age": length(seen.now - seen.record.created),
        "ip": ", ".join(ips if whole else ips[:1]) or "<none>",
        "ips": ips,
        "id": seen.record.uid,
        "namespace": seen.record.namespace,
        "phase": status.phase,
        "reason": status.reason,
        "created": seen.record.created,
        "labels": seen.record.pod.metadata.labels,
        "containers": [
            {"name": each.name, "id": each.containerID.partition("://")[2], "ready": each.ready}
            for each in (*status.initContainerStatuses, *status.containerStatuses)
        ],
    }


def _kept(rows: list[dict[str, Any]], selector: str, filters: Sequence[str]) -> list[dict[str, Any]]:
    """The rows for which all holds, by name. Raises UsageError."""
    from minirun.cli.pod.selector import selects
    from minirun.errors import UsageError

    holds = selects(selector)
    kept = [row for row in rows if holds(row["labels"])]
    for text in filters:
        key, _, value = text.partition("=")
        if key == "name":
            kept = [row for row in kept if value in row["name"]]
        elif key == "id":
            kept = [row for row in kept if row["id"].startswith(value)]
        elif key == "status":
            kept = [row for row in kept if value.lower() in (row["status"].lower(), row["phase"].lower())]
        elif key == "label":
            wanted = selects(value)
            kept = [row for row in kept if wanted(row["labels"])]
        else:
            raise UsageError(
                f"--filter {text!r} is not understood",
                f"there is no filter {key!r}",
                "use name=, id=, status= or label=",
            )
    return sorted(kept, key=lambda row: str(row["name"]))
