"""A member: a container that borrows the sandbox's namespaces.

Layer: pod. Two steps of translation, so that nothing is decided twice: what a
manifest says becomes the flags of `run` (options_of), with ``container:`` of the
sandbox for the namespaces that are shared; what no flag can say (mounts out of the
pod's volumes, the cgroup's files) is put into the Spec. Then the container layer
makes it, as it makes any other. Read ``supervise.py`` next.
"""

from __future__ import annotations

import os

from minirun.container import create, start
from minirun.container.options import Options
from minirun.container.prepare import Prepared, prepare
from minirun.container.signals import number
from minirun.errors import InvalidInput, MinirunError, NotFound
from minirun.image import store as images
from minirun.isolation.cgroups.layout import layout
from minirun.linux.capability import Capability, capget
from minirun.pod import environment, expansion, names, node, qos, resources, sandbox, security, termination
from minirun.pod.downward import Context
from minirun.pod.environment import CreateContainerConfigError
from minirun.pod.observe import message_file
from minirun.spec import Memory, Mount
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from typing import Any

    from minirun.container.channel import Channel
    from minirun.container.state import Record
    from minirun.image.config import Image
    from minirun.pod.manifest.types import Container, PodSpec
    from minirun.pod.state import PodHome, PodRecord
    from minirun.pod.volumes import VolumePlan
    from minirun.spec import Spec
    from minirun.steps import Step

_MESSAGE_PATH = "/dev/termination-log"


class ErrImageNeverPull(NotFound):
    """The image is not here, and imagePullPolicy is Never; the waiting reason of that name."""


class ErrImagePull(ErrImageNeverPull):
    """The image is not here, and there is no registry to pull it from."""


class InvalidImageName(InvalidInput):
    """The image's name is none; the waiting reason of that name."""


class Member(Value):
    """What a container of the pod is made from."""

    record: PodRecord
    container: Container
    sandbox: str
    """The id of the pod's sandbox."""
    context: Context
    attempt: int = 0
    target: str = ""
    """The id of the container whose processes it sees, for targetContainerName."""


def prepared(home: PodHome, member: Member) -> Prepared:
    """Takes a place for the container and writes its record; nothing runs yet.

    Raises CreateContainerConfigError for what its manifest refers to and is not
    there, ErrImageNeverPull, and what the container layer finds wrong.
    """
    container = member.container
    image = image_of(home, container)
    variables = environment.environment(container, member.context)
    security.check_user(member.record.pod.spec, container, image)
    try:
        mounts = (*_volume_mounts(home, member, variables), message_mount(home, container))
        _write_message_file(home, container)
    except MinirunError as error:
        raise CreateContainerConfigError(error.what, error.why, error.remedy) from error
    options = options_of(member, image, variables)

    def adapt(record: Record) -> Record:
        keeps = container.stdin and not container.stdinOnce
        spec = adapted(record.spec, member, mounts)
        made = replace(record, pod=member.record.uid, spec=spec, keepsStdin=keeps)
        return sandbox.with_runtime(member.record.pod.spec, made, member.sandbox)

    return prepare(home.store, options, image=image, adapt=adapt)


def begin(made: Prepared) -> Channel:
    """Has others make a prepared container's process and start its program; see ``until_started``."""

    def plan() -> list[Step]:
        return start.plan_of(made.home, made.record)

    request = create.Launch(
        home=made.home, record=made.record, plan=plan(), replan=plan, lock=made.lock, autostart=True
    )
    return create.create(request)


def until_started(client: Channel) -> None:
    """Waits until the program runs. Raises what keeps it from running."""
    create.wait_created(client)
    start.wait_started(client)


def image_of(home: PodHome, container: Container) -> Image:
    """The container's image. There is no registry to pull from: it has to be here."""
    try:
        return images.resolve(home.store.root, container.image)
    except InvalidInput as error:
        what = f"container {container.name}: {error.what}"
        raise InvalidImageName(what, error.why, error.remedy) from error
    except NotFound as error:
        missing = ErrImageNeverPull if container.imagePullPolicy == "Never" else ErrImagePull
        raise missing(
            f"container {container.name}: the image {container.image} is not here",
            error.why,
            "minirun load -i FILE brings it, minirun images lists what is here; nothing is pulled, whatever "
            "imagePullPolicy says",
        ) from error


def _volume_mounts(home: PodHome, member: Member, variables: dict[str, str]) -> tuple[Mount, ...]:
    """What the container mounts of the pod's volumes, prepared."""
    if not member.container.volumeMounts:
        return ()
    from minirun.pod import volumes  # so that a pod without volumes does not pay for them

    plan = volume_plan(home, member.record, member.context, member.sandbox)
    volumes.prepare(member.container, plan, variables)
    return volumes.mounts(member.container, plan, variables)


