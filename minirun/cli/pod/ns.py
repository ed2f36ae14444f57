"""``minirun pod ns``: which namespaces a pod's containers share, and with whom.

Layer ``cli``. A namespace is told by the inode of /proc/PID/ns/KIND: whoever has
the same number is in the same one. What is seen here is what a pod is: NET, IPC
and UTS are those of pause, PID and MNT each container's own. namespaces(7).
Read ``ns_picture.py`` next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from minirun.values import Value

if TYPE_CHECKING:
    from minirun.cli.pod.view import View
    from minirun.cli.settings import Settings

#: In the order in which a pod is explained: what is shared, what is not, what is mostly the host's.
ORDER = ("network", "ipc", "uts", "pid", "mount", "user", "cgroup", "time")


class Member(Value):
    """A container that runs, and the namespaces that its first process is in."""

    name: str
    pid: int
    inodes: dict[str, int]
    """By OCI's word for the kind."""


class Row(Value):
    """One kind of namespace."""

    kind: str
    """As in /proc/PID/ns: ``net``, ``mnt``."""
    inodes: tuple[int, ...]
    """Of each member, in their order; 0 for none."""
    host: int
    verdict: str


@click.command()
@click.option("--format", "form", default=None, help="table, or json.")
@click.option("--svg", metavar="FILE", default="", help="Draw it as a picture; - is standard output.")
@click.argument("pod")
@click.pass_obj
def command(settings: Settings, form: str | None, svg: str, pod: str) -> int:
    """Show which namespaces a pod's containers share: a pod, proved.

    The numbers are the inodes of /proc/PID/ns/*: equal numbers are one
    namespace, and have the same letter. POD is the sandbox, the program pause.
    """
    from minirun.cli import output
    from minirun.cli.pod.several import find
    from minirun.cli.pod.view import view
    from minirun.errors import UsageError

    if svg and form:
        raise UsageError(
            "pod ns: more than one form was asked for", "--format and --svg exclude one another", "give one"
        )
    seen = view(find(settings, pod))
    members = _members(seen)
    rows = _rows(members)
    if svg:
        from minirun.cli.network.map import write_picture
        from minirun.cli.pod.ns_picture import picture

        write_picture(svg, picture(seen.record.name, members, rows).encode())
    elif form == "json":
        output.show_json(_whole(seen.record.name, members, rows))
    else:
        columns = [("NAMESPACE", "kind"), *((each.name, each.name) for each in members)]
        output.show(_cells(members, rows), [*columns, ("", "verdict")], form)
    return 0


def _members(seen: View) -> list[Member]:
    """The sandbox and the containers that run. Raises Conflict where nothing does."""
    from minirun.cli.pod.top import containers
    from minirun.container.oci import guest
    from minirun.errors import Conflict
    from minirun.linux import namespace

    found = []
    for name, id in containers(seen):
        home = seen.home.store.container(id)
        guest.refuse(home.record(), "show the namespaces of")
        pid = home.live_pid()
        try:
            if pid:
                found.append(Member(name=name, pid=pid, inodes=namespace.inodes(pid)))
        except FileNotFoundError:
            continue  # it has just ended
    if not found:
        name = seen.record.name
        raise Conflict(
            f"pod {name} has no namespaces",
            "nothing runs in it, and its sandbox is gone",
            f"minirun pod start {name}",
        )
    return found


def _rows(members: list[Member]) -> list[Row]:
    from minirun.linux import namespace

    own = namespace.inodes("self")
    rows = []
    for kind in ORDER:
        inodes = tuple(each.inodes.get(kind, 0) for each in members)
        if any(inodes):
            host = own.get(kind, 0)
            verdict = _verdict(inodes, host)
            rows.append(Row(kind=namespace.KINDS[kind][1], inodes=inodes, host=host, verdict=verdict))
    return rows


def _verdict(inodes: tuple[int, ...], host: int) -> str:
    """What the numbers say. One container alone shares with the sandbox, or does not."""
    different = set(inodes)
    if different == {host}:
        return "the host's"
    if len(inodes) == 1:
        return "its own"
    if len(different) == 1:
        return "equal: all in one"
    if len(different) == len(inodes):
        return "different: each its own"
    return "some in one"


def marks(row: Row) -> dict[int, str]:
    """Inode -> letter: the same for the same namespace; the host's has none."""
    others = [inode for inode in dict.fromkeys(row.inodes) if inode and inode != row.host]
    return {inode: _letter(place) for place, inode in enumerate(others)}


def _letter(place: int) -> str:
    """a ... z, a1 ... z1, ..."""
    again, at = divmod(place, 26)
    return chr(ord("a") + at) + (str(again) if again else "")


def _cells(members: list[Member], rows: list[Row]) -> list[dict[str, object]]:
    """Rows for people; the first one has the pids."""
    found: list[dict[str, object]] = [
        {"kind": "(process)", **{each.name: f"pid {each.pid}" for each in members}, "verdict": ""}
    ]
    for row in rows:
        letters = marks(row)
        cells = {
            each.name: f"{inode} {letters.get(inode, 'host')}" if inode else "-"
            for each, inode in zip(members, row.inodes, strict=True)
        }
        found.append({"kind": row.kind.upper(), **cells, "verdict": row.verdict})
    return found


def _whole(pod: str, members: list[Member], rows: list[Row]) -> dict[str, Any]:
    """For programs."""
    return {
        "pod": pod,
        "processes": {each.name: each.pid for each in members},
        "namespaces": [
            {
                "kind": row.kind,
                "inodes": dict(zip((each.name for each in members), row.inodes, strict=True)),
                "host": row.host,
                "equal": len(set(row.inodes)) == 1,
                "shared_with_host": row.host in row.inodes,
            }
            for row in rows
        ],
    }
