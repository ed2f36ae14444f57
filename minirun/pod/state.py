"""Where a pod is kept, and what is known of it.

Layer ``pod``. Two directories per pod, like a container's:

    ROOT/pods/UID/               survives a reboot
        pending.json             the PodRecord: the manifest, and the data that it refers to; while it is made
        pod.json                 the same file, renamed when it is begun; and back, once it is removed
        status.json              the Progress, written by the supervisor alone
        wishes.json              what users have asked for since (stop, start, debug)
        events.log               what has happened to it, a line of JSON each
        volumes/ messages/       its volumes; what programs leave as their last words
    STATE/pods/UID/              gone at reboot
        lock                     held while wishes are read and written
        supervisor.lock          held by the process that looks after the pod, if any does;
                                 first by its creator, from before there is ROOT/pods/UID
        supervisor.sock          where that one is told that something has happened
        probes.json              how its probes stand, for the next supervisor
        volumes/                 what must not touch a disk
    ROOT/pods/names/NAME         a symbolic link whose text is the UID

What can be observed (does it run? how did it end?) is never stored: the containers
are asked. Stored is what nobody could find out any more: counts, earlier ends, and
what a user has wished for. Read ``sandbox.py`` next.
"""

from __future__ import annotations

import os

from minirun.container import links
from minirun.container.files import parse, read, remove_file, write_json
from minirun.container.state import Store
from minirun.errors import Conflict, NotFound
from minirun.pod.locks import PodLock
from minirun.pod.manifest.types import ConfigMap, Container, Pod, Secret
from minirun.pod.observed import Deletion, Observed
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMESPACE = "default"


class PodRecord(Value):
    """What was asked for, as it was at creation."""

    uid: str
    name: str
    namespace: str = NAMESPACE
    created: float = 0.0
    """Seconds since the epoch."""
    pod: Pod
    config_maps: tuple[ConfigMap, ...] = ()
    secrets: tuple[Secret, ...] = ()
    cgroup: str = ""
    """Its path below each hierarchy."""
    network: tuple[str, ...] = ()
    """Words of --network; empty is the usual."""
    first_id: int = 0
    """The host's id of root in its user namespace, whatever sandbox it has; 0 without one (hostUsers)."""

    @property
    def identified(self) -> Pod:
        """The pod with the namespace and uid that it was given here."""
        given = replace(self.pod.metadata, namespace=self.namespace, uid=self.uid)
        return replace(self.pod, metadata=given)


class Joined(Value):
    """A container that a command has made in the pod (join.py): the supervisor takes notice of it."""

    container: Container
    id: str
    imageID: str = ""
    by: str
    """``run`` or ``debug``."""
    sandbox: int = 0
    """``attempt`` of the sandbox that it is in."""


class Data(Value):
    """What a pod's volumes and variables are made from."""

    config_maps: tuple[ConfigMap, ...] = ()
    secrets: tuple[Secret, ...] = ()


class Wishes(Value):
    """What users have asked for and nobody has taken up yet: wishes.json, written by commands."""

    deletion: Deletion | None = None
    """Everything shall end: `pod stop`, `pod rm`."""
    begin: bool = False
    """A pod that has ended shall begin anew: `pod start`."""
    joined: tuple[Joined, ...] = ()
    """Containers that `pod debug` and `run --pod` add."""
    data: Data | None = None
    """Other ConfigMaps and Secrets than at creation: `pod apply`."""


class Progress(Value):
    """How far the pod has come: what was seen and done, as far as it cannot be seen again."""

    seen: Observed = Observed()
    ephemeral: tuple[Container, ...] = ()
    """Containers that `pod debug` and `run --pod` added."""


