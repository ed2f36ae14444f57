"""``minirun vm stop``: asks the program, waits, cuts the power."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings


@click.command()
@click.option(
    "-t",
    "--time",
    "--timeout",
    "seconds",
    type=float,
    default=10.0,
    help="Seconds to wait before the machine is switched off; 10 unless told otherwise, -1 for ever.",
)
@click.option(
    "-s", "--signal", "name", default="TERM", help="What to send first; TERM unless told otherwise."
)
@click.argument("machines", nargs=-1, required=True)
@click.pass_obj
def command(settings: Settings, seconds: float, name: str, machines: tuple[str, ...]) -> int:
    """Ask the programs of virtual machines to end, then switch the machines off.

    `vm run` ends with the program's exit code, or with 137 if the machine was switched off.
    """
    from minirun.cli.flag_values import signal
    from minirun.cli.kill import understood
    from minirun.errors import MinirunError
    from minirun.vm.home import find
    from minirun.vm.stop import stop

    number = understood(signal, name)
    code = 0
    for wanted in machines:
        try:
            stop(*find(settings.state, wanted), seconds, number)
        except MinirunError as error:
            print(f"minirun: {error}", file=sys.stderr)
            code = code or error.exit_code
        else:
            print(wanted)
    return code
