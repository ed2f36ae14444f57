"""generate: the manifest of what runs; `pod create` would take it again.

Layer: pod; pure but for what is read. A pod gives the manifest that it was made of,
without what only a server or a status says, with the ConfigMaps and Secrets that it
uses, and with the containers that `run --pod` has added. Plain containers become a
pod, as far as a manifest has words for their flags; for what it has none there is a
note. Read ``generate_container.py`` next, for the words.
"""

from __future__ import annotations

from minirun.errors import NotFound
from minirun.pod import generate_container as one_of
from minirun.pod import generate_security
from minirun.pod.generate_names import names
from minirun.pod.join import RUN
from minirun.pod.manifest.types import ObjectMeta, Pod, PodOS, PodSecurityContext, PodSpec, Sysctl
from minirun.pod.restarts import NEVER
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from minirun.container.state import Home, Record
    from minirun.pod.generate_container import Found
    from minirun.pod.manifest.types import Container
    from minirun.pod.state import PodHome


class Generated(Value):
    """Objects of a manifest, in the order of the file, and what could not be said in it."""

    objects: tuple[Value, ...]
    notes: tuple[str, ...] = ()


def of_pod(home: PodHome) -> Generated:
    """The manifest of a pod. Raises NotFound when it is gone."""
    record, progress = home.record(), home.progress()
    found = []
    for one in progress.ephemeral:
        seen = progress.seen.of(one.name)
        container = home.store.container(seen.id)
        if seen.joined == RUN and container.exists():
            found.append(one_of.read(container.record(), home.store.root))
    given = record.pod
    notes = [note for each in found for note in each.notes] + list(_lost(given, found))
    spec = replace(
        given.spec,
        ephemeralContainers=(),
        containers=(*given.spec.containers, *_with_os(given.spec, found)),
        volumes=(*given.spec.volumes, *(volume for each in found for volume in each.volumes)),
    )
    pod = Pod(metadata=_own(given.metadata), spec=spec)
    maps = [replace(each, metadata=_own(each.metadata)) for each in record.config_maps]
    secrets = [replace(each, metadata=_own(each.metadata)) for each in record.secrets]
    return Generated(objects=(*maps, *secrets, pod), notes=tuple(notes))


def _lost(pod: Pod, found: Sequence[Found]) -> Iterator[str]:
    """What only a whole pod can be told, of containers that have joined it."""
    for one in found:
        what = {
            "--stop-signal (the pod has no spec.os)": one.container.lifecycle and pod.spec.os is None,
            "--group-add (a pod has supplementalGroups)": one.groups,
            "--label (a pod has labels)": set(one.labels.items()) - set(pod.metadata.labels.items()),
        }
        for flag, is_so in what.items():
            if is_so:
                yield f"{one.container.name}: a container of a pod has no word for {flag}"


def _own(given: ObjectMeta) -> ObjectMeta:
    """What its author has said of it."""
    return ObjectMeta(
        name=given.name, namespace=given.namespace, labels=given.labels, annotations=given.annotations
    )


def _with_os(spec: PodSpec, found: Sequence[Found]) -> tuple[Container, ...]:
    """A stop signal of a container's own needs the pod to say which system it is for."""
    if spec.os is not None:
        return tuple(each.container for each in found)
    return tuple(replace(each.container, lifecycle=None) for each in found)


def of_containers(homes: Sequence[Home]) -> Generated:
    """One pod of plain containers. Raises NotFound when one of them, or its image, is gone."""
    records = [home.record() for home in homes]
    found = [one_of.read(record, home.store.root) for record, home in zip(records, homes, strict=True)]
    name = one_of.label(records[0].name)
    notes = [note for each in found for note in each.notes]
    spec = PodSpec(
        containers=tuple(each.container for each in found),
        volumes=tuple(volume for each in found for volume in each.volumes),
        restartPolicy=NEVER,
        terminationGracePeriodSeconds=max(record.stopTimeout for record in records),
        securityContext=_security(found, records),
        os=PodOS(name="linux") if any(each.container.lifecycle for each in found) else None,
        **_shared(records, notes),
        **names(records, notes),
    )
    labels = {key: value for each in found for key, value in each.labels.items()}
    metadata = ObjectMeta(name=f"{name[:59]}-pod", labels=labels)
    return Generated(objects=(Pod(metadata=metadata, spec=spec),), notes=tuple(notes))


def _security(found: Sequence[Found], records: Sequence[Record]) -> PodSecurityContext | None:
    groups = tuple(sorted({group for each in found for group in each.groups}))
    sysctls = {
        key: value for record in records for key, value in generate_security.sysctls(record.spec).items()
    }
    if not groups and not sysctls:
        return None
    words = tuple(Sysctl(name=key, value=value) for key, value in sorted(sysctls.items()))
    return PodSecurityContext(supplementalGroups=groups, sysctls=words)


def _shared(records: Sequence[Record], notes: list[str]) -> dict[str, Any]:
    """The namespaces: in a pod they are the same for all, and the first container's count."""
    first = records[0]
    kinds = {each.type: each for each in first.spec.linux.namespaces}
    said: dict[str, Any] = {
        "hostNetwork": "network" not in kinds,
        "hostPID": "pid" not in kinds,
        "hostIPC": "ipc" not in kinds,
        "hostUsers": False if "user" in kinds else None,
    }
    if first.spec.hostname not in ("", first.id[:12]) and not said["hostNetwork"]:
        said["hostname"] = first.spec.hostname
    networks = [each.network for each in first.spec.endpoints]
    if networks not in ([], ["minirun"]):
        flags = " ".join(f"--network {name}" for name in networks)
        notes.append(f"a manifest names no network: minirun pod create {flags} FILE")
    elif not networks and not said["hostNetwork"]:
        notes.append("a manifest names no network: minirun pod create --network none FILE")
    for other in records[1:]:
        if {each.type for each in other.spec.linux.namespaces} != set(kinds):
            notes.append(f"{other.name} shares other namespaces with the host than {first.name}, whose count")
    return said


def missing(name: str) -> NotFound:
    """Neither a pod nor a container is called so."""
    return NotFound(
        f"no such pod or container: {name}",
        "neither a name nor the beginning of an id",
        "minirun pod ps and minirun ps -a list them",
    )
