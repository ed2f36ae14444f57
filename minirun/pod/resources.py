"""From what a manifest asks for to what a cgroup is told: CPU and memory.

Layer: pod; pure. A request is what is set aside, a limit is the most; a cgroup
knows them by other names:

    requests.cpu     -> cpu.shares (v2: cpu.weight), counts while others want the CPU too
    limits.cpu       -> cpu.cfs_quota_us in each period (v2: cpu.max), counts always
    limits.memory    -> memory.limit_in_bytes (v2: memory.max)
    requests.memory  -> nothing in the cgroup: the QoS class and oom_score_adj (qos.py)

A pod's sum is not the sum of all its containers: init containers are gone
before the apps come, so what counts is the most that is wanted at one moment.
Kubernetes, "Resource Management for Pods and Containers"; KEP-753 for sidecars,
KEP-2837 for a pod's own ``resources``. The results are OCI's words (spec.py),
which isolation/cgroups turns into writes. Read qos.py next.
"""

from __future__ import annotations

from minirun.pod.quantity import milli, whole
from minirun.pod.restarts import is_sidecar
from minirun.spec import Cpu, Memory, Resources
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.pod.manifest.types import Container, PodSpec, ResourceRequirements

#: Microseconds: a limit of half a CPU is 50000 of these.
PERIOD = 100_000
#: The kernel keeps no fewer shares, and no shorter a quota.
LEAST_SHARES, LEAST_QUOTA = 2, 1000


class Amounts(Value):
    """An amount of each of the two that count; 0 is none."""

    cpu: int = 0
    """In thousandths of a CPU."""
    memory: int = 0
    """In bytes."""


def container_resources(container: Container, oom_group: bool) -> Resources:
    """The limits of one container's cgroup. Raises ValueError for what is no quantity.

    ``oom_group``: the host's memory controller is in cgroup v2, where the OOM
    killer can be told to take all of a container's processes or none
    (memory.oom.group): half a container is not what anyone restarts.
    """
    most = limits(container.resources)
    return Resources(
        cpu=_cpu(shares(requests(container.resources).cpu), most.cpu),
        memory=Memory(limit=most.memory or None),
        unified={"memory.oom.group": "1"} if oom_group else {},
    )


def bounded_resources(spec: PodSpec) -> Resources:
    """The limits of the whole pod's cgroup; quota and memory only if nothing in it is without one."""
    most = pod_limits(spec)
    bounded = _bounded(spec)
    return Resources(
        cpu=_cpu(shares(pod_requests(spec).cpu), most.cpu if bounded.cpu else 0),
        memory=Memory(limit=most.memory if bounded.memory else None),
    )


def shares(cpu: int) -> int:
    """OCI's shares of a request in thousandths: 1024 a CPU."""
    return max(cpu * 1024 // 1000, LEAST_SHARES)


def quota(cpu: int) -> int:
    """Microseconds of each period for a limit in thousandths."""
    return max(cpu * PERIOD // 1000, LEAST_QUOTA)


def _cpu(shares: int, limit: int) -> Cpu:
    if not limit:
        return Cpu(shares=shares)
    return Cpu(shares=shares, quota=quota(limit), period=PERIOD)


def pod_requests(spec: PodSpec) -> Amounts:
    """The most that the pod's containers request at one moment, and its overhead.

    The pod's own ``resources`` stand above what its containers sum up to.
    """
    summed, overhead = requests_of_pod(spec), _amounts(spec.overhead)
    return Amounts(cpu=summed.cpu + overhead.cpu, memory=summed.memory + overhead.memory)


def requests_of_pod(spec: PodSpec) -> Amounts:
    """The same without the overhead: the pod's own; what it does not say is its containers', or its limit."""
    summed = at_one_moment(spec, requests)
    if spec.resources is None:
        return summed
    own, given, most = requests(spec.resources), spec.resources.requests, limits(spec.resources)
    return Amounts(
        cpu=own.cpu if "cpu" in given else summed.cpu or most.cpu,
        memory=own.memory if "memory" in given else summed.memory or most.memory,
    )


def pod_limits(spec: PodSpec) -> Amounts:
    """The most that the pod's containers may use at one moment; overhead widens what is limited."""
    summed, own, overhead = at_one_moment(spec, limits), limits(spec.resources), _amounts(spec.overhead)
    cpu, memory = own.cpu or summed.cpu, own.memory or summed.memory
    return Amounts(cpu=cpu + overhead.cpu if cpu else 0, memory=memory + overhead.memory if memory else 0)


def at_one_moment(spec: PodSpec, of: Callable[[ResourceRequirements | None], Amounts]) -> Amounts:
    """The most of ``of`` at any one time: while an init container runs, or once the apps do.

    ``max(max_i(init_i + earlier sidecars), sidecars + apps)``, for each resource by itself.
    """
    cpu, memory = [], []
    sidecars = Amounts()
    for container in spec.initContainers:
        more = of(container.resources)
        moment = Amounts(cpu=sidecars.cpu + more.cpu, memory=sidecars.memory + more.memory)
        cpu.append(moment.cpu)
        memory.append(moment.memory)
        sidecars = moment if is_sidecar(container) else sidecars
    apps = [of(container.resources) for container in spec.containers]
    cpu.append(sidecars.cpu + sum(app.cpu for app in apps))
    memory.append(sidecars.memory + sum(app.memory for app in apps))
    return Amounts(cpu=max(cpu), memory=max(memory))


def requests(resources: ResourceRequirements | None) -> Amounts:
    """What is set aside: where only a limit is said, that much. Raises ValueError."""
    if resources is None:
        return Amounts()
    return _amounts({**resources.limits, **resources.requests})


def limits(resources: ResourceRequirements | None) -> Amounts:
    """What is the most. Raises ValueError."""
    return _amounts(resources.limits) if resources else Amounts()


def _amounts(given: dict[str, str]) -> Amounts:
    return Amounts(cpu=milli(given.get("cpu", "0")), memory=whole(given.get("memory", "0")))


class _Bounded(Value):
    cpu: bool
    memory: bool


def _bounded(spec: PodSpec) -> _Bounded:
    """Whether each container has a limit, or the pod as a whole."""
    own = limits(spec.resources)
    each = [limits(container.resources) for container in (*spec.initContainers, *spec.containers)]
    return _Bounded(
        cpu=bool(own.cpu) or all(most.cpu for most in each),
        memory=bool(own.memory) or all(most.memory for most in each),
    )
