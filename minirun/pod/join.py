"""join: one more container in a pod that runs: `run --pod`, and the debugger of `pod debug`.

Layer: pod. Whoever typed the command makes the container, as `run` does, so that it
is attached before the first byte is written; only the namespaces and the cgroup are
the pod's. Three steps, between any two of which it may be killed:

    prepare     a place, an id, the record: with the pod's uid in it, so that the pod's
                end is its end
    the wish    the supervisor hears of it (joined.py) before there is a process
    settle      once it runs: is the pod still there? Else it was too late, and goes again

Read ``joined.py`` next, for what the pod makes of it.
"""

from __future__ import annotations

from minirun.container import prepare as containers
from minirun.container import remove
from minirun.errors import Conflict, UsageError
from minirun.image import store as images
from minirun.pod import member, sandbox, supervise
from minirun.pod.manifest.types import Container
from minirun.pod.observe import look, spec_of
from minirun.pod.observed import ALIVE
from minirun.pod.state import Joined, Pods
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from minirun.container.options import Options
    from minirun.container.prepare import Prepared
    from minirun.container.state import Home, Record, Store
    from minirun.image.config import Image
    from minirun.pod.manifest.types import PodSpec
    from minirun.pod.observed import Observed
    from minirun.pod.state import PodHome, PodRecord, Wishes

RUN, DEBUG = "run", "debug"


class Host(Value):
    """A pod that takes one more container in."""

    home: PodHome
    record: PodRecord
    spec: PodSpec
    """With the containers that were added before."""
    seen: Observed
    sandbox: str
    """The id of its sandbox."""

    @property
    def attempt(self) -> int:
        """The number of its sandbox."""
        return self.seen.sandbox.attempt if self.seen.sandbox else 0


def host(home: PodHome, what: str = "no container can join pod") -> Host:
    """The pod, if one can join it. Raises Conflict, which begins with ``what``, when it does not run."""
    record, progress = home.record(), home.progress()
    seen = look(home, progress.seen)
    lender = seen.sandbox
    if lender is None or lender.state != ALIVE or seen.deletion or seen.phase:
        raise Conflict(
            f"{what} {record.name}",
            "it is ending" if seen.deletion and not seen.phase else "it does not run",
            f"minirun pod start {record.name}" if seen.phase else "minirun pod ps shows what it does",
        )
    return Host(home=home, record=record, spec=spec_of(home, progress), seen=seen, sandbox=lender.id)


def check_start(container: Home, uid: str) -> None:
    """Whether a user may start a container of the pod ``uid``. Raises Conflict for one of its manifest's.

    Nobody would look after it: the pod has seen the end of that run, and decides about the next one.
    """
    pod = Pods(store=container.store).home(uid)
    if not pod.exists():
        return
    added = {one.id for one in pod.wishes().joined}
    added |= {one.id for one in pod.progress().seen.containers.values() if one.joined}
    if container.id not in added:
        name = pod.record().name
        raise Conflict(
            f"container {container.record().name} cannot be started",
            f"it is a part of pod {name}, which decides itself when its containers run",
            f"minirun pod start {name}, or minirun pod restart {name}",
        )


def pid(pod: Host) -> int:
    """Of its pause program. Raises Conflict when that has just ended."""
    found = pod.home.store.container(pod.sandbox).live_pid()
    if not found:
        raise Conflict(
            f"pod {pod.record.name} has no sandbox",
            "it has just ended",
            "minirun pod ps shows what it does",
        )
    return found


def prepare(store: Store, options: Options) -> Prepared:
    """As ``prepare`` of the container layer, for a container in the pod ``options.pod``.

    Raises NotFound, Conflict, and UsageError for flags that contradict the pod's.
    """
    pod = host(Pods(store=store).find(options.pod))
    wish = borrowing(pod, options)
    image = images.resolve(store.root, options.image)

    def adapt(record: Record) -> Record:
        labels = {
            **pod.record.pod.metadata.labels,
            **record.labels,
            **sandbox.labels(pod.record, record.name),
        }
        made = replace(record, pod=pod.record.uid, labels=labels)
        return sandbox.with_runtime(pod.record.pod.spec, made, pod.sandbox)

    prepared = containers.prepare(store, wish, image=image, adapt=adapt)
    record = prepared.record
    container = Container(
        name=record.name,
        image=options.image,
        command=record.command,
        stdin=options.interactive,
        tty=options.tty,
    )
    announce(pod, prepared, container, image, RUN)
    return prepared


