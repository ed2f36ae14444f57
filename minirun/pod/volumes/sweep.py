"""What is left of a pod's volumes, found by the directories alone, and taken away.

Part of ``pod/volumes``. Whoever made them may have been killed at any moment, so
nothing is believed but the mount table: all that is mounted below a directory is
detached, the last mounted first, and then the directory goes. A volume that
outlives pods (persistentVolumeClaim, hostPath) lies elsewhere, and stays. See
proc(5) on mountinfo, umount2(2), mount_namespaces(7).
"""

from __future__ import annotations

import errno
import os

from minirun.linux import mount
from minirun.linux.mount import MountFlag, UmountFlag
from minirun.linux.path import remove_tree
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.pod.volumes.planned import Places, VolumePlan


def unmake(plan: VolumePlan) -> None:
    """Removes the pod's volumes, with all that is in them; gone already is fine."""
    sweep(*directories(plan.places))


def directories(places: Places) -> tuple[str, ...]:
    """Where a pod's volumes can be, for a sweep without a plan."""
    return f"{places.runtime}/subpaths", f"{places.runtime}/volumes", f"{places.data}/volumes"


def sweep(*places: str) -> None:
    """Undoes all mounts at and below each of ``places``, and removes it; gone already is fine."""
    there = [place for place in places if os.path.lexists(place)]
    if not there:
        return
    found = mounted_below(*there)
    # First cut off from their peers, all of them: a bind of the host's tree has the host's
    # own mounts for peers, and what is detached here would be detached there
    # (mount_namespaces(7), "Shared subtrees").
    for target in found:
        _tolerant(mount.mount, None, target, None, MountFlag.REC | MountFlag.PRIVATE, None)
    for target in reversed(found):
        _tolerant(mount.umount2, target, UmountFlag.MNT_DETACH | UmountFlag.UMOUNT_NOFOLLOW)
    for place in there:
        remove_tree(place)


def _tolerant(call: Callable[..., None], *arguments: object) -> None:
    """Makes a call on a mount that may be gone by now, with its parent or by a peer."""
    try:
        call(*arguments)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):
            raise


def mounted_below(*places: str) -> list[str]:
    """The mount points at and below ``places``, in the order in which they were mounted."""
    tops = tuple(map(os.path.realpath, places))
    inside = tuple(f"{top}/" for top in tops)
    return [point for _, point, _ in _mountinfo() if point in tops or point.startswith(inside)]


def propagation(path: str) -> tuple[str, ...]:
    """``shared``, ``master`` (a slave), ``unbindable``: of the mount that ``path`` is in; none is private."""
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{found}") as file:
            words = dict(line.split(":", 1) for line in file)
    finally:
        os.close(found)
    number = words["mnt_id"].strip()
    return next((kinds for id, _, kinds in _mountinfo() if id == number), ())


def _mountinfo() -> list[tuple[str, str, tuple[str, ...]]]:
    """Id, mount point and propagation of each mount: fields 1, 5, and those from 7 to the dash."""
    with open("/proc/self/mountinfo", "rb", buffering=0) as file:
        lines = os.fsdecode(file.readall()).splitlines()
    found = []
    for line in lines:
        fields = line.split(" ")
        kinds = fields[6 : fields.index("-", 6)]
        found.append((fields[0], _unescaped(fields[4]), tuple(kind.partition(":")[0] for kind in kinds)))
    return found


def _unescaped(text: str) -> str:
    r"""A space is written ``\040``, and so are tab, newline and the backslash itself."""
    for sign in " \t\n\\":
        text = text.replace(f"\\{ord(sign):03o}", sign)
    return text
