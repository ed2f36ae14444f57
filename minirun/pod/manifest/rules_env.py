"""Rules for variables, and for what the downward API may tell.

Layer: pod; pure. Read next: rules_volume.py. Kubernetes, "Downward API".
"""

from __future__ import annotations

from minirun.pod import quantity
from minirun.pod.manifest import formats
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import (
        Container,
        ObjectFieldSelector,
        PodSpec,
        ResourceFieldSelector,
    )

_ANYWHERE = ("metadata.name", "metadata.namespace", "metadata.uid")
#: What a variable can hold, and a file cannot: it would have to change while the pod runs.
_VARIABLES = (
    *_ANYWHERE,
    *("spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
_FILES = (*_ANYWHERE, "metadata.labels", "metadata.annotations")
_WITH_KEY = ("metadata.labels", "metadata.annotations")

_RESOURCES = tuple(
    f"{side}.{name}" for side in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage")
)
_CPU_DIVISORS = ("1", "1m")
_BYTE_DIVISORS = tuple(f"1{suffix}" for suffix in ("", *"kMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))


def check(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """The variables of one container."""
    for index, variable in enumerate(container.env):
        place = f"{path}.env[{index}].valueFrom"
        source = variable.valueFrom
        if source is None:
            continue
        if variable.value:
            yield place, "cannot stand beside value: a variable has one source"
        if source.fieldRef:
            yield from field(source.fieldRef, _VARIABLES, f"{place}.fieldRef.fieldPath")
        if source.resourceFieldRef:
            yield from resource(source.resourceFieldRef, spec, f"{place}.resourceFieldRef")


def check_file(
    of_field: ObjectFieldSelector | None, of_resource: ResourceFieldSelector | None, spec: PodSpec, path: str
) -> Iterator[Finding]:
    """One file of a downwardAPI volume; it belongs to no container, so it has to name one."""
    if of_field:
        yield from field(of_field, _FILES, f"{path}.fieldRef.fieldPath")
    if of_resource:
        if not of_resource.containerName:
            yield f"{path}.resourceFieldRef.containerName", "is required in a volume"
        yield from resource(of_resource, spec, f"{path}.resourceFieldRef")


def field(selector: ObjectFieldSelector, known: tuple[str, ...], path: str) -> Iterator[Finding]:
    """``metadata.name``, or ``metadata.labels['KEY']``."""
    base, bracket, key = selector.fieldPath.partition("['")
    if bracket and key.endswith("']"):
        if base not in _WITH_KEY:
            yield path, f"{base} has no keys: only {' and '.join(_WITH_KEY)} have"
        elif wrong := formats.label_key(key[:-2] if base.endswith("labels") else key[:-2].lower()):
            yield path, wrong
    elif selector.fieldPath and selector.fieldPath not in known:
        keyed = f"{_WITH_KEY[0]}['KEY'], {_WITH_KEY[1]}['KEY']"
        yield path, f"{selector.fieldPath!r} cannot be told: it may be {', '.join(known)}, {keyed}"


def resource(selector: ResourceFieldSelector, spec: PodSpec, path: str) -> Iterator[Finding]:
    """``limits.memory`` in units of 1Mi."""
    if selector.resource and selector.resource not in _RESOURCES:
        yield f"{path}.resource", f"{selector.resource!r} is none: it may be {', '.join(_RESOURCES)}"
    names = [container.name for container in (*spec.initContainers, *spec.containers)]
    if selector.containerName and selector.containerName not in names:
        why = f"the pod has no container {selector.containerName!r}: it has {', '.join(names)}"
        yield f"{path}.containerName", why
    units = _CPU_DIVISORS if selector.resource.endswith(".cpu") else _BYTE_DIVISORS
    if selector.divisor and _amount(selector.divisor) not in [(0, 1), *map(quantity.parse, units)]:
        yield f"{path}.divisor", f"{selector.divisor!r} is none: it may be {', '.join(units)}"


def _amount(text: str) -> tuple[int, int]:
    """In lowest terms, so that 1000m is 1."""
    from math import gcd

    above, below = quantity.parse(text)
    common = gcd(above, below)
    return above // common, below // common
