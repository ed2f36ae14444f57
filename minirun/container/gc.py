"""gc: sweeps what killed creators and killed monitors left behind.

Layer ``container``. There is no daemon that could notice a crash, so whoever
comes next does. A container whose monitor.lock is free has nobody behind it:

    no container.json          its creation or removal was cut off: remove
    --rm                       remove
    running without a monitor  end it, and record that the exit is unknown
    ended                      end what a start that was cut off has left

Then what hangs on no container: names, ranges of user ids, half-made layers,
filters of another version. Each sweep takes the container's ``lock`` without
waiting, so it never meets a command at work; the order of ``prepare.py``
(directory, lock, name, ids) and ``delete.py`` (the reverse) does the rest.
"""

from __future__ import annotations

import os
import time

from minirun.container import delete, id_ranges, kill, links
from minirun.container.locks import Doorway, Lock, is_looked_after
from minirun.container.names import is_held
from minirun.container.state import Home, Store
from minirun.errors import MinirunError
from minirun.image import temporary
from minirun.isolation import cgroups, syscall_filter
from minirun.isolation.cgroups.layout import layout
from minirun.linux import process

_LOST = "its monitor died (killed, or the machine was restarted): the exit code is unknown"

#: How long a creation that is under way may take until it is left to the next sweep, in seconds.
PATIENCE = 2.0


def gc(store: Store) -> list[str]:
    """Sweeps everything; a line for each thing that was done, or that could not be done."""
    done = []
    os.makedirs(f"{store.state}/containers", 0o700, exist_ok=True)
    for id in store.ids():
        try:
            done.append(sweep(store.container(id)))
        except (MinirunError, OSError) as error:  # one that cannot be swept keeps none of the others
            done.append(f"cannot sweep {id[:12]}: {error}")
    done += _sweep_links(store)
    done += _sweep_networks(store)
    done += [f"removed {path}: half-made" for path in temporary.sweep(store.root)]
    done += [f"removed {path}: out of use" for path in syscall_filter.sweep(f"{store.root}/seccomp")]
    if not store.ids():  # else one of them may be about to start below these
        where = layout()
        cgroups.remove_parents([f"{tree}/minirun/" for tree in (where.v2, *where.v1.values()) if tree])
    return [line for line in done if line]


def sweep(home: Home) -> str:
    """Looks at one container; what was done about it, "" for nothing."""
    lock = Lock(home)
    if not _take(lock, home):
        return ""
    try:
        return _sweep(home) if _is_abandoned(home) else ""
    finally:
        lock.release()


def _take(lock: Lock, home: Home) -> bool:
    """Takes the container's lock, if there is anything to look at and nobody at work on it."""
    with Doorway(home.store, alone=True):
        if not os.path.isdir(home.runtime):
            if not os.path.isdir(home.data):
                return False  # removed since it was listed
            if home.exists() and home.has_exit() and not home.record().remove:
                return False  # ended before the last boot
            os.makedirs(home.runtime, 0o700, exist_ok=True)
        return lock.acquire(wait=False, make=True)


def _is_abandoned(home: Home) -> bool:
    """Whether nobody looks after it. A creation whose command was killed is waited for.

    It goes on until it finds out; and for a moment after the host side was
    killed, its newborn child still has a copy of the lock.
    """
    deadline = time.monotonic() + PATIENCE
    while is_looked_after(home):
        running = home.running()
        if running and process.start_time(running.monitor):
            return False
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)  # blocking on the lock would outwait PATIENCE
    return True


def _sweep(home: Home) -> str:
    short = home.id[:12]
    if not home.exists():
        kill.kill_first(home)
        delete.forget_pending(home)
        return f"removed {short}: its creation or removal was cut off"
    record = home.record()
    if record.remove:
        kill.kill_first(home)
        delete.end(record)
        delete.forget(home, record)
        return f"removed {short} ({record.name}): it was run with --rm"
    delete.leave_networks(home.store, record)  # whoever has ended has none
    if home.has_exit():
        has_rest = any(os.path.isdir(directory) for directory in record.cgroups)
        delete.end(record)
        home.forget_unfinished()
        return f"ended what was left of {short} ({record.name}): its start was cut off" if has_rest else ""
    kill.kill_first(home)
    delete.end(record)
    home.forget_process()
    home.write_exit(delete.unknown_exit(_LOST))
    return f"ended {short} ({record.name}): {_LOST}"


def _sweep_networks(store: Store) -> list[str]:
    """What containers that are gone still have of networks."""
    done: list[str] = []
    if os.path.isdir(f"{store.root}/cni/results"):
        from minirun.container import cni_wiring

        done = cni_wiring.sweep(store)
    if not any(os.path.isdir(f"{store.state}/{name}") for name in ("networks", "ports")):
        return done
    from minirun.container import wiring

    return done + wiring.sweep(store, lambda id: is_held(store, id))


def _sweep_links(store: Store) -> list[str]:
    """Names and ids whose holder has no directory any more."""
    done = []
    kinds = (("name", "names", is_held), ("user ids from", "ids", id_ranges.is_lent))
    for kind, place, is_somebodys in kinds:
        directory = f"{store.root}/{place}"
        for name in links.names(directory):
            id = links.holder(directory, name)
            if id and not is_somebodys(store, id) and links.give_back(directory, name, id):
                done.append(f"released the {kind} {name}")
    return done
