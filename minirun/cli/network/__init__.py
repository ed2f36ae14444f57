"""``minirun network``: the switches that containers are plugged into. A file for each of its commands."""

from __future__ import annotations

import click

#: Name -> (module, short help).
COMMANDS: dict[str, tuple[str, str]] = {
    "create": ("create", "Make a network."),
    "ls": ("ls", "List networks."),
    "inspect": ("inspect", "Show everything about networks: subnets, bridge, containers."),
    "connect": ("connect", "Plug a container into one more network."),
    "disconnect": ("disconnect", "Unplug it again."),
    "rm": ("rm", "Remove networks that nobody is on."),
    "map": ("map", "Draw who is wired to whom."),
    "prune": ("prune", "Remove all networks that no container belongs to."),
}


class Commands(click.Group):
    """The group, which imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = __import__(f"minirun.cli.network.{COMMANDS[cmd_name][0]}", fromlist=["command"])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from COMMANDS: click would import every one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


command = Commands("network", help="Networks: bridges that containers are plugged into.")
