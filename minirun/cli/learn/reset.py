"""``minirun learn reset``: nothing of the tutorial stays on the machine."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from minirun.cli.settings import Settings
    from minirun.learn.learner import Progress


@click.command()
@click.argument("chapter", type=click.IntRange(0, 99), required=False, metavar="[N]")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(settings: Settings, chapter: int | None, force: bool) -> int:
    """Take away all that the tutorial made on this machine, or what chapter N did.

    That is the chapters' folders with what you wrote there, your progress, and
    what experiments left: processes, mounts, cgroups, namespaces, interfaces,
    and files in /run and /tmp. Images and containers stay.
    """
    from minirun.errors import InvalidInput
    from minirun.learn import folder, learner

    try:
        progress = learner.load()
    except InvalidInput:
        progress = learner.beginner()
    found = folder.ours(progress.directory)
    if chapter is not None:
        found = [place for place in found if int(place.name[:2]) == chapter]
    if found and not force:
        click.confirm(f"Remove {', '.join(map(str, found))} with your work in it?", abort=True, err=True)
    for place in found:
        _remove(place)
    _sweep()
    if chapter is None:
        _remove_empty(progress.directory)
        learner.forget()
    else:
        learner.save(_without(progress, chapter))
    return 0


def _remove(place: Path) -> None:
    from minirun.errors import Conflict
    from minirun.learn import tidying

    if not os.geteuid():
        for line in tidying.tidy(place):
            print(line)
    if left := tidying.mounted(place):
        # Removing would go into what is mounted there, and take that along.
        raise Conflict(f"{place} has mounts in it", f"something is mounted at {left[0]}", "run it as root")
    shutil.rmtree(place)
    print(f"removed {place}")


def _sweep() -> None:
    """What check's fences and the chapters' programs left when they were killed."""
    if os.geteuid():
        return
    from minirun.learn import groups, tidying

    groups.sweep()
    for line in (
        *groups.remove_programs(),
        *tidying.remove_links(),
        *tidying.remove_tables(),
        *tidying.remove_machines(),
        *tidying.remove_directories(),
    ):
        print(line)


def _remove_empty(directory: str) -> None:
    try:
        os.rmdir(directory)
    except OSError:
        return  # something of the user's own is in it, or it was never made


def _without(progress: Progress, chapter: int) -> Progress:
    from minirun.values import replace

    prefix = f"{chapter}/"
    return replace(
        progress,
        chapter=0 if progress.chapter == chapter else progress.chapter,
        started=tuple(one for one in progress.started if one != chapter),
        passed=tuple(one for one in progress.passed if not one.startswith(prefix)),
        hints={key: many for key, many in progress.hints.items() if not key.startswith(prefix)},
    )
