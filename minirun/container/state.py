"""Where a container is kept, and what is known of it.

Layer ``container``. Two directories per container, no daemon, no database:

    ROOT/containers/ID/      survives a reboot (ROOT: /var/lib/minirun)
        pending.json         the Record: what was asked for; while it is made
        container.json       the same file, renamed when it is created
        exit.json            how it ended, written by the monitor
        container.log        its output, written by the monitor
        upper/ work/ rootfs/ the overlay's writable layer and mount point
    STATE/containers/ID/     gone at reboot (STATE: /run/minirun)
        lock                 held during an operation on this container
        monitor.lock         held as long as somebody looks after it
        state.json           its pid, written when it is created
        started              when the gate was opened, written by the monitor
        connected            it was given a network while it ran (connect.py)
        attach.sock          where clients meet the monitor
        netns                its network namespace, if it is on one of CNI's
    ROOT/names/NAME          a symbolic link whose text is the ID (names.py)
    ROOT/ids/FIRST           another: a lent range of user ids (id_ranges.py); or a pod's

The status is derived, never stored: it cannot be wrong after a crash.

    (creating ->) created -> running <-> paused -> stopped

``files.py`` has how each file is written; read ``locks.py`` next.
"""

from __future__ import annotations

import os

from minirun.container.files import UNFINISHED, parse, read, remove_file, write_json
from minirun.errors import Conflict, NotFound
from minirun.linux import process
from minirun.spec import Spec
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Digits of an id.
ID_LENGTH = 64


class Record(Value):
    """What was asked for, as it was at creation. Times are RFC 3339, UTC."""

    id: str
    name: str
    image: str = ""
    imageId: str = ""
    created: str = ""
    command: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    spec: Spec
    remove: bool = False
    """--rm: it goes when it ends."""
    interactive: bool = False
    keepsStdin: bool = False
    """The end of a client's input is not the end of the program's: another one may come."""
    detached: bool = False
    stopSignal: int = 15
    stopTimeout: int = 10
    """Seconds between the stop signal and SIGKILL."""
    pod: str = ""
    """The uid of the pod that it belongs to; its end is the pod's affair then."""
    files: dict[str, str] = {}
    """/etc/hosts and its like as they were at first, by name (name_files.py)."""
    lenders: dict[str, str] = {}
    """The kind of a namespace -> the id of the container that it is borrowed from (shared.py)."""
    anonymousVolumes: tuple[str, ...] = ()
    cgroups: tuple[str, ...] = ()
    """Its cgroup directories, the deepest first."""
    oomFile: str = ""
    """Where the kernel counts its OOM kills."""
    runtime: str = ""
    """The program that made it, by its path (oci/); "" is minirun itself."""
    runtimeFlags: tuple[str, ...] = ()
    killFile: str = ""
    """By which the kernel, or the monitor, ends whatever outlives the first process."""


class Running(Value):
    """state.json: the process behind a created container."""

    pid: int
    startTime: int
    """In clock ticks since boot: with the pid, an identity (proc(5))."""
    monitor: int


class Exit(Value):
    """exit.json: how the program ended; 128 + signal as a shell has it."""

    exitCode: int
    signal: int = 0
    oomKilled: bool = False
    finishedAt: str = ""
    error: dict[str, str | int] | None = None


class Store(Value):
    """The two roots that everything is below."""

    root: str = "/var/lib/minirun"
    state: str = "/run/minirun"

    def container(self, id: str) -> Home:
        """The directories of the container ``id``, which need not exist."""
        return Home(store=self, id=id)

    def ids(self) -> list[str]:
        """Every container of which any trace is left."""
        found: set[str] = set()
        for place in (self.root, self.state):
            try:
                found.update(os.listdir(f"{place}/containers"))
            except FileNotFoundError:
                continue
        return sorted(found)

    def find(self, wanted: str) -> Home:
        """The container by name, id or the beginning of an id.

        Raises NotFound, and Conflict when several ids begin like that.
        """
        id = self.id_of_name(wanted)
        if id and self.container(id).exists():
            return self.container(id)
        if len(wanted) == ID_LENGTH and "/" not in wanted and self.container(wanted).exists():
            return self.container(wanted)  # whole, as pods ask for it: no need to look at all of them
        hits = [id for id in self.ids() if id.startswith(wanted)] if wanted else []
        hits = [id for id in hits if self.container(id).exists()]
        if len(hits) > 1:
            raise Conflict(
                f"more than one container begins with '{wanted}'",
                ", ".join(id[:12] for id in hits),
                "give more digits, or the name",
            )
        if not hits:
            raise NotFound(
                f"no such container: {wanted}",
                "neither a name nor the beginning of an id",
                "minirun ps -a lists them all",
            )
        return self.container(hits[0])

    def id_of_name(self, name: str) -> str | None:
        """The id that the name points to, if it is taken."""
        if not name or "/" in name or name in (".", ".."):
            return None
        try:
            return os.readlink(f"{self.root}/names/{name}")
        except OSError:
            return None  # nobody's


