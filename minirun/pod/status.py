"""A pod's status as Kubernetes writes it below ``status:`` of the manifest.

Layer: pod; pure: made from what is observed, whenever somebody asks, and stored
by nobody. ``plain(pod_status(...))`` is the dict for YAML and JSON. The rows of
a container's state:

    never begun, being made, postStart not over   waiting: ContainerCreating, PodInitializing
    could not be made                             waiting: ErrImagePull, ImagePullBackOff ...
    ended, and it is waited before the restart    waiting: CrashLoopBackOff
    up                                            running
    ended                                         terminated: Completed, Error, OOMKilled ...
    the pod has ended, and it never ran           finished.py

API reference: "PodStatus v1 core". Read columns.py next, which makes one line of it.
"""

from __future__ import annotations

from minirun.pod import health
from minirun.pod.backoff import delay, next_start, next_streak, next_try
from minirun.pod.conditions import conditions
from minirun.pod.ending import ending
from minirun.pod.finished import settled
from minirun.pod.manifest.types_status import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    PodIP,
    PodStatus,
)
from minirun.pod.observed import EXITED, Ended, Observed, Problem, Seen
from minirun.pod.phase import phase
from minirun.pod.qos import qos_class
from minirun.pod.restarts import is_sidecar, restarts
from minirun.pod.times import rfc3339
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.manifest.types import Container, Pod, PodSpec

#: What stands before a container's id in ``containerID``.
SCHEME = "minirun://"
#: Bytes of all termination messages of a pod together; each container has an equal part.
MESSAGES = 12 * 1024


def pod_status(pod: Pod, seen: Observed, now: float, host: tuple[str, ...] = ()) -> PodStatus:
    """The status of ``pod``; ``host`` are the addresses of this machine, the first one first."""
    spec, addresses = pod.spec, seen.sandbox.addresses if seen.sandbox else ()
    end = ending(spec, seen, now)

    def each(containers: tuple[Container, ...]) -> tuple[ContainerStatus, ...]:
        return tuple(_container(pod, container, seen, now, bool(end)) for container in containers)

    inits, apps = each(spec.initContainers), each(spec.containers)
    if seen.phase:
        inits, apps = settled(inits, apps)
    return PodStatus(
        phase=phase(spec, seen),
        conditions=conditions(spec, seen),
        reason=seen.reason,
        message=seen.message,
        hostIP=host[0] if host else "",
        hostIPs=tuple(HostIP(ip=address) for address in host),
        podIP=addresses[0] if addresses else "",
        podIPs=tuple(PodIP(ip=address) for address in addresses),
        startTime=rfc3339(seen.startedAt),
        qosClass=qos_class(spec),
        initContainerStatuses=inits,
        containerStatuses=apps,
        ephemeralContainerStatuses=each(spec.ephemeralContainers),
    )


def _container(pod: Pod, container: Container, seen: Observed, now: float, ends: bool) -> ContainerStatus:
    run = seen.of(container.name)
    spec = pod.spec
    state = state_of(spec, container, run, now, ends, f"{pod.metadata.name}({pod.metadata.uid})")
    # What is terminated now is no last state yet.
    last = run.last if state.terminated or run.state != EXITED else run.ended
    sandbox = seen.sandbox.attempt if seen.sandbox else 0
    is_task = container in spec.initContainers and not is_sidecar(container)
    return ContainerStatus(
        name=container.name,
        state=state,
        lastState=ContainerState(terminated=_terminated(spec, last)) if last else ContainerState(),
        ready=health.is_complete(run, sandbox) if is_task else health.is_ready(container, run),
        started=health.is_started(container, run),
        restartCount=run.restarts,
        image=container.image,
        imageID=run.imageID,
        containerID=SCHEME + run.id if run.id else "",
    )


def state_of(
    spec: PodSpec, container: Container, run: Seen, now: float, ends: bool = False, pod: str = ""
) -> ContainerState:
    """Waiting, running or terminated. ``ends``: nothing is started any more."""
    if health.is_up(container, run):
        return ContainerState(running=ContainerStateRunning(startedAt=rfc3339(run.startedAt)))
    if run.problem and not (ends and run.ended):
        return ContainerState(waiting=_problem(container, run.problem, now))
    if run.state != EXITED or not run.ended:
        reason = "PodInitializing" if spec.initContainers else "ContainerCreating"
        return ContainerState(waiting=ContainerStateWaiting(reason=reason))
    ended = run.ended
    again = not ends and restarts(spec, container, ended)
    if again and next_start(run.streak, ended.startedAt, ended.finishedAt, now) > now:
        streak = next_streak(run.streak, ended.startedAt, ended.finishedAt) - 1
        said = f"back-off {delay(streak):.0f}s restarting failed container={container.name} pod={pod}"
        return ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff", message=said))
    return ContainerState(terminated=_terminated(spec, ended))


#: What a pull is said to be while it is waited before the next one.
PULL_BACKOFF = {"ErrImagePull": "ImagePullBackOff"}


def _problem(container: Container, problem: Problem, now: float) -> ContainerStateWaiting:
    # The first failure is shown as what it is, until it has been tried again.
    backs_off = problem.tries > 1 and next_try(problem.tries, problem.at, now) > now
    reason = PULL_BACKOFF.get(problem.reason, "") if backs_off else ""
    if not reason:
        return ContainerStateWaiting(reason=problem.reason, message=problem.message)
    said = f'Back-off pulling image "{container.image}": {problem.message}'
    return ContainerStateWaiting(reason=reason, message=said)


def _terminated(spec: PodSpec, ended: Ended) -> ContainerStateTerminated:
    most = MESSAGES // len((*spec.containers, *spec.initContainers, *spec.ephemeralContainers))
    return ContainerStateTerminated(
        exitCode=ended.exitCode,
        signal=ended.signal or None,
        reason=ended.reason or ("Error" if ended.exitCode else "Completed"),
        message=ended.message.encode()[:most].decode(errors="ignore"),
        startedAt=rfc3339(ended.startedAt),
        finishedAt=rfc3339(ended.finishedAt),
        containerID=SCHEME + ended.id if ended.id else "",
    )
