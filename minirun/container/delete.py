"""delete: what is left of a container goes.

Layer ``container``. Everything here may be called twice, and by two at once:
gone already is fine. The record is renamed back to pending.json first, so a
removal that is killed in the middle is seen, and finished, by ``gc.py``.
"""

from __future__ import annotations

import os

from minirun.container import id_ranges
from minirun.container.state import Home, Record, release_name, release_names
from minirun.isolation import cgroups
from minirun.linux.path import remove_tree


def forget(home: Home, record: Record, keep_files: bool = False) -> None:
    """Removes cgroups, files, the name and the directories of a dead container.

    ``keep_files`` keeps what a stopped container keeps: its record and files.
    The caller holds the container's lock, or is the only one who knows of it.
    """
    if any(map(os.path.exists, record.cgroups)):  # the monitor has removed them if it could
        cgroups.remove(record.cgroups)
    if not keep_files:
        # From here on it is a removal that gc.py finishes if we cannot.
        if os.path.exists(f"{home.data}/container.json"):
            os.rename(f"{home.data}/container.json", f"{home.data}/pending.json")
        for volume in record.anonymousVolumes:
            remove_tree(f"{home.store.root}/volumes/{volume}")
        if any(ns.type == "user" for ns in record.spec.linux.namespaces):
            id_ranges.release(home)
        remove_tree(home.data)
        release_name(home.store, record.name, home.id)
    remove_tree(home.runtime)


def forget_pending(home: Home) -> None:
    """Removes a container whose creation was cut off, with or without a record."""
    record = home.pending()
    if record is not None:
        forget(home, record)
        return
    id_ranges.release(home)
    remove_tree(home.data)
    release_names(home.store, home.id)
    remove_tree(home.runtime)