class Home(Value):
    """One container's two directories and the files in them."""

    store: Store
    id: str

    @property
    def data(self) -> str:
        """What survives a reboot."""
        return f"{self.store.root}/containers/{self.id}"

    @property
    def runtime(self) -> str:
        """What does not."""
        return f"{self.store.state}/containers/{self.id}"

    @property
    def netns(self) -> str:
        """Where its network namespace is held on to, for the plugins of CNI (cni_wiring.py)."""
        return f"{self.runtime}/netns"

    def exists(self) -> bool:
        """Whether its creation came to an end, and its removal did not."""
        return os.path.exists(f"{self.data}/container.json")

    def record(self) -> Record:
        """What was asked for. Raises NotFound when it is gone."""
        return parse(self._read("container.json"), Record, f"{self.data}/container.json")

    def pending(self) -> Record | None:
        """The record of a creation that is under way, or was cut off."""
        raw = read(f"{self.data}/pending.json")
        return parse(raw, Record, f"{self.data}/pending.json") if raw else None

    def write_pending(self, record: Record) -> None:
        """Writes the record before anything is made, so that a crash can be swept."""
        write_json(f"{self.data}/pending.json", record)

    def write_record(self, record: Record) -> None:
        """Changes the record of a container that exists; by the holder of its lock."""
        write_json(f"{self.data}/container.json", record)

    def prepare_commit(self, running: Running) -> None:
        """Notes the process of a creation that is under way."""
        remove_file(f"{self.runtime}/started")
        remove_file(f"{self.runtime}/connected")
        write_json(f"{self.runtime}/state.json", running)

    def commit(self) -> None:
        """The container is created: from here on it exists, with the noted process."""
        self.forget_exit()
        # Last: this one rename(2) turns a creation into a container.
        if os.path.exists(f"{self.data}/pending.json"):
            os.rename(f"{self.data}/pending.json", f"{self.data}/container.json")

    def forget_exit(self) -> None:
        """It is about to run again: how it ended before is history."""
        remove_file(f"{self.data}/exit.json")
        remove_file(f"{self.runtime}/exit.json")

    def write_exit(self, ended: Exit) -> None:
        """Records an end that the monitor did not, where there is room for it."""
        try:
            write_json(f"{self.data}/exit.json", ended)
        except OSError:
            write_json(f"{self.runtime}/exit.json", ended)  # memory, as the monitor does

    def forget_process(self) -> None:
        """Removes what told of a process that is no more."""
        for name in ("state.json", "started", "attach.sock"):
            remove_file(f"{self.runtime}/{name}")
        self.forget_unfinished()

    def forget_unfinished(self) -> None:
        """Removes files that were not written to their end."""
        for place in (self.data, self.runtime):
            for name in os.listdir(place) if os.path.isdir(place) else ():
                if name.endswith(UNFINISHED):
                    remove_file(f"{place}/{name}")

    def running(self) -> Running | None:
        """Its process, if it was created since the last boot; it may be dead."""
        raw = read(f"{self.runtime}/state.json")
        return parse(raw, Running, f"{self.runtime}/state.json") if raw else None

    def exit(self) -> Exit | None:
        """How it ended, if it did."""
        # In the runtime directory where the disk was full.
        raw = read(f"{self.data}/exit.json") or read(f"{self.runtime}/exit.json")
        return parse(raw, Exit, f"{self.data}/exit.json") if raw else None

    def has_exit(self) -> bool:
        """Whether its end was recorded."""
        return any(os.path.exists(f"{place}/exit.json") for place in (self.data, self.runtime))

    def started(self) -> str:
        """When its gate was opened, RFC 3339; "" if it was not."""
        return (read(f"{self.runtime}/started") or b"").decode().strip()

    def live_pid(self) -> int:
        """The pid of its first process, 0 if that is dead."""
        running = self.running()
        if running and process.start_time(running.pid) == running.startTime:
            return running.pid
        return 0

    def status(self) -> str:
        """created, running or stopped; "paused" is isolation's to tell.

        Without a process it is stopped, also when nobody could record the
        exit (the monitor was killed, the machine restarted).
        """
        if self.has_exit() or not self.live_pid():
            return "stopped"
        return "running" if self.started() else "created"

    def _read(self, name: str) -> bytes:
        raw = read(f"{self.data}/{name}")
        if raw is None:
            raise NotFound(
                f"container {self.id[:12]} is gone",
                "somebody removed it meanwhile",
                "minirun ps -a lists what is there",
            )
        return raw


def every(store: Store) -> Iterator[Home]:
    """Every container that exists, oldest first by its directory's name."""
    for id in store.ids():
        home = store.container(id)
        if home.exists():
            yield home
