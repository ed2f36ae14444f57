"""Containers that a command has put into a running pod: how the pod takes notice of them.

Layer: pod. ``pod debug`` and ``run --pod`` make their container themselves (join.py),
so that they are attached to it before its program starts. The supervisor hears of
it by a wish, counts it among the ephemeral containers (stopped with the others,
never restarted), and forgets it when somebody has removed it.
"""

from __future__ import annotations

import time

from minirun.pod.observed import EXITED, STARTING, Seen
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.container.state import Store
    from minirun.pod.observed import Observed
    from minirun.pod.state import Joined, Progress


def taken_up(progress: Progress, new: Joined) -> Progress:
    """``progress`` once ``new`` is one of the pod's containers; of that name there is one."""
    name = new.container.name
    others = tuple(one for one in progress.ephemeral if one.name != name)
    one = Seen(
        state=STARTING,
        joined=new.by,
        sandbox=new.sandbox,
        id=new.id,
        imageID=new.imageID,
        startedAt=time.time(),
    )
    seen = replace(progress.seen, containers={**progress.seen.containers, name: one})
    return replace(progress, ephemeral=(*others, new.container), seen=seen)


def removed(store: Store, seen: Observed) -> list[str]:
    """Those of which nothing is left to tell: they have ended, and are not there any more."""
    return [
        name
        for name, one in seen.containers.items()
        if one.joined and one.state == EXITED and not store.container(one.id).exists()
    ]


def without(progress: Progress, names: list[str]) -> Progress:
    """``progress`` without the containers ``names``."""
    kept = {name: one for name, one in progress.seen.containers.items() if name not in names}
    left = tuple(one for one in progress.ephemeral if one.name not in names)
    return replace(progress, ephemeral=left, seen=replace(progress.seen, containers=kept))
