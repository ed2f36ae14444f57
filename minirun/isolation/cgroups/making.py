"""Makes a group at once, for those that hold no container's plan: a pod's, a fence's.

Part of ``isolation/cgroups``. The groups above are shared and go with the last
that is in them (``members.remove_parents``), so a parent may be lost between its
mkdir and ours; then it is all done once more. A container's own plan has its way
of doing so, in container/create.py. cgroups(7).
"""

from __future__ import annotations

from minirun.errors import StepFailed
from minirun.isolation import cgroups
from minirun.linux import cgroup
from minirun.steps import HOST, Walk
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minirun.isolation.cgroups.layout import Layout
    from minirun.spec import Resources
    from minirun.steps import Step

#: How often it is begun anew. Each time somebody else has got on, so it ends sooner.
TRIES = 32


def make(path: str, resources: Resources, layout: Layout) -> None:
    """Makes the group ``path`` below each hierarchy, with its limits; all of it or nothing.

    Raises StepFailed, Unsupported for a limit that this host does not have.
    """
    walked(lambda: cgroups.group_steps(path, resources, layout))


def walked(plan: Callable[[], Iterable[Step]]) -> Walk:
    """Does the host's steps of what ``plan`` gives, and gives the walk; all of it or nothing.

    ``plan`` is asked anew when a group above was lost. Raises as ``make``.
    """
    for left in reversed(range(TRIES)):
        walk = Walk(list(plan()), HOST)
        try:
            walk.run()
            return walk
        except BaseException as error:
            walk.undo()
            if not left or not lost(error):
                raise
    raise AssertionError("the last try returns or raises")


def lost(error: BaseException) -> bool:
    """Whether a step failed because a group on its way was removed meanwhile."""
    cause = error.__cause__
    return isinstance(error, StepFailed) and isinstance(cause, OSError) and cgroup.is_gone(cause)
