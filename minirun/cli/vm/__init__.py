"""``minirun vm``: the rung with a kernel of its own. A file for each of its commands."""

from __future__ import annotations

from minirun.cli.group import LazyGroup

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


command = LazyGroup(
    "vm", __name__, COMMANDS, "Virtual machines: the same images, with a kernel of their own."
)
