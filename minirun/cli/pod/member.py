"""Which container of a pod a command means, and where that one is.

Layer ``cli``; for exec, attach, logs. A container that was named; else the one that
the pod names as its default; else the first, and the user is told.
"""

from __future__ import annotations

import sys

from minirun.errors import Conflict, NotFound
from minirun.pod.status import SCHEME
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.view import View
    from minirun.container.state import Home
    from minirun.pod.manifest.types import ContainerStatus

#: The annotation by which a pod names its default container; kubectl's own.
DEFAULT = "kubectl.kubernetes.io/default-container"


def container_name(seen: View, wanted: str) -> str:
    """The container that is meant. Raises NotFound for one that the pod does not have."""
    names = [one.name for one in seen.containers]
    if wanted:
        if wanted not in names:
            raise NotFound(
                f"pod {seen.record.name} has no container {wanted}",
                f"it has {', '.join(names)}",
                "name one of them: -c NAME",
            )
        return wanted
    default = seen.record.pod.metadata.annotations.get(DEFAULT, "")
    if default in names:
        return default
    first = seen.spec.containers[0].name
    if len(names) > 1:
        listed = [*(one.name for one in seen.spec.containers)]
        listed += [f"{one.name} (init)" for one in seen.spec.initContainers]
        listed += [f"{one.name} (ephem)" for one in seen.spec.ephemeralContainers]
        print(f'Defaulted container "{first}" out of: {", ".join(listed)}', file=sys.stderr, flush=True)
    return first


def status_of(seen: View, name: str) -> ContainerStatus:
    """What has become of the container."""
    found = seen.status
    everybody = (
        *found.initContainerStatuses,
        *found.containerStatuses,
        *found.ephemeralContainerStatuses,
    )
    return next(each for each in everybody if each.name == name)


def running(seen: View, name: str, wish: str) -> Home:
    """The container, which runs. Raises Conflict, about ``wish``, when it does not."""
    state = status_of(seen, name).state
    run = seen.seen.of(name)
    home = seen.home.store.container(run.id) if run.id else None
    if home is None or run.state != "running":
        raise Conflict(
            f"cannot {wish} container {name} of pod {seen.record.name}",
            f"it does not run: {word(state.waiting, state.terminated)}",
            f"minirun pod ps, and minirun pod events {seen.record.name}, say more",
        )
    return home


def word(waiting: object, terminated: object) -> str:
    """``ContainerCreating``, ``Error (exit code 3)``: why a container does not run."""
    if waiting is not None:
        said = [getattr(waiting, "reason", ""), getattr(waiting, "message", "")]
        return ": ".join(filter(None, said)) or "it waits"
    if terminated is not None:
        return f"{getattr(terminated, 'reason', '')} (exit code {getattr(terminated, 'exitCode', '')})"
    return "it was never started"


def id_of(container_id: str) -> str:
    """The id in a status's containerID."""
    return container_id.removeprefix(SCHEME)
