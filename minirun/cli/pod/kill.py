"""``minirun pod kill``: a signal for all containers of a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.pod.state import PodHome


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="All pods.")
@click.option(
    "-s", "--signal", "name", default="KILL", help="The signal: TERM, SIGHUP, 9 ...; KILL if not given."
)
@click.argument("pods", nargs=-1)
@click.pass_obj
def command(settings: Settings, everything: bool, name: str, pods: tuple[str, ...]) -> int:
    """Send a signal to the first process of every container of pods.

    KILL ends the pods at once, without hooks and time to end, and nothing in
    them is restarted. With any other signal the programs do what they do, and
    what has ended is restarted by the pod's policy.
    """
    from minirun.cli.flag_values import signal
    from minirun.cli.kill import understood
    from minirun.cli.pod.several import chosen, each, homes_of
    from minirun.pod.remove import stop

    number = understood(signal, name)

    def kill(home: PodHome) -> None:
        if number == 9:
            _check(home, running=not _ended(home))
            stop(home, 0, force=True)
        else:
            _check(home, running=_signalled(home, number))

    names = chosen(settings, pods, everything, "kill")
    if everything:  # those that have ended are not meant
        names = [home.uid for home in homes_of(settings, names) if not _ended(home)]
    return each(settings, names, kill)


def _ended(home: PodHome) -> bool:
    from minirun.pod.remove import ended

    return ended(home.record().pod.spec, home.progress().seen, None)


def _signalled(home: PodHome, number: int) -> bool:
    """Sends the signal to all that run; whether any did."""
    from minirun.cli.pod.view import view
    from minirun.container import kill
    from minirun.errors import Conflict
    from minirun.pod import supervise
    from minirun.pod.observed import RUNNING

    supervise.resume(home)
    any_did = False
    for one in view(home).seen.containers.values():
        if one.state == RUNNING and one.id:
            try:
                kill.kill(home.store.container(one.id), number)
                any_did = True
            except Conflict:
                continue  # it has ended meanwhile
    return any_did


def _check(home: PodHome, running: bool) -> None:
    from minirun.errors import Conflict

    if not running:
        raise Conflict(
            f"cannot kill pod {home.record().name}",
            "nothing runs in it",
            "minirun pod ps shows what the pods do",
        )
