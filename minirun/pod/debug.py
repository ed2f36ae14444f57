"""debug: a container that joins a pod to look around.

Layer: pod. An ephemeral container: no ports, probes, resources or hooks, never
restarted, gone with the pod; it does not change what the pod counts as. It shares
what every member shares, and with ``target`` also the processes of one container,
whose image may have no shell at all. KEP-277. Read ``join.py`` next.
"""

from __future__ import annotations

import os

from minirun.errors import Conflict, InvalidInput
from minirun.pod import events, join, member, node, sandbox
from minirun.pod.manifest.types import Container
from minirun.pod.manifest.validate import validate_ephemeral
from minirun.pod.observed import RUNNING
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.container.prepare import Prepared
    from minirun.pod.join import Host

#: What a debugger is made of where nobody says: small, and with a shell.
IMAGE = "busybox"

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words that somebody minds


def name() -> str:
    """A name for a debugger: ``debugger-x7k2p``, another one every time."""
    return "debugger-" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in os.urandom(5))


def prepare(pod: Host, container: Container) -> Prepared:
    """A place for the ephemeral ``container`` in ``pod``; nothing runs yet.

    Raises InvalidInput for what it cannot have, Conflict where its target does
    not run or the pod has a container of its name, and what ``member.prepared`` does.
    """
    _check(pod, container)
    wish = member.Member(
        record=pod.record,
        container=container,
        sandbox=pod.sandbox,
        context=node.context_of(pod.record, pod.seen.sandbox.addresses if pod.seen.sandbox else ()),
        target=_target(pod, container.targetContainerName),
    )
    prepared = _prepared(pod, wish)
    join.announce(pod, prepared, container, member.image_of(pod.home, container), join.DEBUG)
    events.note_all(pod.home, *events.made(container.name, container.image))
    return prepared


def _prepared(pod: Host, wish: member.Member) -> Prepared:
    """Of two that want the same name at once one gets it. Raises Conflict."""
    name = wish.container.name
    called = sandbox.container_name(pod.record.name, name)
    store = pod.home.store
    if id := store.id_of_name(called):
        from minirun.container import gc  # rarely needed, and it imports a lot

        gc.sweep(store.container(id))  # of a `pod debug` that was killed; one that is at work is left alone
    try:
        return member.prepared(pod.home, wish)
    except Conflict as error:
        if store.id_of_name(called):
            raise join.name_taken(pod, name) from error
        raise


def _check(pod: Host, container: Container) -> None:
    for path, what in validate_ephemeral(container, pod.spec, container.name):
        raise InvalidInput(
            f"pod {pod.record.name} cannot have that ephemeral container",
            f"{path}: {what}",
            "correct that; minirun pod debug --help tells what it can have",
        )


def _target(pod: Host, name: str) -> str:
    """The id of the container whose processes are to be seen; "" for none."""
    if not name:
        return ""
    one = pod.seen.of(name)
    if one.state != RUNNING:
        raise Conflict(
            f"container {name} of pod {pod.record.name} is no target",
            f"it does not run, so it has no processes that could be seen (it is {one.state})",
            "leave out --target, or wait until it runs",
        )
    return one.id