def borrowing(pod: Host, options: Options) -> Options:
    """``options``, with the namespaces and the cgroup of the pod. Raises UsageError."""
    _check(pod, options)
    score = options.oom_score_adj
    if score is None:
        score = member.oom_score_adj(pod.spec, Container(name=options.name))
    changes = {
        **member.namespaces(pod.spec, pod.sandbox),
        "cgroup_parent": pod.record.cgroup,
        "runtime": pod.spec.runtimeClassName or "",
        "oom_score_adj": score,
        "env": (*member.hostname(pod.record), *options.env),
    }
    if options.pid != "private":
        changes["pid"] = options.pid
    return replace(options, **changes)


def announce(pod: Host, prepared: Prepared, container: Container, image: Image, by: str) -> None:
    """Has the pod take notice of a container that is about to be made; takes that back if it cannot.

    Raises Conflict when the pod has one of that name.
    """
    joined = Joined(container=container, id=prepared.home.id, imageID=image.id, by=by, sandbox=pod.attempt)

    def add(before: Wishes) -> Wishes:
        _must_be_new(pod, before, container.name)
        return replace(before, joined=(*before.joined, joined))

    try:
        pod.home.wish(add)
    except BaseException:
        prepared.clear()
        prepared.lock.release()
        raise


def _must_be_new(pod: Host, wishes: Wishes, name: str) -> None:
    """One that was added earlier, and is gone, stands in nobody's way."""
    progress = pod.home.progress()
    store, seen = pod.home.store, progress.seen.containers
    taken = {one.name for one in spec_of(pod.home, progress).ephemeralContainers}
    gone = {key for key, one in seen.items() if one.joined and not store.container(one.id).exists()}
    waiting = {one.container.name for one in wishes.joined if store.container(one.id).exists()}
    own = {one.name for one in (*pod.record.pod.spec.initContainers, *pod.record.pod.spec.containers)}
    if name in (taken - gone) | waiting | own:
        raise name_taken(pod, name)


def name_taken(pod: Host, name: str) -> Conflict:
    """There is one of that name."""
    return Conflict(
        f"pod {pod.record.name} has a container {name} already",
        "no two of a pod have the same name",
        "choose another one",
    )


def settle(prepared: Prepared) -> None:
    """Once the container was created: its pod has it looked after. Raises Conflict when that is gone."""
    home = Pods(store=prepared.home.store).home(prepared.record.pod)
    if not home.exists():
        # Whoever removed the pod may have looked for its containers before there was this one.
        remove.remove(prepared.home, force=True, volumes=True)
        raise Conflict(
            f"container {prepared.record.name} has no pod any more",
            "that was removed meanwhile",
            "minirun pod ps lists what is there",
        )
    supervise.tend(home)


def tell(prepared: Prepared) -> None:
    """The container has ended, and was removed: the pod shall know of it no longer."""
    supervise.tend(Pods(store=prepared.home.store).home(prepared.record.pod))


#: What the pod has decided for all of its containers: the flag, the field, and what it is if nobody says.
_THE_PODS = (
    *(("--network", "network"), ("--publish", "publish"), ("--publish-all", "publish_all")),
    *(("--network-alias", "network_alias"), ("--ip", "ip"), ("--ip6", "ip6")),
    ("--mac-address", "mac_address"),
    *(("--dns", "dns"), ("--dns-search", "dns_search"), ("--dns-option", "dns_option")),
    *(("--add-host", "add_host"), ("--hostname", "hostname"), ("--domainname", "domainname")),
    *(("--ipc", "ipc"), ("--shm-size", "shm_size"), ("--uts", "uts"), ("--userns", "userns")),
    ("--cgroup-parent", "cgroup_parent"),
    ("--runtime", "runtime"),
)


def _check(pod: Host, options: Options) -> None:
    """Raises UsageError for a flag that says of the container what is the pod's to say."""
    asked = [flag for flag, field in _THE_PODS if getattr(options, field) != options.__defaults__[field]]
    if options.pid != "private" and (pod.spec.shareProcessNamespace or pod.spec.hostPID):
        asked.append("--pid")
    if asked:
        raise UsageError(
            f"--pod and {asked[0]} contradict each other",
            f"it is the same for all containers of a pod, and pod {pod.record.name} has it",
            f"leave one out, or say it in the manifest of pod {pod.record.name}",
        )
