"""create: a pod from its manifest.

Layer: pod. Takes a place and a name, writes the record, and has the pod looked
after until the first things have happened: its sandbox is there, and whatever may
run at once does. ``remove.py`` is the way back; read ``supervise.py`` next.
"""

from __future__ import annotations

import errno
import os
import time

from minirun.container import id_ranges, kill, links
from minirun.container.files import parse, read
from minirun.container.signals import signal
from minirun.container.state import Record
from minirun.errors import Conflict, MinirunError
from minirun.linux.path import remove_tree
from minirun.pod import node, qos, sandbox, supervise
from minirun.pod.actions import RunPostStart
from minirun.pod.locks import PodLock
from minirun.pod.observed import ALIVE, PRESENT, Observed
from minirun.pod.state import NAMESPACE, PodHome, PodRecord, Pods, Progress
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.container.state import Home, Store
    from minirun.pod.decide import Decision
    from minirun.pod.manifest.types import ConfigMap, Pod, PodSpec, Secret


def create(
    store: Store,
    pod: Pod,
    config_maps: Sequence[ConfigMap] = (),
    secrets: Sequence[Secret] = (),
    network: tuple[str, ...] = (),
) -> PodHome:
    """Makes the pod and has it looked after; its home, once its sandbox is there.

    Raises Conflict for a name that is taken, and whatever keeps the sandbox
    from being made; then nothing of the pod is left.
    """
    home = Pods(store=store).home(_uid())
    os.makedirs(f"{store.root}/pods/names", 0o700, exist_ok=True)
    lock = PodLock(home, "supervisor.lock")
    # Before there is anything to see: who has the lock is at work, and no sweep takes it for a ruin.
    lock.acquire(wait=True, make=True)
    try:
        os.mkdir(home.data, 0o700)
        _take_name(home, pod.metadata.name)
        now = time.time()
        record = PodRecord(
            uid=home.uid,
            name=pod.metadata.name,
            namespace=pod.metadata.namespace or NAMESPACE,
            created=now,
            pod=pod,
            config_maps=tuple(config_maps),
            secrets=tuple(secrets),
            cgroup=node.group_path(pod, home.uid),
            network=network,
            first_id=id_ranges.take(store, home.uid) if pod.spec.hostUsers is False else 0,
        )
        seen = Observed(createdAt=now, startedAt=now)  # its deadline counts from here, whatever takes long
        home.write_progress(Progress(seen=seen))
        home.write_pending(record)
        unfinished = _begin(home, record)
    except BaseException:
        discard(home)
        raise
    finally:
        lock.release()
    if unfinished:
        supervise.spawn(home)
    share(store, pod.spec)
    return home


def _begin(home: PodHome, record: PodRecord) -> bool:
    """Does what can be done at once, and makes a pod of it; whether something is left to do.

    The caller holds supervisor.lock: whoever dies before the last line leaves a
    ruin, and after it a pod that somebody else looks after.
    """
    from minirun.pod.supervisor import Supervisor  # removing a pod wants this file, too, and not that

    supervisor = Supervisor(home, record)
    _, unfinished = supervisor.run(begun)
    home.write_progress(supervisor.progress)
    problem = supervisor.progress.seen.problem
    if problem:
        raise MinirunError(
            f"pod {record.name} cannot be made: {problem.reason}",
            problem.message,
            problem.remedy or "mend that, and make it again: nothing of it was left",
        )
    home.commit()
    return unfinished or _has_lost(home)


def _has_lost(home: PodHome) -> bool:
    """Whether a container has ended whose monitor did not yet see that there is a pod to look after."""
    seen = home.progress().seen
    ids = [one.id for one in seen.containers.values() if one.state in PRESENT]
    ids += [seen.sandbox.id] if seen.sandbox else []
    return any(home.store.container(id).has_exit() for id in ids)


def begun(spec: PodSpec, seen: Observed, decision: Decision) -> bool:
    """The sandbox is there, and whatever may run at once does; or it cannot be made.

    Hooks are left to who stays: one that is begun here would be begun once more.
    """
    rest = [each for each in decision.actions if not isinstance(each, RunPostStart)]
    return seen.problem is not None or (seen.sandbox is not None and not rest)


