"""gc: sweeps what killed creators and killed monitors left behind.

Layer ``container``. There is no daemon that could notice a crash, so whoever
comes next does. A container whose monitor.lock is free has nobody behind it:

    pending, or no record      its creation or removal was cut off: remove
    --rm                       remove
    running without a monitor  end it, and record that the exit is unknown
    ended                      nothing to do

Names that point nowhere are released.
"""

from __future__ import annotations

import os

from minirun.container import delete
from minirun.container.locks import Lock, is_looked_after
from minirun.container.state import (
    Exit,
    Home,
    Store,
    release_name,
    timestamp,
    write_json,
)
from minirun.isolation import cgroups
from minirun.linux import process

_LOST = "its monitor died (killed, or the machine was restarted): the exit code is unknown"


def gc(store: Store) -> list[str]:
    """Sweeps everything; a line for each thing that was done."""
    done = [line for id in store.ids() if (line := sweep(store.container(id)))]
    return done + _sweep_names(store)


def sweep(home: Home) -> str:
    """Looks at one container; what was done about it, "" for nothing."""
    if home.exit() is not None and not os.path.exists(home.runtime):
        return ""  # ended before the last boot
    os.makedirs(home.runtime, 0o711, exist_ok=True)
    lock = Lock(home)
    if not lock.acquire(wait=False):
        return ""  # somebody is at work on it
    try:
        return "" if is_looked_after(home) else _sweep(home)
    finally:
        lock.release()


def _sweep(home: Home) -> str:
    short = home.id[:12]
    if not home.exists():
        _end(home)
        _remove_half(home)
        return f"removed {short}: its creation or removal was cut off"
    record = home.record()
    if record.remove:
        _end(home, record.cgroups)
        delete.forget(home, record)
        return f"removed {short} ({record.name}): it was run with --rm"
    if home.exit() is not None:
        return ""
    _end(home, record.cgroups)
    cgroups.remove(record.cgroups)
    error: dict[str, str | int] = {"kind": "MinirunError", "what": _LOST, "exit_code": 255}
    lost = Exit(exitCode=255, finishedAt=timestamp(), error=error)
    write_json(f"{home.data}/exit.json", lost)
    return f"ended {short} ({record.name}): {_LOST}"


def _remove_half(home: Home) -> None:
    record = home.pending()
    if record is not None:
        cgroups.kill(record.cgroups)
    delete.forget_pending(home)


def _end(home: Home, directories: tuple[str, ...] = ()) -> None:
    """Ends what still runs of it: its first process, and whoever is in its cgroups."""
    pid = home.live_pid()
    if pid:
        process.kill_and_wait(pid)
    cgroups.kill(directories)


def _sweep_names(store: Store) -> list[str]:
    done = []
    try:
        names = os.listdir(f"{store.root}/names")
    except FileNotFoundError:
        return []
    for name in names:
        id = store.id_of_name(name)
        home = store.container(id or "")
        if id and not os.path.isdir(home.data) and not os.path.isdir(home.runtime):
            release_name(store, name, id)
            done.append(f"released the name {name}")
    return done
