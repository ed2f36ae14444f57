"""Rules for requests and limits.

Layer: pod; pure. Read next: rules_data.py. Kubernetes, "Resource Management for
Pods and Containers"; KEP-2837 (limits of the pod as a whole).
"""

from __future__ import annotations

from minirun.pod import quantity, resources
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import Container, PodSpec, ResourceRequirements

KNOWN = ("cpu", "memory")
#: Accepted, and not measured: see ``notes``.
NOTED = ("ephemeral-storage",)


def check_container(container: Container, path: str) -> Iterator[Finding]:
    """Requests and limits of one container."""
    if container.resources:
        yield from _requirements(container.resources, f"{path}.resources", KNOWN + NOTED)


def check_pod(spec: PodSpec, path: str) -> Iterator[Finding]:
    """Those of the pod as a whole, and what running it costs (``overhead``)."""
    yield from _amounts(spec.overhead, f"{path}.overhead", KNOWN + NOTED)
    whole = spec.resources
    if whole is None:
        return
    place = f"{path}.resources"
    yield from _requirements(whole, place, KNOWN)
    if whole.claims:
        yield f"{place}.claims", "cannot be given for a pod as a whole: give them to its containers"
    larger = list(_larger(spec, whole, path))
    yield from larger or _sums(spec, whole, place)


def _larger(spec: PodSpec, whole: ResourceRequirements, path: str) -> Iterator[Finding]:
    """Containers with a limit beyond the pod's."""
    for index, container in enumerate(spec.containers):
        limits = container.resources.limits if container.resources else {}
        for name, limit in limits.items():
            if name in whole.limits and _more(limit, whole.limits[name]):
                where = f"{path}.containers[{index}].resources.limits[{name}]"
                yield where, f"{limit} is more than the limit of the pod, {whole.limits[name]}"


def _sums(spec: PodSpec, whole: ResourceRequirements, path: str) -> Iterator[Finding]:
    """What the containers request at one moment fits into what the pod has."""
    try:
        summed = resources.at_one_moment(spec, resources.requests)
    except ValueError:
        return  # an amount is negative, which has been said
    for name, amount in (("cpu", f"{summed.cpu}m"), ("memory", str(summed.memory))):
        for side in ("requests", "limits"):
            given = getattr(whole, side).get(name)
            if given is not None and _more(amount, given):
                yield f"{path}.{side}[{name}]", f"{given} is less than its containers request, {amount}"
                break


def notes(spec: PodSpec, path: str) -> Iterator[Finding]:
    """What is accepted, and not held to."""
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(getattr(spec, kind)):
            for side in ("requests", "limits"):
                for name in NOTED:
                    if container.resources and name in getattr(container.resources, side):
                        why = "nobody measures it here: bound a volume by emptyDir.sizeLimit"
                        yield f"{path}.{kind}[{index}].resources.{side}[{name}]", why


def _requirements(given: ResourceRequirements, path: str, known: tuple[str, ...]) -> Iterator[Finding]:
    for side in ("requests", "limits"):
        yield from _amounts(getattr(given, side), f"{path}.{side}", known)
    for name, request in given.requests.items():
        limit = given.limits.get(name)
        if limit is not None and _more(request, limit):
            yield f"{path}.requests[{name}]", f"{request} is more than the limit, {limit}"


def _amounts(given: dict[str, str], path: str, known: tuple[str, ...]) -> Iterator[Finding]:
    for name, amount in given.items():
        place = f"{path}[{name}]"
        if name not in known:
            why = (
                "huge pages are not handed out here"
                if name.startswith("hugepages-")
                else "nobody here has any"
            )
            yield place, f"refused: {why}: {', '.join(known)} can be given"
        elif quantity.parse(amount)[0] < 0:
            yield place, f"{amount} is negative"


def _more(one: str, other: str) -> bool:
    above, below = quantity.parse(one)
    other_above, other_below = quantity.parse(other)
    return above * other_below > other_above * below
