"""Ranges of 65536 host ids, each lent to one user namespace at a time.

Layer ``container``. A range is a link ROOT/ids/FIRST to the container's id
(``links.py``), so no two containers ever share ids; or to a pod's, whose sandboxes
have it one after the other. They begin at multiples of 65536, above the host's
own. What a crashed creator took, ``gc.py`` gives back.
"""

from __future__ import annotations

import os

from minirun.container import links
from minirun.container.names import is_held
from minirun.errors import MinirunError
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.container.state import Store

SIZE = 65536
_COUNT = 2**15  # the last range ends at 2**31: ids are 32 bits, and -1 is none


def take(store: Store, id: str) -> int:
    """The first id of a range that is from now on lent to the container, or the pod, ``id``."""
    directory = f"{store.root}/ids"
    os.makedirs(directory, 0o711, exist_ok=True)
    taken = set(os.listdir(directory))
    for first in range(SIZE, SIZE * _COUNT, SIZE):
        if str(first) not in taken and links.take(directory, str(first), id):
            return first
    raise MinirunError("no user ids are left", f"all {_COUNT} ranges are lent", "minirun gc, or rm some")


def release(store: Store, id: str) -> None:
    """Gives back what ``id`` was lent."""
    links.give_back_all(f"{store.root}/ids", id)


def is_lent(store: Store, id: str) -> bool:
    """Whether any directory of the container or the pod ``id`` is left."""
    return is_held(store, id) or any(os.path.isdir(f"{top}/pods/{id}") for top in (store.root, store.state))
