"""``minirun network``: the switches that containers are plugged into. A file for each of its commands."""

from __future__ import annotations

from minirun.cli.group import LazyGroup

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


command = LazyGroup("network", __name__, COMMANDS, "Networks: bridges that containers are plugged into.")