class Pods(Value):
    """All pods of a store."""

    store: Store

    def home(self, uid: str) -> PodHome:
        """The directories of the pod ``uid``, which need not exist."""
        return PodHome(store=self.store, uid=uid)

    def uids(self) -> list[str]:
        """Every pod of which any trace is left."""
        found: set[str] = set()
        for place in (self.store.root, self.store.state):
            try:
                found.update(os.listdir(f"{place}/pods"))
            except FileNotFoundError:
                continue
        return sorted(found - {"names"})

    def __iter__(self) -> Iterator[PodHome]:
        return (home for home in map(self.home, self.uids()) if home.exists())

    def find(self, wanted: str) -> PodHome:
        """The pod by name, uid or the beginning of a uid. Raises NotFound, Conflict."""
        uid = links.holder(f"{self.store.root}/pods/names", wanted) if wanted and "/" not in wanted else ""
        if uid and self.home(uid).exists():
            return self.home(uid)
        hits = [one for one in self.uids() if wanted and one.startswith(wanted) and self.home(one).exists()]
        if len(hits) > 1:
            raise Conflict(
                f"more than one pod begins with '{wanted}'", ", ".join(hits), "give more of it, or the name"
            )
        if not hits:
            raise NotFound(
                f"no such pod: {wanted}",
                "neither a name nor the beginning of a uid",
                "minirun pod ps -a lists them all",
            )
        return self.home(hits[0])


class PodHome(Value):
    """One pod's two directories and the files in them."""

    store: Store
    uid: str

    @property
    def data(self) -> str:
        """What survives a reboot."""
        return f"{self.store.root}/pods/{self.uid}"

    @property
    def runtime(self) -> str:
        """What does not."""
        return f"{self.store.state}/pods/{self.uid}"

    def exists(self) -> bool:
        """Whether it is a pod for others, too: its creation came to an end, and its removal did not begin."""
        return os.path.exists(f"{self.data}/pod.json")

    def record(self) -> PodRecord:
        """What was asked for. Raises NotFound when it is gone, InvalidInput when it is damaged."""
        raw = read(f"{self.data}/pod.json") or read(f"{self.data}/pending.json")
        if raw is None:
            raise NotFound(
                f"pod {self.uid} is gone", "somebody removed it", "minirun pod ps lists what is there"
            )
        return parse(raw, PodRecord, f"{self.data}/pod.json")

    def write_pending(self, record: PodRecord) -> None:
        """Before anything is made, so that a crash can be swept. For root alone: it has secrets in it."""
        mask = os.umask(0o077)
        try:
            write_json(f"{self.data}/pending.json", record)
        finally:
            os.umask(mask)

    def rewrite(self, record: PodRecord) -> None:
        """What is asked for is something else now; for whoever takes up wishes. Gone is fine."""
        if self.exists():
            mask = os.umask(0o077)
            try:
                write_json(f"{self.data}/pod.json", record)
            finally:
                os.umask(mask)

    def commit(self) -> None:
        """It is begun: from here on it lives without its creator. One rename(2)."""
        os.rename(f"{self.data}/pending.json", f"{self.data}/pod.json")

    def retract(self) -> None:
        """It is no more, for anybody: what is left of it is a ruin. Retracted already is fine."""
        lock = PodLock(self)
        if not lock.acquire(wait=True):
            return
        try:
            os.rename(f"{self.data}/pod.json", f"{self.data}/pending.json")
        except FileNotFoundError:
            return
        finally:
            lock.release()

    def progress(self) -> Progress:
        """How far it has come; at the beginning where nothing was written yet."""
        raw = read(f"{self.data}/status.json")
        return parse(raw, Progress, f"{self.data}/status.json") if raw else Progress()

    def write_progress(self, progress: Progress) -> None:
        """By whoever holds its lock."""
        write_json(f"{self.data}/status.json", progress)

    def wishes(self) -> Wishes:
        """What has been asked for and not been taken up."""
        raw = read(f"{self.data}/wishes.json")
        return parse(raw, Wishes, f"{self.data}/wishes.json") if raw else Wishes()

    def has_wishes(self) -> bool:
        """Whether anything was asked for that nobody has taken up."""
        return os.path.exists(f"{self.data}/wishes.json")

    def wish(self, change: Callable[[Wishes], Wishes]) -> None:
        """Adds to what is asked for. Raises NotFound when the pod is gone."""
        with PodLock(self):
            write_json(f"{self.data}/wishes.json", change(self.wishes()))

    def take_wishes(self, take: Callable[[Wishes], None]) -> None:
        """Has ``take`` store what was asked for, and forgets it then."""
        if not self.has_wishes():
            return
        with PodLock(self):
            take(self.wishes())
            remove_file(f"{self.data}/wishes.json")
