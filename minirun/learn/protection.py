"""The machine's files, read-only in a mount namespace: a program that goes wrong deletes nothing.

Layer ``learn``; a part of ``fence.py``. File systems that outlive a reboot are
made read-only where the learner's program stands, all but the directories that
it was given. Those of the kernel's own (proc, sysfs, cgroup, tmpfs) stay as they
are. mount_setattr(2), Linux 5.12; before that nothing is done.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from minirun.learn.looking import Process
from minirun.linux import mount
from minirun.linux.mount import MountAttr, MountFlag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: File systems that are made anew at each boot, or show the kernel's own things.
_VOLATILE = set(
    "proc sysfs cgroup cgroup2 tmpfs ramfs devtmpfs devpts mqueue nsfs bpf tracefs debugfs securityfs "
    "configfs fusectl hugetlbfs pstore binfmt_misc autofs rpc_pipefs efivarfs selinuxfs".split()
)


def make_read_only(but: Sequence[str]) -> None:
    """Makes the caller's mounts read-only, all but the directories ``but``. Raises OSError."""
    before = Process(os.getpid()).mounts()
    for place in but:
        mount.mount(place, place, None, MountFlag.BIND | MountFlag.REC, None)
    points = dict.fromkeys(one.point for one in before if one.kind not in _VOLATILE)
    try:
        for point in _others(points, but):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # something is mounted over it
                _set(point, MountAttr.RDONLY, MountAttr(0))
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise


def _others(points: Iterable[str], but: Sequence[str]) -> list[str]:
    """The mounts that are not in one of those directories."""
    return [point for point in points if not any(f"{point}/".startswith(f"{place}/") for place in but)]


def _set(point: str, given: MountAttr, taken: MountAttr) -> None:
    place = os.open(point, os.O_PATH | os.O_CLOEXEC)
    try:
        mount.mount_setattr(place, False, given, taken, MountFlag(0))
    finally:
        os.close(place)
