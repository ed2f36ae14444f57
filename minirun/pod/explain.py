"""explain: the system calls that a manifest becomes, none of them made.

Layer: pod. A pod is a few plans behind one another, each a list of steps:

    the group       its cgroup, with the limits of all together
    the sandbox     pause, in new namespaces, with the pod's address
    the volumes     directories, and what is in them
    each container  as `run` would, but that it joins (setns) what pause holds

What a real pod would draw or find has a word here: UID for the pod's, ID for a
container's, SANDBOX for the sandbox's (its id, and the pid of pause). Read
``sandbox.py`` and ``member.py`` for what decides, ``container/plan.py`` for the lists.
"""

from __future__ import annotations

from minirun.container import etc_files
from minirun.container.name_files import Wired
from minirun.container.plan import plan as plan_of
from minirun.container.specify import lend, spec_of
from minirun.image.config import Image, ImageConfig
from minirun.isolation.cgroups.layout import layout
from minirun.pod import environment, member, node, sandbox, volumes
from minirun.pod.state import NAMESPACE, PodRecord, Pods
from minirun.pod.volumes import mounting, subpath
from minirun.steps import HOST, Call, Step
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.options import Options
    from minirun.container.state import Store
    from minirun.network.attach import Wiring
    from minirun.pod.downward import Context
    from minirun.pod.manifest.read import Documents
    from minirun.pod.manifest.types import Container, Pod
    from minirun.pod.state import PodHome
    from minirun.spec import Spec

UID, SANDBOX, ID = "UID", "SANDBOX", "0" * 64
#: Stands for the first id of the range that would be found free.
FIRST_ID = 1 << 16
#: Kinds of part.
GROUP, PAUSE, VOLUMES, INIT, APP = "group", "sandbox", "volumes", "init container", "container"


class Part(Value):
    """One of the plans of a pod."""

    pod: str
    kind: str
    name: str = ""
    """Of the container, where it is one."""
    steps: tuple[Step, ...]
    alone: tuple[Step, ...] = ()
    """Of a container: what `run` would do for the same image and flags, without a pod."""
    namespaces: dict[str, str] = {}
    """Of a container: the kind of a namespace -> whose it is: ``SANDBOX``, ``host``, ``new``."""


def parts(store: Store, documents: Documents) -> Iterator[Part]:
    """The plans of every pod of a file, in the order in which they would be walked.

    Raises NotFound for an image, a ConfigMap or a Secret that is not here, and
    what the single parts find wrong.
    """
    for pod in documents.pods:
        yield from _pod(store, pod, documents)


def _pod(store: Store, pod: Pod, documents: Documents) -> Iterator[Part]:
    name = pod.metadata.name
    record = PodRecord(
        uid=UID,
        name=name,
        namespace=pod.metadata.namespace or NAMESPACE,
        pod=pod,
        config_maps=documents.config_maps,
        secrets=documents.secrets,
        cgroup=node.group_path(pod, UID),
        first_id=FIRST_ID if pod.spec.hostUsers is False else 0,
    )
    home = Pods(store=store).home(UID)
    yield Part(pod=name, kind=GROUP, steps=tuple(sandbox.plan(home, record)))
    spec, steps = _sandbox(store, record)
    yield Part(pod=name, kind=PAUSE, steps=tuple(steps), namespaces=_namespaces(spec))
    own = [address.partition("/")[0] for each in spec.endpoints for address in each.addresses]
    context = node.context_of(record, tuple(own))
    made = member.volume_plan(home, record, context)
    if made.steps:
        yield Part(pod=name, kind=VOLUMES, steps=made.steps)
    for kind, containers in ((INIT, pod.spec.initContainers), (APP, pod.spec.containers)):
        for container in containers:
            yield _member(home, record, container, context, made, kind)


def _sandbox(store: Store, record: PodRecord) -> tuple[Spec, list[Step]]:
    options = sandbox.options_of(record)
    home = store.container(SANDBOX)
    wired, wires = Wired(), None
    if not options.network_mode:
        from minirun.container.wiring_pretended import pretended

        wired, wires = pretended(store, options, SANDBOX)
    wired = replace(wired, mounts=etc_files.mounts(home.runtime, ()))
    image = Image(id="", config=ImageConfig(entrypoint=("/pause",)))
    lent = lend(home, (), False, FIRST_ID)
    spec = spec_of(options, image.config, SANDBOX, lent, _pid, wired)
    spec = sandbox.standing_on(sandbox.place_of(store.root), spec, options.runtime)
    return spec, _steps(store, spec, wires, options.runtime)


