"""Rules for volumes and for where containers see them.

Layer: pod; pure. Read next: rules_security.py. Kubernetes, "Volumes"; KEP-3857
(recursiveReadOnly).
"""

from __future__ import annotations

from minirun.pod import quantity
from minirun.pod.manifest import rules_env
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import (
        Container,
        DownwardAPIVolumeFile,
        PodSpec,
        ProjectedVolumeSource,
        Volume,
        VolumeMount,
    )


def check(spec: PodSpec, path: str) -> Iterator[Finding]:
    """All volumes of a pod."""
    seen: set[str] = set()
    for index, volume in enumerate(spec.volumes):
        place = f"{path}[{index}]"
        if volume.name and volume.name in seen:
            yield f"{place}.name", f"another volume is named {volume.name!r}"
        seen.add(volume.name)
        yield from _sources(volume, place)
        yield from _contents(volume, spec, place)


def sources(volume: Volume) -> list[str]:
    """The names of the sources that a volume has."""
    return [field for field in volume.__fields__ if field != "name" and getattr(volume, field) is not None]


def _sources(volume: Volume, path: str) -> Iterator[Finding]:
    given = sources(volume)
    if not given:
        yield path, "needs a source: emptyDir, hostPath, configMap, secret ..."
    for field in given[1:]:
        yield f"{path}.{field}", f"cannot stand beside {given[0]}: a volume has one source"


def _contents(volume: Volume, spec: PodSpec, path: str) -> Iterator[Finding]:
    if volume.emptyDir and volume.emptyDir.sizeLimit and quantity.parse(volume.emptyDir.sizeLimit)[0] < 0:
        yield f"{path}.emptyDir.sizeLimit", "must not be negative"
    for kind in ("configMap", "secret", "downwardAPI"):
        source = getattr(volume, kind)
        if source:
            yield from _paths(source.items, f"{path}.{kind}.items", {})
    if volume.downwardAPI:
        yield from _files(volume.downwardAPI.items, spec, f"{path}.downwardAPI.items")
    if volume.projected:
        yield from _projected(volume.projected, spec, f"{path}.projected.sources")


def _projected(projected: ProjectedVolumeSource, spec: PodSpec, path: str) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for index, source in enumerate(projected.sources):
        for kind in ("configMap", "secret", "downwardAPI"):
            inner = getattr(source, kind)
            if inner:
                yield from _paths(inner.items, f"{path}[{index}].{kind}.items", seen)
        if source.downwardAPI:
            yield from _files(source.downwardAPI.items, spec, f"{path}[{index}].downwardAPI.items")


def _paths(items: tuple[object, ...], path: str, seen: dict[str, str]) -> Iterator[Finding]:
    """Two files of a volume cannot have one path; ``seen`` has those of other sources."""
    for index, item in enumerate(items):
        name = str(getattr(item, "path", ""))
        if name in seen and name:
            yield f"{path}[{index}].path", f"{name!r} is taken by {seen[name]}"
        seen.setdefault(name, f"{path}[{index}]")


def _files(items: tuple[DownwardAPIVolumeFile, ...], spec: PodSpec, path: str) -> Iterator[Finding]:
    for index, item in enumerate(items):
        yield from rules_env.check_file(item.fieldRef, item.resourceFieldRef, spec, f"{path}[{index}]")


def check_mounts(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """What one container mounts."""
    volumes = {volume.name: volume for volume in spec.volumes}
    seen: set[str] = set()
    for index, mount in enumerate(container.volumeMounts):
        place = f"{path}[{index}]"
        if mount.name and mount.name not in volumes:
            known = f"it has {', '.join(volumes)}" if volumes else "it has none"
            yield f"{place}.name", f"the pod has no volume {mount.name!r}: {known}"
        if mount.mountPath and mount.mountPath in seen:
            yield f"{place}.mountPath", f"another volume is mounted on {mount.mountPath}"
        seen.add(mount.mountPath)
        yield from _mount(mount, container, place)


def _mount(mount: VolumeMount, container: Container, path: str) -> Iterator[Finding]:
    if mount.subPath and mount.subPathExpr:
        yield f"{path}.subPathExpr", "cannot stand beside subPath: give one of the two"
    privileged = bool(container.securityContext and container.securityContext.privileged)
    if mount.mountPropagation == "Bidirectional" and not privileged:
        why = "needs a privileged container: what it mounts appears on the host"
        yield f"{path}.mountPropagation", why
    if mount.recursiveReadOnly in ("IfPossible", "Enabled"):
        if not mount.readOnly:
            yield f"{path}.recursiveReadOnly", "needs readOnly: true"
        if (mount.mountPropagation or "None") != "None":
            yield f"{path}.recursiveReadOnly", "needs mountPropagation None: later mounts would be writable"
