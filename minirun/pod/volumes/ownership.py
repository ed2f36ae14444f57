"""fsGroup: a volume that belongs to a group, with all that is in it.

Part of ``pod/volumes``. Its files get the group, and the group may read and write
them; its directories are set-group-ID besides, so that what is made in them
belongs to the group, too. For volumes with files of earlier pods; one that is
new is made so (``directories.py``). Kubernetes: fsGroup, fsGroupChangePolicy.
"""

from __future__ import annotations

import os
import stat

from minirun.pod.volumes import tree
from minirun.steps import syscall

_FILE, _DIRECTORY = 0o660, 0o2770


@syscall("chown", show=lambda place, group, _: f'chown("{place}" with all below, -1, {group})')
def change_group(place: str, group: int, on_mismatch: bool) -> bool:
    """Gives ``place``, and everything below it, to ``group``.

    With ``on_mismatch`` not if the directory itself has that group and mode
    already; False then.
    """
    top = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(top)
        if on_mismatch and found.st_gid == group and found.st_mode & _DIRECTORY == _DIRECTORY:
            return False
        for directory, name, status in tree.below(top):
            _change_entry(directory, name, status, group)
        # The last, for it is what says (to OnRootMismatch) that all below is done.
        os.fchown(top, -1, group)
        os.fchmod(top, stat.S_IMODE(found.st_mode) | _DIRECTORY)
        return True
    finally:
        os.close(top)


def _change_entry(directory: int, name: str, status: os.stat_result, group: int) -> None:
    try:
        os.chown(name, -1, group, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            _change_mode(directory, name, status)
    except FileNotFoundError:
        return  # removed meanwhile


def _change_mode(directory: int, name: str, status: os.stat_result) -> None:
    """By a descriptor: chmod(2) follows links, and by now the name may be one."""
    found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if os.path.samestat(os.fstat(found), status):
            # The mode of before: chown(2) has cleared set-user-ID.
            more = _DIRECTORY if stat.S_ISDIR(status.st_mode) else _FILE
            os.chmod(f"/proc/self/fd/{found}", stat.S_IMODE(status.st_mode) | more)
    finally:
        os.close(found)
