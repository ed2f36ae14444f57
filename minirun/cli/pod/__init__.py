"""``minirun pod``: containers that share the namespaces of a sleeping program. A file for each command.

Layer ``cli``. As in ``minirun`` itself there are two ways in: the commands that
start and end pods are read from a table (``flags.py``) without click, which costs
as much as a container; all others, and whatever is unclear, go by click
(``group.py``). Read ``create.py`` next.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

#: Name -> (module, short help), in the order of a pod's life.
COMMANDS: dict[str, tuple[str, str]] = {
    "create": ("create", "Make pods of a Kubernetes manifest."),
    "apply": ("apply", "Make the pods of a manifest what it says, changing as little as possible."),
    "down": ("down", "End and remove the pods of a manifest."),
    "ps": ("ps", "List pods."),
    "inspect": ("inspect", "Show pods as manifests, with their true status."),
    "logs": ("logs", "Show what a pod's containers wrote."),
    "exec": ("exec", "Run one more program in a container of a pod."),
    "attach": ("attach", "Attach to a container of a pod."),
    "top": ("top", "List the processes of a pod, by container."),
    "stats": ("stats", "Show what pods use: CPU, memory, processes."),
    "port": ("port", "Show where on the host a pod's ports are."),
    "ns": ("ns", "Show which namespaces a pod's containers share."),
    "debug": ("debug", "Put one more container into a pod, to look around."),
    "port-forward": ("port_forward", "Lead ports of the host's into a pod, as long as this runs."),
    "cp": ("cp", "Copy files into and out of a pod's containers."),
    "generate": ("generate", "Write the manifest of a pod that runs, or of plain containers."),
    "explain": ("explain", "Print the system calls that a manifest becomes, without making them."),
    "events": ("events", "Show what has happened to pods."),
    "wait": ("wait", "Wait until something is true of pods."),
    "start": ("start", "Begin ended pods anew."),
    "stop": ("stop", "End all that runs in pods, in order; their files stay."),
    "restart": ("restart", "Stop pods and start them again."),
    "kill": ("kill", "Send a signal to all containers of pods."),
    "rm": ("rm", "Remove pods."),
    "prune": ("prune", "Remove all pods that have ended."),
}


def __getattr__(name: str) -> Any:
    """The group for click, which the quick way does without (PEP 562)."""
    if name != "command":
        raise AttributeError(f"{__name__} has no {name}")
    from minirun.cli.pod.group import PodGroup

    return PodGroup(
        "pod", __name__, COMMANDS, "Pods: containers that share namespaces, by Kubernetes' rules."
    )
