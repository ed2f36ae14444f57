"""Where a running virtual machine is kept, and who it belongs to.

Layer ``vm``. A machine lives as long as the command that runs it, and so does
its directory, which is in memory:

    STATE/vms/ID/
        lock          held by the command; free, it is a ruin, and swept
        vm.json       the Record
        agent.sock    where one asks the guest (``agent.py``)
        qemu.log      what the hypervisor complained of
        root/ volumes/   mount points, for the hypervisor's own mount namespace
    STATE/vms/names/NAME     a link whose text is the ID

Read ``hypervisor.py`` next.
"""

from __future__ import annotations

import fcntl
import os

from minirun.container import links, names
from minirun.container.files import parse, read, write_json
from minirun.container.state import Store
from minirun.errors import Conflict, NotFound
from minirun.linux import process
from minirun.linux.path import remove_tree
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = "names"


class Record(Value):
    """What is known of a machine. ``memory`` is in bytes, ``created`` is RFC 3339."""

    id: str
    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    created: str = ""
    pid: int = 0
    """The hypervisor's; with ``startTime``, in clock ticks since boot, an identity."""
    startTime: int = 0
    memory: int = 0
    cpus: int = 1
    accel: str = ""
    kernel: str = ""
    network: bool = False
    ports: tuple[str, ...] = ()
    booted: str = ""
    """``cold``, or the template that it was restored from."""


class Home:
    """One machine's directory. A context for the command that runs it."""

    def __init__(self, state: str, id: str) -> None:
        self.state = state
        self.id = id
        self.path = f"{state}/vms/{id}"
        self._lock = -1

    def __enter__(self) -> Home:
        return self

    def __exit__(self, *_: object) -> None:
        """Removes everything, for nothing of a machine outlives its command."""
        self.remove()

    def remove(self) -> None:
        """Removes the directory and gives the name back; the lock goes last."""
        links.give_back_all(f"{self.state}/vms/{_NAMES}", self.id)
        remove_tree(self.path)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def take_lock(self) -> bool:
        """Takes it over; False when somebody has it, or there is nothing."""
        try:
            fd = os.open(f"{self.path}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._lock = fd
        return True

    def write(self, record: Record) -> None:
        """Notes what the machine is."""
        write_json(f"{self.path}/vm.json", record)

    def record(self) -> Record | None:
        """What was noted; None before that, and when it is gone."""
        raw = read(f"{self.path}/vm.json")
        return parse(raw, Record, f"{self.path}/vm.json") if raw else None

    def is_alive(self) -> bool:
        """Whether its hypervisor runs."""
        record = self.record()
        return bool(record and record.pid and process.start_time(record.pid) == record.startTime)

    def complaints(self) -> str:
        """What the hypervisor wrote on its stderr."""
        return (read(f"{self.path}/qemu.log") or b"").decode(errors="replace").strip()


def reserve(store: Store, name: str) -> tuple[Home, str]:
    """A directory for a new machine, locked, and its name, invented if ``name`` is empty.

    Raises Conflict when the name is taken.
    """
    os.makedirs(f"{store.state}/vms/{_NAMES}", 0o700, exist_ok=True)
    sweep(store.state)
    home = Home(store.state, os.urandom(32).hex())
    with _Doorway(store.state, fcntl.LOCK_SH):
        os.mkdir(home.path, 0o700)
        home.take_lock()
    directory = f"{store.state}/vms/{_NAMES}"
    wanted = name or names.random_name(lambda one: bool(links.holder(directory, one)))
    try:
        if name:
            names.check_name(name)
        if not links.take(directory, wanted, home.id):
            raise Conflict(
                f"the name '{wanted}' is in use",
                f"by virtual machine {links.holder(directory, wanted)[:12]}",
                "choose another --name, or end that one: minirun vm stop " + wanted,
            )
    except BaseException:
        home.remove()
        raise
    return home, wanted


def running(state: str) -> list[tuple[Home, Record]]:
    """Every machine that runs, the newest first."""
    found = []
    for home in _all(state):
        record = home.record()
        if record and home.is_alive():
            found.append((home, record))
    return sorted(found, key=lambda one: one[1].created, reverse=True)


def find(state: str, wanted: str) -> tuple[Home, Record]:
    """The running machine by name, id or the beginning of an id. Raises NotFound and Conflict."""
    all_running = running(state)
    hits = [one for one in all_running if one[1].name == wanted]
    hits = hits or [one for one in all_running if wanted and one[1].id.startswith(wanted)]
    if len(hits) > 1:
        raise Conflict(
            f"more than one virtual machine begins with '{wanted}'",
            ", ".join(record.id[:12] for _, record in hits),
            "give more digits, or the name",
        )
    if not hits:
        raise NotFound(
            f"no such virtual machine: {wanted}",
            "none that runs has that name or id, and one that has ended leaves nothing",
            "minirun vm ps lists them all",
        )
    return hits[0]


def sweep(state: str) -> list[str]:
    """Removes what killed commands left; a line for each. The hypervisor died with its command."""
    done = []
    for home in _all(state):
        with _Doorway(state, fcntl.LOCK_EX):
            ours = home.take_lock()
        if ours:
            home.remove()
            done.append(f"removed virtual machine {home.id[:12]}: its command was killed")
    return done


class _Doorway:
    """Between making a directory and taking its lock nobody may take it for a ruin."""

    def __init__(self, state: str, how: int) -> None:
        self.fd = os.open(f"{state}/vms", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self.fd, how)

    def __enter__(self) -> _Doorway:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _all(state: str) -> Iterator[Home]:
    try:
        ids = os.listdir(f"{state}/vms")
    except FileNotFoundError:
        return
    for id in sorted(ids):
        if id != _NAMES:
            yield Home(state, id)
