"""prepare: from what a user asked to a record, with nothing made yet but its place.

Layer ``container``. The first half of create: finds the image, takes an id, a
name and a range of ids, and writes the Spec. ``create.py`` is the second half.
"""

from __future__ import annotations

import os

from minirun.container import id_ranges, name_files, names, signals, specify
from minirun.container.files import timestamp
from minirun.container.locks import Doorway, Lock
from minirun.container.options import Options, check
from minirun.container.signals import signal
from minirun.container.state import Home, Record, Store
from minirun.errors import Conflict, InvalidInput
from minirun.image import store as images
from minirun.image.config import check_platform
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.container.name_files import FilesOf
    from minirun.image.config import Image
    from minirun.isolation.cgroups.layout import Layout
    from minirun.spec import Spec

_TRIES = 8


class Prepared:
    """A container that is about to be created. A context: leaving it gives the lock back.

    ``with prepare(...) as prepared:`` If the body raises before the container
    was created, its place is cleared again.
    """

    def __init__(self, home: Home, lock: Lock) -> None:
        self.home = home
        self.lock = lock
        self.record: Record

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not self.home.exists():
            self.clear()
        self.lock.release()

    def clear(self) -> None:
        """Removes what was reserved. The host side cleans up after itself, and is waited for.

        Where the command was interrupted it may still be at work: it hears of
        that when it has something to say.
        """
        from minirun.container import delete

        life = Lock(self.home, "monitor.lock")
        if os.path.exists(life.path) and life.acquire(wait=True):
            life.release()
        delete.forget_pending(self.home)


def prepare(
    store: Store,
    options: Options,
    image: Image | None = None,
    adapt: Callable[[Record], Record] | None = None,
    files_of: FilesOf | None = None,
    first_id: int = 0,
) -> Prepared:
    """Takes a place for the container and writes its record. Raises what is wrong with the wish.

    ``image`` is for one that is not in the store (a pod's sandbox has none);
    ``adapt`` has the last word on the record, for what no flag can say, and
    ``files_of`` on /etc/hosts and its like. ``first_id`` is where the user ids begin
    that a user namespace of its own gets; 0 takes some for it.
    """
    if image is None:
        image = images.resolve(store.root, options.image)
        check_platform(image)
    home, lock = _reserve(store)
    prepared = Prepared(home, lock)
    try:
        record = _record(home, options, image, files_of, first_id)
        prepared.record = adapt(record) if adapt else record
        if options.runtime:
            from minirun.container import oci  # another program makes it

            prepared.record = oci.adapted(home, prepared.record, options.runtime)
    except BaseException:
        prepared.clear()
        lock.release()
        raise
    return prepared


def _reserve(store: Store) -> tuple[Home, Lock]:
    """A new id, its directories, and its lock, so that no sweep takes it for a ruin.

    Whatever else it takes (a name, ids), it takes after the directories: what
    is held by an id without a directory is free.
    """
    # For root alone: a set-user-ID program that a container's root has made
    # must not be within the reach of the host's users (CVE-2021-41091).
    for place in (f"{store.root}/containers", f"{store.state}/containers", f"{store.root}/volumes"):
        os.makedirs(place, 0o700, exist_ok=True)
    home = store.container(os.urandom(32).hex())
    lock = Lock(home)
    with Doorway(store):
        os.mkdir(home.runtime, 0o700)
        lock.acquire(wait=True, make=True)
    try:
        os.mkdir(home.data, 0o700)
    except OSError:
        Prepared(home, lock).clear()
        lock.release()
        raise
    return home, lock


def _record(home: Home, options: Options, image: Image, files_of: FilesOf | None, first_id: int) -> Record:
    name = _take_name(home, options)
    if options.userns in ("private", "auto") and not first_id:
        first_id = id_ranges.take(home.store, home.id)
    lent = specify.lend(home, image.layers, options.init, first_id)
    check(options)
    if options.network_mode:
        wired = name_files.unwired(home, options, lent.first_id, files_of)
    else:
        from minirun.container import wiring

        wired = wiring.wire(home, name, options, image.config, lent.first_id, files_of)
    pids: dict[str, int] = {}

    def lenders(other: str) -> int:
        if other not in pids:  # it is asked for by each namespace
            pids[other] = pid_of(home.store, other)
        return pids[other]

    spec = specify.spec_of(options, image.config, home.id, lent, lenders, wired)
    where = layout()
    return Record(
        id=home.id,
        name=name,
        image=options.image,
        imageId=image.id,
        created=timestamp(),
        command=spec.process.args,
        labels={**image.config.labels, **options.label},
        spec=spec,
        files=wired.files,
        remove=options.rm,
        interactive=options.interactive,
        detached=options.detach,
        stopSignal=_stop_signal(options, image),
        stopTimeout=10 if options.stop_timeout is None else int(options.stop_timeout),
        lenders=_lenders(home.store, options),
        anonymousVolumes=specify.anonymous_volumes(spec),
        cgroups=cgroups.directories(spec, where),
        oomFile=cgroups.oom_file(spec, where) or "",
        killFile=_kill_file(spec, where),
    )


def _lenders(store: Store, options: Options) -> dict[str, str]:
    wishes = (options.ipc, options.pid, options.network_mode, options.userns, options.uts, options.cgroupns)
    if not any(wish.startswith("container:") for wish in wishes):
        return {}
    from minirun.container import shared

    return shared.lenders(options, store)


def _kill_file(spec: Spec, where: Layout) -> str:
    """cgroup.kill on v2, a list of pids on v1; needed where PID 1 does not end all."""
    groups = cgroups.directories(spec, where)
    v2 = cgroups.clone_into(spec, where)
    if v2:
        return f"{v2}/cgroup.kill"
    return f"{groups[0]}/cgroup.procs" if groups else ""


def _take_name(home: Home, options: Options) -> str:
    if options.name:
        names.reserve_name(home.store, options.name, home.id)
        return options.name
    for _ in range(_TRIES):
        name = names.random_name()
        try:
            names.reserve_name(home.store, name, home.id)
            return name
        except Conflict:
            continue
    names.reserve_name(home.store, home.id[:12], home.id)
    return home.id[:12]


def _stop_signal(options: Options, image: Image) -> int:
    if options.stop_signal is not None:
        return options.stop_signal
    if not image.config.stop_signal:
        return int(signal.SIGTERM)
    try:
        return signals.number(image.config.stop_signal)
    except ValueError as error:
        raise InvalidInput(
            f"image {options.image} has a stop signal that does not exist",
            f"{image.config.stop_signal!r}: {error}",
            "give another one: --stop-signal TERM",
        ) from error


def pid_of(store: Store, name: str) -> int:
    """The first process of the running container ``name``, to share its namespaces.

    Raises NotFound, and Conflict when it does not run.
    """
    home = store.find(name)
    pid = home.live_pid()
    if not pid:
        name = home.record().name
        raise Conflict(
            f"cannot share the namespaces of container {name}",
            "it does not run, so it has none",
            f"minirun start {name}",
        )
    return pid