def _member(
    home: PodHome,
    record: PodRecord,
    container: Container,
    context: Context,
    made: volumes.VolumePlan,
    kind: str,
) -> Part:
    store = home.store
    variables = environment.environment(container, context)
    wish = member.Member(record=record, container=container, sandbox=SANDBOX, context=context)
    image = member.image_of(home, container)
    options = member.options_of(wish, image, variables)
    files = etc_files.mounts(store.container(SANDBOX).runtime, ())
    mounts = (*volumes.mounts(container, made, variables), member.message_mount(home, container))
    spec = member.adapted(_spec(store, options, image, Wired(mounts=files)), wish, mounts)
    return Part(
        pod=record.name,
        kind=kind,
        name=container.name,
        steps=(*_parts_of_volumes(container, made, variables), *_steps(store, spec, None, options.runtime)),
        alone=tuple(_alone(store, options, image)),
        namespaces=_namespaces(spec),
    )


def _parts_of_volumes(
    container: Container, made: volumes.VolumePlan, variables: dict[str, str]
) -> Iterator[Step]:
    """A subPath is looked for anew before each start (subpath.py)."""
    for number, each in enumerate(container.volumeMounts):
        volume = mounting.volume_of(container, each, made)
        path = mounting.subpath_of(container, each, variables)
        how = mounting.propagation_of(container, each)
        mapped = mounting.is_mapped(made.places, volume, path)
        if volume.path and (path or mapped):
            place = made.places.subpath(container.name, number)
            owner = made.places.first_id if volume.kind == "emptyDir" else 0
            users = "/proc/SANDBOX/ns/user" if mapped else ""
            yield Step(
                f"bind {path or 'all'} of volume {volume.name}",
                Call(subpath.bind, volume.path, path, place, how, not volume.readonly, owner, users),
                why="by a descriptor that no link leads out of the volume; the container mounts this place",
                side=HOST,
            )


def _alone(store: Store, options: Options, image: Image) -> list[Step]:
    """The same container without a pod: namespaces of its own, on the usual network.

    In the pod's cgroup all the same: else each write of a limit would be another one.
    """
    from minirun.container.wiring_pretended import pretended

    usual = options.__defaults__
    fields = ("network", "ipc", "uts", "pid", "userns", "label", "name")
    own = replace(options, **{field: usual[field] for field in fields})
    wired, wires = pretended(store, own, ID)
    files = etc_files.mounts(store.container(ID).runtime, ())
    return _steps(store, _spec(store, own, image, replace(wired, mounts=files)), wires, own.runtime, "")


def _spec(store: Store, options: Options, image: Image, wired: Wired) -> Spec:
    lent = lend(store.container(ID), image.layers, options.init, FIRST_ID)
    return spec_of(options, image.config, ID, lent, _pid, wired)


def _steps(
    store: Store, spec: Spec, wires: Wiring | None, runtime: str = "", holder: str = SANDBOX
) -> list[Step]:
    if runtime:
        from minirun.container import oci  # another program makes it

        return oci.pretended(store.container(spec.id), spec, runtime, wires, holder)
    return plan_of(spec, layout(), f"{store.root}/seccomp", wires)


def _pid(name: str) -> int:
    """The pid of a container that is not there: a word, which becomes part of paths."""
    return name  # type: ignore[return-value]  # nobody calculates with it


_KINDS = ("network", "ipc", "uts", "pid", "mount", "user", "cgroup", "time")


def _namespaces(spec: Spec) -> dict[str, str]:
    """Whose each is."""
    found = {each.type: each.path for each in spec.linux.namespaces}
    words = {kind: "host" if kind not in found else found[kind] or "new" for kind in _KINDS}
    return {kind: SANDBOX if f"/{SANDBOX}/" in word else word for kind, word in words.items()}
