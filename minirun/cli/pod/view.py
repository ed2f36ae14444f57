"""A pod as it is now: what was asked for, what is seen, and its status in Kubernetes' words.

Layer ``cli``; read by ps, inspect, logs, wait ... Everything is observed anew at
each look, and nothing is changed by it.
"""

from __future__ import annotations

import time

from minirun.errors import MinirunError
from minirun.pod.manifest.types import Container, ObjectMeta, Pod, PodSpec, PodStatus
from minirun.pod.observe import look, spec_of
from minirun.pod.observed import Observed
from minirun.pod.state import PodRecord
from minirun.pod.status import pod_status
from minirun.pod.times import rfc3339
from minirun.values import TYPE_CHECKING, Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minirun.pod.state import PodHome


class View(Value):
    """One look at a pod."""

    home: PodHome
    record: PodRecord
    spec: PodSpec
    """With the containers that `pod debug` added."""
    seen: Observed
    status: PodStatus
    now: float

    @property
    def containers(self) -> tuple[Container, ...]:
        """Every container, in the order in which they are started."""
        return (*self.spec.initContainers, *self.spec.containers, *self.spec.ephemeralContainers)


def view(home: PodHome, host: tuple[str, ...] = ()) -> View:
    """A look at the pod; ``host`` are the machine's addresses. Raises NotFound when it is gone."""
    record = home.record()
    progress = home.progress()
    seen = look(home, progress.seen)
    spec = spec_of(home, progress)
    now = time.time()
    status = pod_status(replace(record.identified, spec=spec), seen, now, host)
    return View(home=home, record=record, spec=spec, seen=seen, status=status, now=now)


def views(homes: Iterable[PodHome]) -> Iterator[View]:
    """A look at each, but for those that are removed meanwhile."""
    for home in homes:
        try:
            yield view(home)
        except MinirunError:
            if home.exists():
                raise


def manifest(seen: View) -> Pod:
    """The pod with its status, as an API server would show it."""
    record, deletion = seen.record, seen.seen.deletion
    given: ObjectMeta = record.pod.metadata
    metadata = replace(
        given,
        namespace=record.namespace,
        uid=record.uid,
        creationTimestamp=rfc3339(record.created),
        deletionTimestamp=rfc3339(deletion.at + deletion.grace) if deletion else None,
        deletionGracePeriodSeconds=int(deletion.grace) if deletion else None,
    )
    return Pod(metadata=metadata, spec=seen.spec, status=seen.status)
