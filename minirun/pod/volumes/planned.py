"""The nouns of a pod's volumes: where they may lie, and what became of each.

Part of ``pod/volumes``, pure. Read ``sources.py`` next.
"""

from __future__ import annotations

from minirun.errors import InvalidInput
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from minirun.steps import Step


class Places(Value):
    """What a pod is lent: directories, ids, memory."""

    data: str
    """ROOT/pods/UID, on a disk."""
    runtime: str
    """STATE/pods/UID, gone at reboot."""
    root: str
    """ROOT: images, and volumes that outlive every pod."""
    first_id: int = 0
    """The host's id of root in the pod's user namespace; 0 without one."""
    users: str = ""
    """That namespace, while the pod has a sandbox: /proc/PID/ns/user."""
    memory: int = 0
    """Bytes that the pod may take: no volume in memory is larger; 0 is no limit."""

    def volume(self, name: str, memory: bool = False) -> str:
        """Where the volume ``name`` lies."""
        return f"{self.runtime if memory else self.data}/volumes/{_word(name)}"

    def subpath(self, container: str, number: int) -> str:
        """Where the part of a volume is bound that volumeMounts[number] of a container wants."""
        return f"{self.runtime}/subpaths/{_word(container)}/{number}"


def _word(name: str) -> str:
    """``name``, if it stays one below the directory, and apart from what is made beside it."""
    if not name or "/" in name or "." in name or "\0" in name:
        raise InvalidInput(
            f"{name!r} cannot be a volume's or a container's name",
            "it becomes the name of a directory",
            "use a-z, 0-9 and -",
        )
    return name


class Planned(Value):
    """One volume of the pod."""

    name: str
    kind: str
    """The field of the manifest: ``emptyDir``, ``hostPath`` ..."""
    path: str = ""
    """Where it lies on the host; empty where only the container can put it together (``layers``)."""
    readonly: bool = False
    """Whatever a volumeMount says."""
    layers: tuple[str, ...] = ()
    """Of an image, the lowest first: for an overlay inside the container."""
    size_limit: int = 0
    """Bytes that it may hold, looked at from time to time (usage.py); 0 is no limit."""


class VolumePlan(Value):
    """All volumes of a pod by name, and the steps that make them."""

    places: Places
    volumes: dict[str, Planned] = {}
    steps: tuple[Step, ...] = ()
