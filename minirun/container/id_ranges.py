"""Ranges of 65536 host ids, each lent to one user namespace at a time.

Layer ``container``. A range is a link ROOT/ids/FIRST to the container's id
(``links.py``), so no two containers ever share ids. They begin at multiples
of 65536, above the host's own. What a crashed creator took, ``gc.py`` gives back.
"""

from __future__ import annotations

import os

from minirun.container import links
from minirun.container.state import Home
from minirun.errors import MinirunError

SIZE = 65536
_COUNT = 2**15  # the last range ends at 2**31: ids are 32 bits, and -1 is none


def take(home: Home) -> int:
    """The first id of a range that is this container's from now on."""
    directory = f"{home.store.root}/ids"
    os.makedirs(directory, 0o711, exist_ok=True)
    taken = set(os.listdir(directory))
    for first in range(SIZE, SIZE * _COUNT, SIZE):
        if str(first) not in taken and links.take(directory, str(first), home.id):
            return first
    raise MinirunError("no user ids are left", f"all {_COUNT} ranges are lent", "minirun gc, or rm some")


def release(home: Home) -> None:
    """Gives back what ``home`` was lent."""
    links.give_back_all(f"{home.store.root}/ids", home.id)
