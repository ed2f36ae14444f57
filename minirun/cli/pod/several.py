"""Commands over several pods: one that fails does not stop the others.

Layer ``cli``. As ``cli/several.py`` for containers. Whoever asks for a pod also
sees to it that it is looked after: the process that did so may have been killed.
"""

from __future__ import annotations

import sys

from minirun.container.state import Store
from minirun.errors import MinirunError, NotFound, UsageError
from minirun.pod import supervise
from minirun.pod.state import Pods
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from minirun.cli.settings import Settings
    from minirun.pod.manifest.read import Documents
    from minirun.pod.state import PodHome


def pods_of(settings: Settings) -> Pods:
    """The pods of the store that the command line names."""
    return Pods(store=Store(root=settings.root, state=settings.state))


def find(settings: Settings, name: str) -> PodHome:
    """The pod of that name, looked after. Raises NotFound, Conflict."""
    home = pods_of(settings).find(name.removeprefix("pod/"))
    supervise.resume(home)
    return home


def named(pods: Pods, name: str) -> PodHome | None:
    """The pod of exactly that name: the uid of another one may begin with the same letters."""
    try:
        home = pods.find(name)
        return home if home.record().name == name else None
    except NotFound:
        return None


def chosen(settings: Settings, names: Sequence[str], everything: bool, command: str) -> list[str]:
    """The pods that were named, or all of them. Raises UsageError unless it is one of the two."""
    if everything:
        if names:
            raise UsageError(
                f"pod {command}: --all and names contradict each other", "all are all", "leave one out"
            )
        return [home.uid for _, home in by_name(pods_of(settings))]
    if not names:
        raise UsageError(
            f"pod {command}: no pod is named",
            f"it is used like this: minirun pod {command} [OPTIONS] PODS...",
            "name one, or say --all; `minirun pod ps` lists them",
        )
    return list(names)


def by_name(pods: Pods) -> list[tuple[str, PodHome]]:
    """All pods that there are, with their names, in the order of these."""
    found = []
    for home in pods:
        try:
            found.append((home.record().name, home))
        except NotFound:
            continue  # removed while we looked
    return sorted(found, key=lambda pair: pair[0])


def left_over(pods: Pods, found: Documents) -> list[tuple[str, PodHome]]:
    """Pods of a Deployment of the file which that asks for no longer, with their names, the last first."""
    if not found.owners:
        return []
    wanted = {pod.metadata.name for pod in found.pods}
    left = []
    for name, home in by_name(pods):
        try:
            record = home.record()
        except NotFound:
            continue  # removed while we looked
        owners = [(one.kind, record.namespace, one.name) for one in record.pod.metadata.ownerReferences]
        if name not in wanted and any(one in found.owners for one in owners):
            left.append((name, home))
    return left[::-1]


def homes_of(settings: Settings, names: Iterable[str]) -> list[PodHome]:
    """The pods of those names that there are."""
    pods = pods_of(settings)
    found = []
    for name in names:
        try:
            found.append(pods.find(name.removeprefix("pod/")))
        except MinirunError:
            continue  # it is complained of when its turn comes
    return found


def each(
    settings: Settings, names: Iterable[str], work: Callable[[PodHome], object], missing: bool = False
) -> int:
    """Does ``work`` for each pod, then says its name; the exit code.

    ``missing`` says that one which is not there is no error.
    """
    pods = pods_of(settings)
    code = 0
    for wanted in names:
        try:
            home = pods.find(wanted.removeprefix("pod/"))
            name = home.record().name
            work(home)
        except MinirunError as error:
            if missing and isinstance(error, NotFound):
                continue
            code = report(error, code)
        else:
            print(name, flush=True)
    return code


def report(error: MinirunError, code: int = 0) -> int:
    """Says on stderr what is wrong with one of several; the exit code: ``code``, if one was before."""
    sys.stdout.flush()
    print(f"minirun: {error}", file=sys.stderr, flush=True)
    return code or error.exit_code
