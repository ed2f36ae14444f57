"""A group of commands, a file each, which are imported when they are called.

``minirun vm`` and ``minirun network`` are such: packages of this one, with a
table of name -> (module, short help).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyGroup(click.Group):
    """The group ``name``, whose commands are files of the package ``package``."""

    def __init__(self, name: str, package: str, table: Mapping[str, tuple[str, str]], help: str) -> None:
        super().__init__(name, help=help, no_args_is_help=False)  # no command is a mistake like others
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

    #: What other tools call a command of the table.
    others_words: ClassVar[Mapping[str, str]] = {}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but a word that is no command gets the nearest ones as an answer."""
        word = args[0] if args else ""
        if word and not word.startswith("-") and self.get_command(ctx, word) is None:
            import difflib

            from minirun.errors import UsageError

            other = self.others_words.get(word)
            near = [other] if other else difflib.get_close_matches(word, self.table, n=2)
            raise UsageError(
                f"{self.name}: no such command {word!r}",
                f"it is used like this: minirun {self.name} [OPTIONS] COMMAND [ARGS]...",
                f"{' or '.join(near)}{'; ' if near else ''}`minirun {self.name} --help` lists all",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from the table: click would import every one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in self.table.items()])
