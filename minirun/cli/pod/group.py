"""``minirun pod`` for click: help, mistakes, and the commands that have no table.

Layer ``cli``. Read ``create.py`` next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from minirun.cli import main_of
from minirun.cli.app import TableCommand
from minirun.cli.group import LazyGroup
from minirun.cli.pod.flags import TABLES, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click


class PodGroup(LazyGroup):
    """The group, whose quick commands come from their tables."""

    #: podman has these names for it, too.
    aliases: ClassVar[Mapping[str, str]] = {"ls": "ps", "list": "ps"}
    others_words: ClassVar[Mapping[str, str]] = {
        "get": "ps",
        "describe": "inspect",
        "delete": "down or rm",
        "remove": "rm",
    }

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = self.aliases.get(cmd_name, cmd_name)
        if cmd_name in TABLES:
            return PodCommand(cmd_name, TABLES[cmd_name])
        return super().get_command(ctx, cmd_name)


class PodCommand(TableCommand):
    """A command whose options are a Table; click is asked only where its reader gives up."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        found = read(self.table, args)
        if found is not None and self.table.complete(found[1]):
            ctx.meta[__name__] = found
            return []
        # Something is wrong. It is not that a switch has a value, which click would complain of first.
        switches = {name for flag in self.table.flags if flag.kind.switch for name in flag.names}
        bare = [word.partition("=")[0] if word.partition("=")[0] in switches else word for word in args]
        return super().parse_args(ctx, bare)

    def invoke(self, ctx: click.Context) -> Any:
        given = ctx.meta.get(__name__) or self.given(ctx)
        return main_of(f"pod.{self.name}")(ctx.obj, self.table.value(*given))
