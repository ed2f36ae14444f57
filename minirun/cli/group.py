"""A group of commands, a file each, which are imported when they are called.

``minirun vm`` and ``minirun network`` are such: packages of this one, with a
table of name -> (module, short help).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """The group ``name``, whose commands are files of the package ``package``."""

    def __init__(self, name: str, package: str, table: Mapping[str, tuple[str, str]], help: str) -> None:
        super().__init__(name, help=help)
        self.package = package
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module = __import__(f"{self.package}.{self.table[cmd_name][0]}", fromlist=["command"])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from the table: click would import every one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in self.table.items()])
