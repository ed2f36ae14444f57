"""``minirun vm``: the rung with a kernel of its own. A file for each of its commands."""

from __future__ import annotations

import click

#: Name -> (module, short help).
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Run a command in a virtual machine made of an image."),
    "ps": ("ps", "List the virtual machines that run."),
    "stop": ("stop", "Ask the programs of virtual machines to end, then insist."),
    "inspect": ("inspect", "Show a virtual machine as the host sees it, and as the guest does."),
    "kernel": ("kernel", "Fetch, list and remove the kernels that guests boot."),
    "template": ("template", "List and remove machines that were booted in advance."),
    "anatomy": ("anatomy", "A virtual machine of a few instructions, and each of its exits."),
}


class Commands(click.Group):
    """The group, which imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = __import__(f"minirun.cli.vm.{COMMANDS[cmd_name][0]}", fromlist=["command"])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands from COMMANDS: click would import every one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


command = Commands("vm", help="Virtual machines: the same images, with a kernel of their own.")
