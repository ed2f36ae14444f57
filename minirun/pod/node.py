"""The machine that the pods are on, as they are told of it.

Layer: pod. What a kubelet knows of its node: a name, addresses, capacity; and of
its cgroups the groups that hold all pods of one class. Read ``sandbox.py`` next.
"""

from __future__ import annotations

import os

from minirun.errors import StepFailed
from minirun.isolation import cgroups
from minirun.isolation.cgroups.layout import layout
from minirun.linux import cgroup
from minirun.pod import qos
from minirun.pod.downward import Context, Node
from minirun.steps import HOST, Walk
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from minirun.isolation.cgroups.tree import Group
    from minirun.pod.manifest.types import ConfigMap, Pod, PodSpec, Secret
    from minirun.pod.state import PodRecord

    D = TypeVar("D", ConfigMap, Secret)

#: Below each hierarchy: what minirun may make groups in.
_TOP = "/minirun"


def node(addressed: bool = True) -> Node:
    """This machine; without its addresses unless it is to be ``addressed``."""
    return Node(
        name=os.uname().nodename.lower(),
        addresses=addresses() if addressed else (),
        capacity=capacity(),
    )


def context_of(record: PodRecord, addresses: tuple[str, ...] = ()) -> Context:
    """What the pod's manifest may refer to: itself, the data of its namespace, the machine, its addresses."""
    return Context(
        pod=record.identified,
        config_maps={one.metadata.name: one for one in _near(record.config_maps, record.namespace)},
        secrets={one.metadata.name: one for one in _near(record.secrets, record.namespace)},
        node=node(addressed=_asks_for_host(record.pod.spec)),
        addresses=addresses,
    )


def _near(data: Sequence[D], namespace: str) -> list[D]:
    """What is in the pod's namespace, behind what says none; of a name the last one counts.

    That of another namespace is not meant, whatever its name. What says none is
    where `kubectl -n` would put it.
    """
    anywhere = [one for one in data if not one.metadata.namespace]
    return anywhere + [one for one in data if one.metadata.namespace == namespace]


def _asks_for_host(spec: PodSpec) -> bool:
    """Whether any container is told the machine's addresses: it takes time to find them out."""
    containers = (*spec.initContainers, *spec.containers, *spec.ephemeralContainers)
    sources = (each.valueFrom for container in containers for each in container.env if each.valueFrom)
    return any(one.fieldRef and one.fieldRef.fieldPath.startswith("status.hostIP") for one in sources)


def capacity() -> dict[str, str]:
    """CPUs, bytes of memory and of the root file system, as quantities."""
    disk = os.statvfs("/")
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": str(memory()),
        "ephemeral-storage": str(disk.f_frsize * disk.f_blocks),
    }


def memory() -> int:
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def addresses() -> tuple[str, ...]:
    """By which the host is reached: those of the interfaces of its default routes, IPv4 first.

    Where there is no such route, those of all interfaces; the loopback's leads a pod to itself.
    """
    from minirun.linux import netlink_listing as listing

    out = {way.index for way in listing.routes() if way.destination in ("0.0.0.0/0", "::/0")}
    found = [(one.index, one.address.partition("/")[0]) for one in listing.addresses()]
    lasting = [one for one in found if not one[1].startswith(("fe80:", "127.")) and one[1] != "::1"]
    chosen = [one for one in lasting if one[0] in out] or lasting
    return tuple(sorted((one for _, one in chosen), key=lambda one: ":" in one)) or ("127.0.0.1",)


def group_path(pod: Pod, uid: str) -> str:
    """The pod's group below each hierarchy."""
    return f"{_TOP}/{qos.cgroup_path(qos.qos_class(pod.spec), uid)}"


def make_group(path: str, spec: PodSpec) -> None:
    """Makes a pod's group with its limits, if it is not there. Raises StepFailed, Unsupported."""
    resources = qos.pod_resources(spec)
    if not _is_whole(cgroups.group(path, resources, layout())):
        cgroups.make(path, resources, layout())
        return
    # Its maker may have been killed before the limits were written.
    Walk(list(cgroups.limit(cgroups.group(path, resources, layout()), resources, layout())), HOST).run()


def _is_whole(group: Group) -> bool:
    """Whether it has all its directories. Those of a half-made one are removed."""
    there = [place for place in group.directories if os.path.isdir(place)]
    if len(there) < len(group.directories):
        cgroups.remove(there)
    return len(there) == len(group.directories)


def members(kind: str) -> list[str]:
    """The uids of the pods of a class."""
    top = next((tree for tree in (layout().v1.get("cpu"), layout().v2) if tree), "")
    below = cgroup.children(f"{top}{_TOP}/{qos.cgroup_parent(kind)}")
    names = [os.path.basename(each) for each in below]
    return [name.removeprefix("pod") for name in names if name.startswith("pod")]


def share(kind: str, specs: Sequence[PodSpec]) -> None:
    """Writes what a class of pods has of the CPU, ``specs`` being in it. Gone is fine."""
    if kind == qos.GUARANTEED or not specs:
        return
    resources = qos.parent_resources(kind, specs)
    made = cgroups.group(f"{_TOP}/{qos.cgroup_parent(kind)}", resources, layout())
    try:
        Walk(list(cgroups.limit(made, resources, layout())), HOST).run()
    except StepFailed as error:
        if not cgroups.lost(error):
            raise


def parents() -> list[str]:
    """The directories that pods' groups are made in, of each tree and class."""
    where = layout()
    tops = [f"{tree}{_TOP}/" for tree in dict.fromkeys((where.v2, *where.v1.values())) if tree]
    kinds = [qos.cgroup_parent(kind) for kind in (qos.BEST_EFFORT, qos.BURSTABLE, qos.GUARANTEED)]
    return [top + kind for kind in kinds for top in tops]


def remove_group(uid: str) -> None:
    """Ends what is in a pod's group, and removes it and those above that nobody is in; gone is fine."""
    places = [f"{parent}/pod{uid}" for parent in parents()]
    found = [place for place in places if os.path.isdir(place)]
    cgroups.kill(found)
    cgroups.remove(found)
    cgroups.remove_parents(places)
