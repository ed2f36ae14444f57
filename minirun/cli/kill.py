"""``minirun kill``: a signal for the first process of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minirun.cli.several import each
from minirun.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.cli.settings import Settings


@click.command()
@click.option(
    "-s", "--signal", "name", default="KILL", help="The signal: TERM, SIGHUP, 9 ...; KILL if not given."
)
@click.argument("containers", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, name: str, containers: tuple[str, ...]) -> int:
    """Send containers a signal."""
    from minirun.cli.flag_values import signal
    from minirun.container.kill import kill

    number = understood(signal, name)
    return each(settings, containers, lambda home: kill(home, number))


def understood(read: Callable[[str], int], text: str) -> int:
    """``read(text)``, its ValueError as a UsageError about --signal."""
    try:
        return read(text)
    except ValueError as error:
        raise UsageError(
            f"--signal {text!r} is not understood", str(error), "use TERM, SIGKILL or 9"
        ) from error
