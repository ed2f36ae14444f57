"""Ranges of 65536 host ids, each lent to one user namespace at a time.

Layer ``container``. A range is a symbolic link ROOT/ids/FIRST whose text is the
container's id: made or refused by the kernel in one step, so no two containers
ever share ids. They begin at multiples of 65536, above the host's own.
"""

from __future__ import annotations

import os

from minirun.container.state import Home, remove_file
from minirun.errors import MinirunError

SIZE = 65536
_COUNT = 2**15  # the last range ends at 2**31: ids are 32 bits, and -1 is none


def take(home: Home) -> int:
    """The first id of a range that is this container's from now on."""
    directory = f"{home.store.root}/ids"
    os.makedirs(directory, 0o711, exist_ok=True)
    for first in range(SIZE, SIZE * _COUNT, SIZE):
        link = f"{directory}/{first}"
        try:
            os.symlink(home.id, link)
            return first
        except FileExistsError:
            _reclaim(home, link)
    raise MinirunError("no user ids are left", f"all {_COUNT} ranges are lent", "minirun gc, or rm some")


def release(home: Home) -> None:
    """Gives back what ``home`` was lent."""
    directory = f"{home.store.root}/ids"
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        if _holder(f"{directory}/{name}") == home.id:
            remove_file(f"{directory}/{name}")


def _reclaim(home: Home, link: str) -> None:
    holder = home.store.container(_holder(link) or "-")
    if not os.path.isdir(holder.data) and not os.path.isdir(holder.runtime):
        remove_file(link)  # for whoever comes next: two may be here at once


def _holder(link: str) -> str | None:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return None
