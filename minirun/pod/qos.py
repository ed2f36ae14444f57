"""The QoS class of a pod, and what follows from it: its cgroup, and who is killed first.

Layer: pod; pure. Nobody asks for a class: it is read off requests and limits.

    BestEffort   no CPU or memory is said anywhere
    Guaranteed   every container limits both, and requests as much
    Burstable    anything between

The class places the pod in the tree, above which each class shares as one:

    kubepods/<pod>               Guaranteed
    kubepods/burstable/<pod>     shares: what its pods request
    kubepods/besteffort/<pod>    shares: 2, the least

and tells the kernel's OOM killer whom to take first (proc_pid_oom_score_adj(5)).
Kubernetes, "Pod Quality of Service Classes". Read resources.py first.
"""

from __future__ import annotations

from minirun.pod.resources import (
    LEAST_SHARES,
    Amounts,
    at_one_moment,
    bounded_resources,
    limits,
    pod_requests,
    requests,
    requests_of_pod,
    shares,
)
from minirun.pod.restarts import is_sidecar
from minirun.spec import Cpu, Resources
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minirun.pod.manifest.types import Container, PodSpec

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"

#: oom_score_adj: of pause, of the classes; a Burstable one stays strictly between the two.
PAUSE_OOM_SCORE, GUARANTEED_OOM_SCORE, BEST_EFFORT_OOM_SCORE = -998, -997, 1000


def qos_class(spec: PodSpec) -> str:
    """The class. Only CPU and memory count, zeros do not, nor do ephemeral containers."""
    everyone = [container.resources for container in (*spec.initContainers, *spec.containers)]
    asked = [(requests(resources), limits(resources)) for resources in everyone]
    if _says(requests(spec.resources)) or _says(limits(spec.resources)):
        asked = [(requests_of_pod(spec), limits(spec.resources))]  # the pod's own stand for all of them
    if not any(_says(request) or _says(limit) for request, limit in asked):
        return BEST_EFFORT
    if all(limit.cpu and limit.memory and request == limit for request, limit in asked):
        return GUARANTEED
    return BURSTABLE


def _says(amounts: Amounts) -> bool:
    return bool(amounts.cpu or amounts.memory)


def cgroup_parent(qos: str) -> str:
    """The group that a class's pods are in, relative to where the tree is rooted."""
    return {BURSTABLE: "kubepods/burstable", BEST_EFFORT: "kubepods/besteffort"}.get(qos, "kubepods")


def cgroup_path(qos: str, uid: str) -> str:
    """The pod's own group, relative like its parent."""
    return f"{cgroup_parent(qos)}/pod{uid}"


def pod_resources(spec: PodSpec) -> Resources:
    """The limits of the pod's own group. Raises ValueError for what is no quantity."""
    if qos_class(spec) == BEST_EFFORT:
        return Resources(cpu=Cpu(shares=LEAST_SHARES))
    return bounded_resources(spec)


def parent_resources(qos: str, pods: Iterable[PodSpec]) -> Resources:
    """The shares of a class's group, from all ``pods`` of that class that there are."""
    if qos == BURSTABLE:
        return Resources(cpu=Cpu(shares=shares(sum(pod_requests(pod).cpu for pod in pods))))
    return Resources(cpu=Cpu(shares=LEAST_SHARES)) if qos == BEST_EFFORT else Resources()


def oom_score_adj(spec: PodSpec, container: Container, capacity: int) -> int:
    """How readily the OOM killer takes the container, on a machine with ``capacity`` bytes.

    The more of the memory it has requested the safer it is. A sidecar is never
    taken before the app that it serves.
    """
    qos = qos_class(spec)
    if qos != BURSTABLE:
        return GUARANTEED_OOM_SCORE if qos == GUARANTEED else BEST_EFFORT_OOM_SCORE
    spread = _spread(spec)
    score = _score(requests(container.resources).memory + spread, capacity)
    if any(container.name == init.name and is_sidecar(init) for init in spec.initContainers):
        least = min(requests(app.resources).memory for app in spec.containers)
        score = min(score, _score(least + spread, capacity))
    return min(max(score, 1000 + GUARANTEED_OOM_SCORE), BEST_EFFORT_OOM_SCORE - 1)


def _score(memory: int, capacity: int) -> int:
    return 1000 - 1000 * memory // capacity


def _spread(spec: PodSpec) -> int:
    """What each container has of the pod's own request, beyond what they request themselves."""
    if not spec.resources:
        return 0
    beyond = requests_of_pod(spec).memory - at_one_moment(spec, requests).memory
    return max(beyond, 0) // (len(spec.initContainers) + len(spec.containers))
