"""``minirun pod explain``: the system calls that a manifest becomes, none of them made.

Layer ``cli``. No root is needed, and nothing is taken. Read ``pod/explain.py`` next;
``cli/explain.py`` does the same for a container.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.cli.settings import Settings
    from minirun.pod.explain import Part

_WORDS = {"new": "a new one", "host": "the host's", "SANDBOX": "the sandbox's (setns)"}


@click.command()
@click.option("--json", "json", is_flag=True, help="Print the plans as JSON.")
@click.option("--lenient", is_flag=True, help="Unknown fields are only warned of.")
@click.option("--diff", is_flag=True, help="Only what differs between a plain container and a member.")
@click.argument("file")
@click.pass_obj
def command(settings: Settings, json: bool, lenient: bool, diff: bool, file: str) -> int:
    """Print the system calls that a manifest becomes, without making them; - reads standard input.

    First the pod's cgroup, then its sandbox, which makes the namespaces, then its
    volumes and containers, which join what the sandbox holds. --diff compares each
    container with a plain one of the same image: what a pod adds.
    """
    from minirun.cli.pod.manifests import documents
    from minirun.cli.several import store_of
    from minirun.pod.explain import parts

    found = list(parts(store_of(settings), documents(file, lenient)))
    if diff:
        _show_differences([part for part in found if part.alone], json)
    else:
        _show_plans(found, json)
    return 0


def _show_plans(parts: Sequence[Part], json: bool) -> None:
    from minirun.cli.explain import as_json
    from minirun.cli.explain_shown import named, show
    from minirun.cli.output import show_json

    if json:
        show_json(
            [_as_json(part, [as_json(number, step) for number, step in _numbered(part)]) for part in parts]
        )
        return
    for part in parts:
        _headline(part)
        show([("", number, step, [named(call) for call in step.calls]) for number, step in _numbered(part)])
        print()
    steps = [step for part in parts for step in part.steps]
    count = sum(len(step.calls) for step in steps)
    print(f"{len(steps)} steps, {count} calls, and none was made. UID and ID are drawn by")
    print("`minirun pod create`; SANDBOX is the sandbox's id, and the pid of its pause.")


def _numbered(part: Part) -> Any:
    return enumerate(part.steps, 1)


def _as_json(part: Part, steps: list[dict[str, object]]) -> dict[str, object]:
    return {
        "pod": part.pod,
        "part": part.kind,
        "name": part.name,
        "namespaces": part.namespaces,
        "steps": steps,
    }


def _headline(part: Part) -> None:
    what = f"{part.kind} {part.name}".rstrip()
    print(f"--- pod {part.pod}: {'its cgroup' if part.kind == 'group' else what}")


def _show_differences(parts: Sequence[Part], json: bool) -> None:
    from minirun.cli.explain import change_as_json, change_lines, difference
    from minirun.cli.explain_shown import show
    from minirun.cli.output import show_json

    found = [(part, difference(part.alone, part.steps)) for part in parts]
    if json:
        show_json(
            [
                {
                    "pod": part.pod,
                    "name": part.name,
                    "namespaces": part.namespaces,
                    "changes": [change_as_json(change) for change in changes],
                }
                for part, changes in found
            ]
        )
        return
    for part, changes in found:
        _headline(part)
        print(f"    {'namespace':<10}{'a container of its own':<25}in pod {part.pod}")
        for kind, whose in part.namespaces.items():
            print(f"    {kind:<10}{_WORDS[_usual(kind)]:<25}{_WORDS.get(whose, whose)}")
        print()
        show([line for change in changes for line in change_lines(change)])
        print()


def _usual(kind: str) -> str:
    """Whose namespace a plain container is in."""
    return "host" if kind in ("user", "time") else "new"
