"""``minirun logs``: what a container wrote, to the stream it wrote it to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from minirun.errors import UsageError

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.container.logs import Line


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until the container has ended.")
@click.option("-n", "--tail", default="all", help="Only that many of the last lines.")
@click.option("--since", default="", help="Only what is not older: 10m, 1h30m, or a time as RFC 3339.")
@click.option("-t", "--timestamps", is_flag=True, help="Put the time before each line.")
@click.argument("container")
@click.pass_obj
def command(settings: Settings, follow: bool, tail: str, since: str, timestamps: bool, container: str) -> int:
    """Show what a container wrote."""
    from minirun.cli.several import store_of
    from minirun.container import logs

    home = store_of(settings).find(container)
    last = count(tail)
    after = logs.moment(since) if since else ""
    writers = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    fresh = {"stdout": True, "stderr": True}
    for line in logs.read(home, last, after, follow):
        out = writers[line.stream]
        out.write(_shown(line, timestamps and fresh[line.stream]))
        out.flush()
        fresh[line.stream] = line.text.endswith(b"\n")
    return 0


def _shown(line: Line, stamped: bool) -> bytes:
    return line.time.encode() + b" " + line.text if stamped else line.text


def count(tail: str) -> int | None:
    """How many lines --tail asks for; None for all. Raises UsageError."""
    if tail in ("all", "-1"):  # docker's word, and kubectl's
        return None
    if not tail.isdigit():
        raise UsageError(f"--tail {tail!r} is not understood", "it is a number of lines", "use 20, or all")
    return int(tail)
