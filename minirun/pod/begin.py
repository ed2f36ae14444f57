"""Beginning a run of a container: its process is made, and its program started.

Layer: pod. The one deed (deeds.py) that takes its time: in two halves, so that
containers which start together do not wait for each other. What was begun by a
supervisor that was killed is cleared away first; what cannot be made becomes a
Problem, and is tried again later (backoff.py). Read ``member.py`` next.
"""

from __future__ import annotations

import time

from minirun.container import remove, wait
from minirun.errors import MinirunError
from minirun.pod import events, member, sandbox
from minirun.pod.locks import Alone
from minirun.pod.observe import LOST
from minirun.pod.observed import CREATED, RUNNING, STARTING, Seen
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.container.prepare import Prepared
    from minirun.container.state import Store
    from minirun.pod.actions import StartContainer
    from minirun.pod.deeds import Deeds
    from minirun.pod.manifest.types import Container
    from minirun.pod.observed import Ended

#: Waiting reasons: the names of what kept a container from being made; and what the container layer refuses.
_REASONS = ("CreateContainerConfigError", "ErrImageNeverPull", "ErrImagePull", "InvalidImageName")
_NOT_MADE = "CreateContainerError"


def begin(deeds: Deeds, action: StartContainer) -> Iterator[None]:
    """Has its process made; comes back then, and goes on when it is to be waited for."""
    name, store = action.name, deeds.home.store
    before = deeds.seen.of(name)
    if before.state == CREATED:
        _open_gate(store, before)
        return
    _forget(store, before.last)
    _bury(store, before.ended)
    starting = Seen(
        state=STARTING,
        sandbox=action.sandbox,
        restarts=action.restarts,
        streak=action.streak,
        startedAt=time.time(),
        last=before.ran,
    )
    deeds.put(name, starting)
    container = deeds.container(name)
    wish = member.Member(
        record=deeds.record,
        container=container,
        sandbox=deeds.seen.sandbox.id if deeds.seen.sandbox else "",
        context=deeds.context(),
        attempt=action.restarts,
    )
    try:
        # Only the supervisor may: whoever has begun it is dead.
        sandbox.clear(deeds.home, sandbox.container_name(deeds.record.name, name, action.restarts))
        with member.prepared(deeds.home, wish) as made:
            events.note_all(deeds.home, *events.made(name, container.image))
            deeds.note(name, id=made.home.id, imageID=made.record.imageId)
            deeds.save()
            yield from _launch(made)
    except (MinirunError, OSError) as error:
        _did_not_start(deeds, container, before, error)
        return
    deeds.note(name, state=RUNNING)
    events.note_all(deeds.home, events.started(name))


def _launch(made: Prepared) -> Iterator[None]:
    client = member.begin(made)
    try:
        with Alone(made.lock.fd, client.fileno()):  # the next one's processes are not to hold them
            yield
        member.until_started(client)
    finally:
        client.close()


def _did_not_start(deeds: Deeds, container: Container, before: Seen, error: MinirunError | OSError) -> None:
    name = container.name
    now = deeds.seen.of(name)
    home = deeds.home.store.container(now.id) if now.id else None
    if home and home.exists():
        # Its program could not be executed: it is there, and has ended.
        wait.until_recorded(home)
        deeds.event("Warning", "Failed", f"Error: {events.said(error)}", name)
        return
    # There is no container, so nothing has ended: whatever its policy, it waits to be made.
    word = type(error).__name__
    kind = word if word in _REASONS else _NOT_MADE
    deeds.put(name, replace(before, problem=events.problem_of(before.problem, kind, error)))
    if kind == "ErrImageNeverPull":
        deeds.event("Warning", kind, events.said(error), name)
    else:
        deeds.event("Warning", "Failed", f"Error: {events.said(error)}", name)


def _open_gate(store: Store, seen: Seen) -> None:
    from minirun.container import start

    try:
        client, _ = start.start(store.container(seen.id))
    except (MinirunError, OSError):
        return  # its maker's child has taken it back, also under our hands, or it runs: the next look tells
    try:
        start.wait_started(client)
    except MinirunError:
        pass  # it is recorded as its end
    finally:
        client.close()


def _forget(store: Store, ended: Ended | None) -> None:
    """Removes the container of the run before the last: one end is kept, for `logs --previous`."""
    if ended and ended.id:
        home = store.container(ended.id)
        if home.exists():
            remove.remove(home, force=True, volumes=True)


def _bury(store: Store, ended: Ended | None) -> None:
    """Ends what may be left of a run whose end nobody saw: it stays, for `logs --previous`."""
    if ended and ended.id and ended.reason == LOST:
        from minirun.container import gc  # rarely needed, and it imports a lot

        gc.sweep(store.container(ended.id))