def share(store: Store, changed: PodSpec) -> None:
    """Writes what a class of pods has of the CPU, now that ``changed`` has come to it, or gone."""
    kind = qos.qos_class(changed)
    if kind != qos.BURSTABLE:
        node.share(kind, [changed])  # the same, however many there are
        return
    specs = []
    for uid in node.members(kind):
        try:
            specs.append(Pods(store=store).home(uid).record().pod.spec)
        except MinirunError:
            continue  # another store's, or just being removed
    node.share(kind, specs)


def discard(home: PodHome) -> None:
    """Removes everything that a pod has, whatever it is doing; may be called twice, and gone is fine.

    The caller holds supervisor.lock. The order makes a removal that is killed in the
    middle one that ``gc.py`` sees and finishes: whatever has the pod's uid goes before the
    directories that tell of the uid, and the one that the lock is in goes last.
    """
    store = home.store
    home.retract()  # first: from here on no monitor looks after the pod when its container ends
    made = [store.container(id) for id in containers(home)]
    for container in made:
        _kill(container)
    for container in made:
        sandbox.end(container)
    _sweep_volumes(f"{home.runtime}/subpaths", f"{home.runtime}/volumes", f"{home.data}/volumes")
    node.remove_group(home.uid)
    remove_tree(home.data)
    links.give_back_all(f"{store.root}/pods/names", home.uid)
    id_ranges.release(store, home.uid)
    _remove_runtime(home)


def _kill(container: Home) -> None:
    """So that all of them die while the first is removed; what cannot be killed so is left to that."""
    try:
        kill.kill(container, signal.SIGKILL)
    except MinirunError:
        return


def _sweep_volumes(*places: str) -> None:
    if any(map(os.path.lexists, places)):
        from minirun.pod import volumes  # so that a pod without volumes does not pay for them

        volumes.sweep(*places)


def _remove_runtime(home: PodHome) -> None:
    """Somebody who looks for a pod that is not there any more may make the lock's file anew: once more."""
    while True:
        try:
            return remove_tree(home.runtime)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise


def containers(home: PodHome) -> list[str]:
    """The ids of all containers that were made for the pod, its sandbox last."""
    found: list[str] = []
    last: list[str] = []
    store, uid = home.store, home.uid.encode()
    for id in _candidates(home):
        container = store.container(id)
        raw = read(f"{container.data}/container.json") or read(f"{container.data}/pending.json") or b""
        if uid not in raw:
            continue  # another pod's, and reading a record takes its time
        record = parse(raw, Record, container.data)
        if record.pod == home.uid:
            (last if record.labels.get(sandbox.CONTAINER) == sandbox.SANDBOX else found).append(id)
    return [*found, *last]


def _candidates(home: PodHome) -> list[str]:
    """Ids that may be of the pod's containers: by their names, and those that were seen in it.

    Looking at every container that there is would make the pods pay for each other.
    """
    store = home.store
    try:
        name, seen, joined = home.record().name, home.progress().seen, home.wishes().joined
    except MinirunError:  # it did not come so far, or is damaged
        return store.ids()
    names = [each for each in os.listdir(f"{store.root}/names") if each.startswith(f"{name}_")]
    ids = {id for id in map(store.id_of_name, names) if id}
    ids |= {one.id for one in seen.containers.values()} | {one.id for one in joined}
    return sorted(ids - {""})


def _uid() -> str:
    """A random UUID (RFC 9562, version 4); importing uuid costs 8 ms."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _take_name(home: PodHome, name: str) -> None:
    """Raises Conflict when another pod has it."""
    directory = f"{home.store.root}/pods/names"
    for _ in range(8):
        if links.take(directory, name, home.uid):
            return
        holder = links.holder(directory, name)
        other = Pods(store=home.store).home(holder)
        if holder and (os.path.isdir(other.data) or os.path.isdir(other.runtime)):
            break
        links.give_back(directory, name, holder)  # a crashed creator's
    raise Conflict(
        f"there is a pod {name} already",
        "no two have the same name",
        f"minirun pod rm {name}, or minirun pod create --replace",
    )


def is_alive(seen: Observed) -> bool:
    """Whether the pod has a sandbox."""
    return seen.sandbox is not None and seen.sandbox.state == ALIVE