def volume_plan(home: PodHome, record: PodRecord, context: Context, lender: str = "") -> VolumePlan:
    """The pod's volumes; ``lender`` is the id of the sandbox whose user namespace they are seen from."""
    from minirun.pod import volumes

    users = ""
    if lender and record.first_id:
        users = f"/proc/{home.store.container(lender).live_pid()}/ns/user"
    places = volumes.Places(
        data=home.data,
        runtime=home.runtime,
        root=home.store.root,
        first_id=record.first_id,
        users=users,
        memory=qos.pod_resources(record.pod.spec).memory.limit or 0,
    )
    return volumes.plan(context, places)


def options_of(member: Member, image: Image, variables: dict[str, str]) -> Options:
    """The container in the words of `run`."""
    container, record = member.container, member.record
    spec = record.pod.spec
    amounts = resources.container_resources(container, oom_group=False)
    entrypoint, command = _command(container, variables)
    signal = container.lifecycle.stopSignal if container.lifecycle else None
    return Options(
        image=container.image,
        runtime=spec.runtimeClassName or "",
        entrypoint=entrypoint,
        command=command,
        name=sandbox.container_name(record.name, container.name, member.attempt),
        label=sandbox.labels(record, container.name),
        interactive=container.stdin,
        tty=container.tty,
        env=(*hostname(record), *(f"{name}={value}" for name, value in variables.items())),
        workdir=container.workingDir,
        cgroup_parent=record.cgroup,
        cpu_shares=amounts.cpu.shares,
        cpu_quota=amounts.cpu.quota,
        cpu_period=amounts.cpu.period,
        memory=amounts.memory.limit,
        memory_swap=amounts.memory.limit,
        oom_score_adj=oom_score_adj(spec, container),
        stop_signal=number(signal) if signal else None,
        stop_timeout=int(termination.grace(spec)),
        **namespaces(spec, member.sandbox, member.target),
        **security.options_of(spec, container, image),
    )


def hostname(record: PodRecord) -> tuple[str, ...]:
    """The variable that tells a program the pod's name; on the host's network that is the host's."""
    pod = record.pod
    return () if pod.spec.hostNetwork else (f"HOSTNAME={names.name_of(pod).hostname}",)


def namespaces(spec: PodSpec, sandbox: str, target: str = "") -> dict[str, Any]:
    """Whose namespaces a container of the pod is in, as fields of Options.

    The sandbox's, the host's or its own; the processes also of the container ``target``.
    """
    lender = f"container:{sandbox}"
    processes = "host" if spec.hostPID else lender if spec.shareProcessNamespace else "private"
    if target and processes == "private":
        processes = f"container:{target}"
    return {
        "network": (lender,),
        "ipc": "host" if spec.hostIPC else lender,
        "uts": lender,
        "pid": processes,
        "userns": lender if spec.hostUsers is False else "host",
    }


def _command(container: Container, variables: dict[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """``command`` stands for the image's entrypoint, and without it for its command as well."""
    command = tuple(expansion.expand(word, variables) for word in container.command)
    args = tuple(expansion.expand(word, variables) for word in container.args)
    return ("", (*command, *args)) if command else (None, args)


def oom_score_adj(spec: PodSpec, container: Container) -> int | None:
    """The class's; only root with CAP_SYS_RESOURCE may make a process less likely to be killed."""
    score = qos.oom_score_adj(spec, container, node.memory())
    if capget()[0] >> Capability.SYS_RESOURCE & 1:
        return score
    with open("/proc/self/oom_score_adj") as file:
        return max(score, int(file.read()))


def _write_message_file(home: PodHome, container: Container) -> None:
    """The file that a program may leave its last words in: empty, and for everybody."""
    path = message_file(home, container.name)
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        os.fchmod(fd, 0o666)
    finally:
        os.close(fd)


def message_mount(home: PodHome, container: Container) -> Mount:
    """Where the program finds that file. Raises InvalidInput."""
    where = container.terminationMessagePath or _MESSAGE_PATH
    if not where.startswith("/"):
        raise InvalidInput(
            f"container {container.name}: terminationMessagePath {where!r} is no absolute path",
            "the program writes its last words there, whatever directory it is in",
            f"begin it with /, as {_MESSAGE_PATH}",
        )
    source = message_file(home, container.name)
    return Mount(destination=where, type="bind", source=source, options=("bind", "rprivate", "rw"))


def adapted(spec: Spec, member: Member, mounts: tuple[Mount, ...]) -> Spec:
    """The Spec, with what no flag says."""
    linux = spec.linux
    unified = resources.container_resources(
        member.container, oom_group=layout().version("memory") == 2
    ).unified
    more = replace(
        linux.resources,
        unified={**linux.resources.unified, **unified},
        memory=linux.resources.memory or Memory(),
    )
    # What the manifest mounts has the last word.
    taken = {mount.destination for mount in mounts}
    kept = tuple(mount for mount in spec.mounts if mount.destination not in taken)
    return replace(spec, mounts=(*kept, *mounts), linux=replace(linux, resources=more))
