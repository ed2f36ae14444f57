"""What the status of a pod that has ended says of containers that never did.

Layer: pod; pure. No container of such a pod is said to wait: one that should have
run and did not has failed, or a pod would look better than it was. But where the
init containers were not through, nobody had expected the apps, and they stay
``PodInitializing``: the init container that failed tells it all. The kubelet's rule
(status manager, "TerminatePod"). Read ``status.py`` first.
"""

from __future__ import annotations

from minirun.pod.manifest.types_status import ContainerState, ContainerStateTerminated, ContainerStatus
from minirun.values import replace

#: Nobody has seen how it ended; the kubelet's word, number and sentence.
UNKNOWN = ContainerState(
    terminated=ContainerStateTerminated(
        exitCode=137,
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
    )
)

Statuses = tuple[ContainerStatus, ...]


def settled(inits: Statuses, apps: Statuses) -> tuple[Statuses, Statuses]:
    """The statuses of the init containers and the apps of a pod whose phase is final."""
    if _were_initialized(inits, apps):
        apps = tuple(map(_terminated, apps))
    begun = max((at for at, each in enumerate(inits) if _was_begun(each)), default=0) + 1
    return (*map(_terminated, inits[:begun]), *inits[begun:]), apps


def _terminated(one: ContainerStatus) -> ContainerStatus:
    return one if one.state.terminated else replace(one, state=UNKNOWN)


def _was_begun(one: ContainerStatus) -> bool:
    return one.state.waiting is None or one.lastState.terminated is not None


def _were_initialized(inits: Statuses, apps: Statuses) -> bool:
    """Whether the apps were to run: nothing comes before them, one did, or the last before them was done."""
    if not inits or any(map(_was_begun, apps)):
        return True
    ends = (inits[-1].state.terminated, inits[-1].lastState.terminated)
    return any(end is not None and not end.exitCode for end in ends)
