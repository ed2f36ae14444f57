"""``minirun pod wait``: until something is true of pods."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.cli.pod.view import View
    from minirun.cli.settings import Settings
    from minirun.errors import MinirunError
    from minirun.pod.state import PodHome

    #: Whether it is true. Raises MinirunError when it never will be.
    Test = Callable[[View], bool]

#: Those that a pod's status has (pod/conditions.py).
CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
#: How often a pod is looked at, in seconds.
_EVERY = 0.05


@click.command()
@click.option(
    "--for",
    "goal",
    required=True,
    metavar="GOAL",
    help="condition=Ready[=False], delete, phase=Succeeded, or jsonpath='{.status.podIP}'[=VALUE].",
)
@click.option(
    "--timeout", default="30s", metavar="TIME", help="How long [30s]; 0 looks once, -1 waits for ever."
)
@click.option("-a", "--all", "everything", is_flag=True, help="All pods.")
@click.argument("pods", nargs=-1)
@click.pass_obj
def command(settings: Settings, goal: str, timeout: str, everything: bool, pods: tuple[str, ...]) -> int:
    """Wait until something is true of each of the pods.

    The conditions are Ready, Initialized, ContainersReady, PodScheduled and
    PodReadyToStartContainers.
    """
    from minirun.cli.pod.several import chosen, find, report
    from minirun.errors import MinirunError, NotFound

    test = _gone if goal == "delete" else _test(goal)
    deadline = _deadline(timeout)
    code = 0
    for name in chosen(settings, pods, everything, "wait"):
        try:
            home = find(settings, name)
            name = home.record().name
            wait_for(home, test, goal, deadline)
        except MinirunError as error:
            if test is not _gone or not isinstance(error, NotFound):
                code = report(error, code)
                continue
        print(f"pod/{name.removeprefix('pod/')} condition met", flush=True)
    return code


def wait_for(home: PodHome, test: Test, goal: str, deadline: float | None) -> None:
    """Looks at the pod until ``test`` holds. Raises MinirunError after ``deadline`` (monotonic, seconds),
    NotFound when the pod goes."""
    from minirun.cli.pod.view import view
    from minirun.errors import NotFound
    from minirun.pod import supervise

    looked = 0
    while True:
        if looked % 20 == 0:
            supervise.resume(home)  # its supervisor may be killed while we wait
        looked += 1
        try:
            seen = view(home)
        except NotFound:
            if test is _gone:
                return
            raise
        if test(seen):
            return
        left = _EVERY if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise _too_late(seen, goal)
        time.sleep(min(_EVERY, left))  # readiness is decided by whoever looks, not announced


def ready_or_done(seen: View) -> bool:
    """Whether the pod is Ready, or has Succeeded. Raises MinirunError for one that has failed."""
    from minirun.errors import MinirunError

    if _has_come_to(seen, "Failed"):
        name = seen.record.name
        raise MinirunError(
            f"pod {name} has failed",
            _story(seen),
            f"minirun pod logs {name} --all-containers, and minirun pod events {name}",
        )
    return _has_come_to(seen, "Succeeded") or _condition(seen, "Ready") == "True"


def _has_come_to(seen: View, phase: str) -> bool:
    """Whether that is its phase; of one that is final, and nothing of the pod is left running."""
    from minirun.pod.remove import ended

    final = phase in ("Succeeded", "Failed")
    return seen.status.phase == phase and (not final or ended(seen.spec, seen.seen, None))


def _gone(seen: View) -> bool:
    """``--for=delete``: a pod that can be looked at is not gone."""
    return False


def _test(goal: str) -> Test:
    """What ``--for`` asks for. Raises UsageError."""
    from minirun.cli.pod.jsonpath import braced
    from minirun.errors import UsageError

    kind, _, rest = goal.partition("=")
    if kind == "condition":
        name, _, wanted = rest.partition("=")
        fitting = [each for each in CONDITIONS if each.lower() == name.lower()]
        value = (wanted or "True").capitalize()
        if fitting and value in ("True", "False"):
            return lambda seen: _condition(seen, fitting[0]) == value
        why = f"the conditions are {', '.join(CONDITIONS)}; each is True or False"
    elif kind == "phase":
        phases = {each.lower(): each for each in ("Pending", "Running", "Succeeded", "Failed")}
        if rest.lower() in phases:
            return lambda seen: _has_come_to(seen, phases[rest.lower()])
        why = f"the phases are {', '.join(phases.values())}"
    elif kind == "jsonpath":
        try:
            place, wanted = braced(rest)
        except ValueError as error:
            why = str(error)
        else:
            said = wanted.lstrip("'\"").removeprefix("=").strip("'\"")
            return lambda seen: _at(seen, place, said)
    else:
        why = f"there is no goal {kind!r}"
    raise UsageError(
        f"--for {goal!r} is not understood",
        why,
        "use condition=Ready, condition=Ready=False, delete, phase=Running or jsonpath='{.status.podIP}'",
    )


def _condition(seen: View, name: str) -> str:
    return next((each.status for each in seen.status.conditions if each.type == name), "")


def _at(seen: View, path: list[str | int], wanted: str) -> bool:
    """Whether ``wanted`` stands at that place of the manifest; an empty one is anything at all."""
    from minirun.cli.pod.jsonpath import text_at
    from minirun.cli.pod.view import manifest
    from minirun.pod.manifest.write import as_written

    text = text_at(as_written(manifest(seen)), path)
    return text == wanted if wanted else text != ""


def _deadline(text: str) -> float | None:
    from minirun.cli.flag_values import duration
    from minirun.errors import UsageError

    try:
        seconds = duration(text)
    except ValueError as error:
        raise UsageError(
            f"--timeout {text!r} is not understood", str(error), "use 90s, 2m, or -1 for ever"
        ) from error
    return None if seconds < 0 else time.monotonic() + seconds


def _too_late(seen: View, goal: str) -> MinirunError:
    from minirun.errors import MinirunError

    name = seen.record.name
    return MinirunError(
        f"timed out waiting for pod {name}: {goal}",
        _story(seen),
        f"minirun pod events {name}, or a longer time",
    )


def _story(seen: View) -> str:
    """What the pod and its containers do, in a line."""
    from minirun.cli.pod.member import word

    status = seen.status
    parts = [f"it is {status.phase}" + (f" ({status.reason})" if status.reason else "")]
    for each in (*status.initContainerStatuses, *status.containerStatuses):
        if each.state.running:
            parts.append(f"{each.name} is {'ready' if each.ready else 'not ready'}")
        elif each.state.waiting or (each.state.terminated and each.state.terminated.exitCode):
            parts.append(f"{each.name}: {word(each.state.waiting, each.state.terminated)}")
    return "; ".join(parts)
