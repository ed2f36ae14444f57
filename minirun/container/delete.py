"""delete: what is left of a container goes.

Layer ``container``. Everything here may be called twice, and by two at once:
gone already is fine. The order makes a removal that is killed in the middle
one that ``gc.py`` sees and finishes:

    cgroups                      while the record says where they are
    container.json -> pending    from here on it does not exist for anybody
    volumes, ids, networks       while the record says which
    ROOT/containers/ID           the record goes with it
    the name                     free for the next one
    STATE/containers/ID          with the lock: whoever waited for it finds it gone
"""

from __future__ import annotations

import errno
import os

from minirun.container import id_ranges
from minirun.container.files import timestamp
from minirun.container.locks import Doorway
from minirun.container.names import release_name, release_names
from minirun.container.state import Exit, Home, Record, Store
from minirun.isolation import cgroups
from minirun.linux.path import remove_tree


def forget(home: Home, record: Record) -> None:
    """Removes cgroups, files, the name and the directories of a dead container.

    The caller holds the container's lock, or is the only one who knows of it.
    ``record`` is home's own, or differs from it in what shall be removed.
    """
    if record.runtime:
        from minirun.container.oci import guest

        guest.release(home, record)
    cgroups.remove(record.cgroups)
    if os.path.exists(f"{home.data}/container.json"):
        os.rename(f"{home.data}/container.json", f"{home.data}/pending.json")
    for volume in record.anonymousVolumes:
        remove_tree(f"{home.store.root}/volumes/{volume}")
    if any(ns.type == "user" for ns in record.spec.linux.namespaces):
        id_ranges.release(home.store, home.id)
    leave_networks(home.store, record)
    _remove_directory(home.data)
    release_name(home.store, record.name, home.id)
    _remove_runtime(home)
    cgroups.remove_parents(record.cgroups)


def keep_volumes(home: Home, record: Record) -> Record:
    """Notes that the removal to come leaves the anonymous volumes, also if ``gc`` finishes it."""
    from minirun.values import replace

    if record.anonymousVolumes:
        record = replace(record, anonymousVolumes=())
        home.write_record(record)
    return record


def forget_pending(home: Home) -> None:
    """Removes a container whose creation or removal was cut off, with or without a record."""
    record = home.pending()
    if record is not None:
        cgroups.kill(record.cgroups)
        forget(home, record)
        return
    id_ranges.release(home.store, home.id)
    if any(os.path.isdir(f"{home.store.state}/{name}") for name in ("networks", "ports")):
        from minirun.container import wiring

        wiring.release_all(home.store, home.id)
    _remove_directory(home.data)
    release_names(home.store, home.id)
    _remove_runtime(home)


def forget_damaged(home: Home) -> None:
    """Removes a container whose record cannot be read; its cgroups are where they usually are."""
    from minirun.isolation.cgroups.layout import layout

    where = layout()
    usual = [f"{tree}/minirun/{home.id}" for tree in (where.v2, *where.v1.values()) if tree]
    cgroups.kill(usual)
    cgroups.remove(usual)
    os.unlink(f"{home.data}/container.json")
    forget_pending(home)


def leave_networks(store: Store, record: Record) -> None:
    """Gives back addresses, ports and names; the interfaces went with the last process."""
    # Without endpoints it is held on to where it was to be connected, and that was cut off.
    if record.spec.endpoints or os.path.exists(store.container(record.id).netns):
        from minirun.container import wiring

        wiring.unwire(store, record.id, record.spec)


def forget_start(home: Home, record: Record, before: Exit | None, why: str) -> None:
    """Takes back the start of a container that had ended ``before``; its files stay."""
    end(record)
    leave_networks(home.store, record)
    home.forget_process()
    if not home.has_exit():
        home.write_exit(before or unknown_exit(why))


def end(record: Record) -> None:
    """Ends whatever is in the cgroups, and removes them: half-made ones too, or none."""
    if any(os.path.isdir(directory) for directory in record.cgroups):
        cgroups.kill(record.cgroups)
        cgroups.remove(record.cgroups)


def unknown_exit(why: str) -> Exit:
    """The exit of a container of which nobody knows how it ended."""
    error: dict[str, str | int] = {"kind": "MinirunError", "what": why, "exit_code": 255}
    return Exit(exitCode=255, finishedAt=timestamp(), error=error)


def _remove_runtime(home: Home) -> None:
    if os.path.isdir(home.runtime):
        with Doorway(home.store):  # its lock goes
            _remove_directory(home.runtime)


def _remove_directory(place: str) -> None:
    """A monitor that still rotates its log may make a file anew: once more."""
    while True:
        try:
            return remove_tree(place)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
