"""From a container's record to the words of a manifest.

Part of ``generate.py``; pure but for a look at the image. Said is what differs from
the image and from a pod's defaults; what a manifest has no word for becomes a note.
"""

from __future__ import annotations

from minirun.container.program import INIT
from minirun.container.specify import DEFAULT_PATH
from minirun.image import lookup
from minirun.image import store as images
from minirun.isolation.mounts.options import VOLUME
from minirun.pod import generate_security
from minirun.pod.generate_lost import own_mounts, unsaid
from minirun.pod.manifest.types import (
    Container,
    ContainerPort,
    EmptyDirVolumeSource,
    EnvVar,
    HostPathVolumeSource,
    Lifecycle,
    PersistentVolumeClaimVolumeSource,
    ResourceRequirements,
    Volume,
    VolumeMount,
)
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.state import Record
    from minirun.image.config import Image
    from minirun.spec import Mount, Spec

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class Found(Value):
    """A container in a manifest's words, and what belongs to its pod."""

    container: Container
    volumes: tuple[Volume, ...] = ()
    groups: tuple[int, ...] = ()
    labels: dict[str, str] = {}
    notes: tuple[str, ...] = ()


def read(record: Record, root: str) -> Found:
    """The container of ``record``. Raises NotFound when its image is gone from the store ``root``."""
    image = images.resolve(root, record.imageId or record.image)
    spec, name = record.spec, label(record.name)
    command, args = _command(spec, image)
    mounts, volumes = _volumes(record, root, name)
    account = lookup.user(image.layers, image.config.user)
    container = Container(
        name=name,
        image=record.image,
        command=command,
        args=args,
        workingDir=spec.process.cwd if spec.process.cwd != (image.config.workdir or "/") else "",
        env=tuple(_env(record, image)),
        stdin=record.interactive,
        stdinOnce=record.interactive,
        tty=spec.process.terminal,
        ports=tuple(_ports(spec)),
        volumeMounts=mounts,
        resources=_resources(spec),
        securityContext=generate_security.security(spec, image),
        lifecycle=_lifecycle(record, image),
    )
    own = [*account.additional_gids, account.gid, spec.process.user.gid]
    return Found(
        container=container,
        volumes=volumes,
        groups=tuple(gid for gid in spec.process.user.additionalGids if gid not in own),
        labels=_labels(record, image),
        notes=tuple(f"{record.name}: a manifest has no word for {what}" for what in unsaid(record)),
    )


def label(name: str) -> str:
    """``name`` as a DNS label, which Kubernetes wants: web_1 becomes web-1."""
    plain = "".join(letter if letter in _LETTERS else "-" for letter in name.lower())
    return plain.strip("-")[:63].strip("-") or "container"


def _command(spec: Spec, image: Image) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """command, which stands for the entrypoint, and args; nothing where the image says the same."""
    words, config = spec.process.args, image.config
    if words[:1] == (INIT,):
        words = words[1:]
    entry = config.entrypoint
    if words == entry + config.cmd:
        return (), ()
    escaped = tuple(_escaped(word) for word in words)
    if entry and words[: len(entry)] == entry and len(words) > len(entry):
        return (), escaped[len(entry) :]
    return escaped, ()


def _escaped(text: str) -> str:
    """A dollar before another, or before a bracket, is said by two (expansion.py)."""
    pairs = zip(text, f"{text[1:]} ", strict=True)
    return "".join("$$" if sign == "$" and behind in "$(" else sign for sign, behind in pairs)


def _env(record: Record, image: Image) -> Iterator[EnvVar]:
    """The variables that neither the image nor every container has."""
    spec, config = record.spec, image.config
    given = {f"{name}={value}" for name, _, value in (word.partition("=") for word in config.env)}
    user = spec.process.user
    home = lookup.user(image.layers, f"{user.uid}:{user.gid}").home or "/"
    usual = {f"PATH={DEFAULT_PATH}", f"HOSTNAME={spec.hostname}", "TERM=xterm", f"HOME={home}"}
    for word in spec.process.env:
        name, _, value = word.partition("=")
        if word not in given | usual and name != "HOSTNAME":
            yield EnvVar(name=name, value=_escaped(value))


