"""``minirun pod stats``: what pods and their containers use, from their cgroups."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.cli.pod.view import View
    from minirun.cli.settings import Settings
    from minirun.isolation.cgroups.accounting import Usage
    from minirun.pod.state import PodHome

_COLUMNS = [
    ("POD", "pod"),
    ("CONTAINER", "container"),
    ("CPU %", "cpu"),
    ("MEM USAGE / LIMIT", "memory_shown"),
    ("MEM %", "memory_share"),
    ("PIDS", "pids"),
]
#: Seconds between two readings of the CPU time: of the first two, and of those to come.
_FIRST, _EVERY = 0.25, 1.0


@click.command()
@click.option("--no-stream", is_flag=True, help="Once, and no more.")
@click.option("--format", "form", default=None, help="table, json, or fields such as '{{.CPU}}'.")
@click.argument("pods", nargs=-1)
@click.pass_obj
def command(settings: Settings, no_stream: bool, form: str | None, pods: tuple[str, ...]) -> int:
    """Show what pods use, again and again; all pods if none is named.

    The line of a pod, with no container's name, counts all that is in its
    cgroup: its containers, its sandbox, its volumes in memory. CPU is in per
    cent of one CPU; memory leaves out what the kernel can take back at once.
    """
    from minirun.cli import output
    from minirun.cli.pod.several import find, pods_of

    named = [find(settings, name) for name in pods]
    homes = named or list(pods_of(settings))
    before = _readings(homes)
    time.sleep(_FIRST)  # CPU in per cent is a difference over time
    while True:
        after = _readings(homes)
        if sys.stdout.isatty() and not no_stream:
            click.clear()
        output.show([_row(key, before.get(key), reading) for key, reading in after.items()], _COLUMNS, form)
        if no_stream:
            return 0
        sys.stdout.flush()
        before = after
        time.sleep(_EVERY)  # the refresh that was asked for
        homes = named or list(pods_of(settings))


def _readings(homes: list[PodHome]) -> dict[tuple[str, str], tuple[float, Usage, int]]:
    """Pod and container ("" for the pod) -> when, what it uses, and its limit of memory."""
    from minirun.cli.pod.view import views

    return {
        (seen.record.name, name): (time.monotonic(), usage, limit)
        for seen in views(homes)
        for name, usage, limit in _used(seen)
    }


def _used(seen: View) -> Iterator[tuple[str, Usage, int]]:
    from minirun.cli.pod.top import containers
    from minirun.errors import NotFound
    from minirun.isolation import cgroups
    from minirun.isolation.cgroups.layout import layout
    from minirun.pod import node, qos
    from minirun.pod.sandbox import SANDBOX

    where, whole = layout(), node.memory()
    running = [each for each in containers(seen) if each[0] != SANDBOX]
    if not running:
        return
    resources = qos.pod_resources(seen.spec)
    group = cgroups.group(seen.record.cgroup, resources, where)
    yield "", cgroups.usage_of(group), _limit(resources.memory.limit, whole)
    for name, id in running:
        try:
            spec = seen.home.store.container(id).record().spec
        except NotFound:
            continue  # it was removed while we looked
        yield name, cgroups.usage(spec, where), _limit(spec.linux.resources.memory.limit, whole)


def _limit(limit: int | None, whole: int) -> int:
    """A container without a limit can have what the machine has."""
    return limit if limit and 0 < limit < whole else whole


def _row(
    key: tuple[str, str], before: tuple[float, Usage, int] | None, after: tuple[float, Usage, int]
) -> dict[str, Any]:
    from minirun.cli.output import human_memory

    then, earlier = (before[0], before[1].cpu_usec) if before else (0.0, None)
    now, usage, limit = after
    percent = None
    if earlier is not None and usage.cpu_usec is not None and now > then:
        percent = max(0.0, (usage.cpu_usec - earlier) / (now - then) / 1e4)
    memory = None
    if usage.memory is not None:
        memory = max(0, usage.memory - (usage.memory_inactive_file or 0))
    return {
        "pod": key[0],
        "container": key[1],
        "cpu": "--" if percent is None else f"{percent:.2f}%",
        "cpu_usec": usage.cpu_usec,
        "memory_shown": "--" if memory is None else f"{human_memory(memory)} / {human_memory(limit)}",
        "memory_share": "--" if memory is None else f"{100 * memory / limit:.2f}%",
        "memory": memory,
        "memory_limit": limit,
        "pids": usage.pids,
    }
