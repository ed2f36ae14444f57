"""How much an emptyDir holds, against the most that it may.

Part of ``pod/volumes``. A tmpfs is told its size, and the kernel keeps it. On a
disk only a project quota could, which few file systems are mounted with: so the
pod's supervisor looks from time to time, and what has grown too large evicts
the pod, as kubelet does it.
"""

from __future__ import annotations

import os

from minirun.pod.volumes import tree
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.volumes.planned import VolumePlan

#: The unit of st_blocks, whatever the file system's own is (stat(2)).
_BLOCK = 512


def over_limit(plan: VolumePlan) -> str:
    """Which emptyDir is larger than its sizeLimit, in words; empty if none is."""
    for volume in plan.volumes.values():
        if volume.size_limit and usage(volume.path) > volume.size_limit:
            return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit of {volume.size_limit} bytes.'
    return ""


def is_limited(plan: VolumePlan) -> bool:
    """Whether anybody has to look."""
    return any(volume.size_limit for volume in plan.volumes.values())


def usage(path: str) -> int:
    """The bytes on the disk of the directory ``path`` and all below it, a file with two names once."""
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        total = os.fstat(top).st_blocks
        linked: set[tuple[int, int]] = set()
        for _, _, found in tree.below(top):
            if found.st_nlink > 1 and not _is_directory(found):
                if (found.st_dev, found.st_ino) in linked:
                    continue
                linked.add((found.st_dev, found.st_ino))
            total += found.st_blocks
        return total * _BLOCK
    finally:
        os.close(top)


def _is_directory(found: os.stat_result) -> bool:
    return found.st_mode & 0o170000 == 0o040000