def _ports(spec: Spec) -> Iterator[ContainerPort]:
    for port in spec.ports:
        yield ContainerPort(
            containerPort=port.port,
            protocol=None if port.protocol == "tcp" else port.protocol.upper(),
            hostPort=port.host_port or None,
            hostIP=port.host_address,
        )


def _volumes(record: Record, root: str, name: str) -> tuple[tuple[VolumeMount, ...], tuple[Volume, ...]]:
    mounts: list[VolumeMount] = []
    volumes: list[Volume] = []
    for mount in own_mounts(record.spec):
        called = f"{name[:57]}-{len(volumes)}"
        volumes.append(_volume(mount, called, record, root))
        words = set(mount.options)
        readonly = bool(words & {"ro", "rro"})
        propagation = {"rslave": "HostToContainer", "slave": "HostToContainer"}
        propagation |= {"rshared": "Bidirectional", "shared": "Bidirectional"}
        how = next((propagation[word] for word in mount.options if word in propagation), None)
        mounts.append(
            VolumeMount(
                name=called,
                mountPath=mount.destination,
                readOnly=readonly,
                recursiveReadOnly="IfPossible" if "rro" in words and not how else None,
                mountPropagation=how,
            )
        )
    return tuple(mounts), tuple(volumes)


def _volume(mount: Mount, called: str, record: Record, root: str) -> Volume:
    if mount.type == "tmpfs":
        size = next((word[5:] for word in mount.options if word.startswith("size=")), "")
        return Volume(name=called, emptyDir=EmptyDirVolumeSource(medium="Memory", sizeLimit=_size(size)))
    kept = mount.source.removeprefix(f"{root}/volumes/").partition("/")[0]
    if VOLUME in mount.options and kept in record.anonymousVolumes:
        return Volume(name=called, emptyDir=EmptyDirVolumeSource())
    if VOLUME in mount.options and kept == kept.lower() and "_" not in kept:
        return Volume(name=called, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=kept))
    return Volume(name=called, hostPath=HostPathVolumeSource(path=mount.source))


def _size(text: str) -> str | None:
    """tmpfs(5)'s 64m as a quantity; None for a share of the memory."""
    if not text or text.endswith("%"):
        return None
    number, suffix = text.rstrip("kKmMgG"), text[-1:].lower()
    return number + {"k": "Ki", "m": "Mi", "g": "Gi"}.get(suffix, "")


def _resources(spec: Spec) -> ResourceRequirements | None:
    cpu, memory = spec.linux.resources.cpu, spec.linux.resources.memory
    limits, requests = {}, {}
    if cpu.quota and cpu.quota > 0:
        limits["cpu"] = f"{max(cpu.quota * 1000 // (cpu.period or 100_000), 1)}m"
    if cpu.shares:
        requests["cpu"] = f"{max(cpu.shares * 1000 // 1024, 1)}m"
    if memory.limit and memory.limit > 0:
        limits["memory"] = _bytes(memory.limit)
    if memory.reservation and memory.reservation > 0:
        requests["memory"] = _bytes(memory.reservation)
    return ResourceRequirements(limits=limits, requests=requests) if limits or requests else None


def _bytes(number: int) -> str:
    for suffix, unit in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if number % unit == 0:
            return f"{number // unit}{suffix}"
    return str(number)


def _lifecycle(record: Record, image: Image) -> Lifecycle | None:
    from minirun.container import signals

    try:
        usual = signals.number(image.config.stop_signal or "TERM")
    except ValueError:
        usual = 0
    if record.stopSignal == usual:
        return None
    import signal

    return Lifecycle(stopSignal=signal.Signals(record.stopSignal).name)


def _labels(record: Record, image: Image) -> dict[str, str]:
    """Those of the container's own that are labels to Kubernetes, too."""
    own = {key: value for key, value in record.labels.items() if image.config.labels.get(key) != value}
    own = {key: value for key, value in own.items() if not key.startswith("io.kubernetes.")}
    return {
        key: value
        for key, value in own.items()
        if _is_word(key.rpartition("/")[2]) and _is_word(value or "x")
    }


def _is_word(text: str) -> bool:
    return 0 < len(text) <= 63 and set(text) <= _WORD and text[0].isalnum() and text[-1].isalnum()
