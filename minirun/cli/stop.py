"""``minirun stop``: asks, waits, insists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minirun.cli.several import each

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option(
    "-t", "--time", "--timeout", "seconds", type=float, help="Seconds to wait before SIGKILL; -1 for ever."
)
@click.option(
    "-s", "--signal", "first", help="What to send first, instead of the container's own stop signal."
)
@click.argument("containers", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, seconds: float | None, first: str | None, containers: tuple[str, ...]) -> int:
    """Ask containers to end, then insist."""
    from minirun.cli.flag_values import signal
    from minirun.cli.kill import understood
    from minirun.container.kill import stop

    number = None if first is None else understood(signal, first)
    return each(settings, containers, lambda home: stop(home, seconds, number))
