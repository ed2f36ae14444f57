"""What has become of a pod: its phase, and the state of each container.

Layer: pod. minirun writes these (``pod inspect --format yaml``) and does not
read them. Times are RFC 3339 text. Read next: types_pod.py.
API reference: "PodStatus v1 core".
"""

from __future__ import annotations

from minirun.values import Value


class ContainerStateWaiting(Value):
    """Not running, and not over: why."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(Value):
    """Since when."""

    startedAt: str | None = None


class ContainerStateTerminated(Value):
    """How it ended."""

    exitCode: int
    signal: int | None = None
    reason: str = ""
    message: str = ""
    startedAt: str | None = None
    finishedAt: str | None = None
    containerID: str = ""


class ContainerState(Value):
    """At most one of the three; none means waiting."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Value):
    """One container: what it does now, what its last life came to."""

    name: str
    state: ContainerState = ContainerState()
    lastState: ContainerState = ContainerState()
    ready: bool
    started: bool | None = None
    restartCount: int
    image: str
    imageID: str
    containerID: str = ""


class PodCondition(Value):
    """``status`` is True, False or Unknown, as text."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    lastProbeTime: str | None = None
    lastTransitionTime: str | None = None


class PodIP(Value):
    """An address of the pod."""

    ip: str


class HostIP(Value):
    """An address of the node."""

    ip: str


class PodStatus(Value):
    """The whole of it; ``phase`` is Pending, Running, Succeeded, Failed or Unknown."""

    phase: str = ""
    conditions: tuple[PodCondition, ...] = ()
    message: str = ""
    reason: str = ""
    hostIP: str = ""
    hostIPs: tuple[HostIP, ...] = ()
    podIP: str = ""
    podIPs: tuple[PodIP, ...] = ()
    startTime: str | None = None
    qosClass: str = ""
    initContainerStatuses: tuple[ContainerStatus, ...] = ()
    containerStatuses: tuple[ContainerStatus, ...] = ()
    ephemeralContainerStatuses: tuple[ContainerStatus, ...] = ()
