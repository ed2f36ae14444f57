"""``minirun explain``: the system calls of a start, none of them made.

The plan is a value, so printing it needs no root, and what one more flag does
is the difference between two plans:

    minirun explain --memory 64m busybox sh
    minirun explain --diff '--privileged' busybox sh
    minirun explain --diff '--network host' --diff '--network none' busybox sh

One ``--diff`` compares what stands on the command line with the same and its
flags; two compare each other's. What is printed is what ``run`` would do: the
list comes from ``container/plan.py``, read that next.
"""

from __future__ import annotations

from minirun.cli.explain_shown import ID, named, show
from minirun.cli.settings import Settings
from minirun.container.options import Options
from minirun.errors import UsageError
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from minirun.cli.explain_shown import Line
    from minirun.cli.flags import ExplainOptions
    from minirun.container.state import Store
    from minirun.steps import Step

#: A difference is to be read at a glance: calls of one step, characters that two calls share.
_MANY, _LONG = 8, 120
#: Stands for the first id of the range that ``run`` would find free.
FIRST_ID = 1 << 16


class Change(Value):
    """One step that two plans do not share; ``before`` or ``after`` is None if there is none."""

    number: int
    """Its place in the plan that has it; in the later one, if both do."""
    before: Step | None = None
    after: Step | None = None

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        if self.before and self.after:
            return "changed"
        return "added" if self.after else "removed"


def main(settings: Settings, options: ExplainOptions) -> int:
    """Prints the plan of ``options``, or the difference that --diff asks for."""
    if options.diff:
        before, after = (_plan(settings, each) for each in variants(options))
        _show_difference(difference(before, after), options.json)
    else:
        _show_plan(_plan(settings, options), options.json)
    return 0


def variants(options: ExplainOptions) -> tuple[Options, Options]:
    """The two sets of options that --diff compares. Raises UsageError."""
    if len(options.diff) > 2:
        raise UsageError(
            "--diff can be given twice at most",
            "it compares two plans",
            "give the flags of both in quotes: --diff '-m 64m' --diff '-m 128m --cpus 1'",
        )
    changed = [_with(options, flags) for flags in options.diff]
    return (changed[0], changed[1]) if len(changed) == 2 else (options, changed[0])


def _with(options: ExplainOptions, flags: str) -> Options:
    """``options`` and, besides, the flags in the text ``flags``."""
    import shlex

    from minirun.cli import quick
    from minirun.cli.flags import TABLES
    from minirun.values import replace

    try:
        words = shlex.split(flags)
    except ValueError as error:
        raise UsageError(f"--diff {flags!r} is not understood", str(error), "close the quotes") from error
    table = TABLES["run"]
    found = quick.read(table, words)
    if found is None or found[1]:
        odd = found[1][0] if found else flags
        raise UsageError(
            f"--diff {flags!r} is not understood",
            f"{odd!r} is no flag of `run`, or lacks its value",
            "give flags only, in quotes; the image and command stand behind them",
        )
    more: Options = table.value(found[0], [options.image])
    changes: dict[str, Any] = {}
    for name in {flag.field for flag in table.flags if flag.name in found[0]}:
        old, new = getattr(options, name), getattr(more, name)
        if isinstance(new, tuple) and name != "network":  # a network takes the other's place
            new = old + new
        changes[name] = {**old, **new} if isinstance(new, dict) else new
    return replace(options, **changes)


def _plan(settings: Settings, options: Options) -> list[Step]:
    from minirun.container.name_files import Wired, mounts
    from minirun.container.plan import plan
    from minirun.container.prepare import pid_of
    from minirun.container.specify import lend, spec_of
    from minirun.container.state import Store
    from minirun.image import store as images
    from minirun.isolation.cgroups.layout import layout
    from minirun.values import replace

    store = Store(root=settings.root, state=settings.state)
    image = images.resolve(settings.root, options.image)
    if options.pod:
        options = _in_pod(store, options)
    home = store.container(ID)
    lent = lend(home, image.layers, options.init, FIRST_ID)
    wired, wires = Wired(), None
    if not options.network_mode:
        from minirun.container.wiring_pretended import pretended

        wired, wires = pretended(store, options, ID)
    wired = replace(wired, mounts=mounts(home, options))
    spec = spec_of(options, image.config, ID, lent, lambda name: pid_of(store, name), wired)
    if options.runtime:
        from minirun.container import oci

        return oci.pretended(home, spec, options.runtime, wires)
    return plan(spec, layout(), f"{settings.root}/seccomp", wires)


def _in_pod(store: Store, options: Options) -> Options:
    """--pod: with what a container of that pod borrows. Raises NotFound, Conflict, UsageError."""
    from minirun.pod import join
    from minirun.pod.state import Pods

    return join.borrowing(join.host(Pods(store=store).find(options.pod)), options)


def difference(before: Sequence[Step], after: Sequence[Step]) -> list[Change]:
    """The steps that were added, removed or changed, in the order of the plans.

    Steps are the same if side and title are; if their calls then differ, the
    step has changed.
    """
    from difflib import SequenceMatcher

    old_names, new_names = ([(step.side, step.title) for step in steps] for steps in (before, after))
    changes: list[Change] = []
    for what, a, a_end, b, b_end in SequenceMatcher(None, old_names, new_names, autojunk=False).get_opcodes():
        if what == "equal":
            pairs = zip(before[a:a_end], after[b:b_end], strict=True)
            changes += [
                Change(number=number, before=old, after=new)
                for number, (old, new) in enumerate(pairs, b + 1)
                if _calls(old) != _calls(new)
            ]
            continue
        changes += [Change(number=n, before=step) for n, step in enumerate(before[a:a_end], a + 1)]
        changes += [Change(number=n, after=step) for n, step in enumerate(after[b:b_end], b + 1)]
    return changes


def _calls(step: Step) -> list[str]:
    return [named(call) for call in step.calls]


def as_json(number: int, step: Step) -> dict[str, object]:
    """A step for programs."""
    return {
        "number": number,
        "side": step.side,
        "step": named(step.title),
        "calls": [{"name": call.name, "call": named(call), "manual": call.manual} for call in step.calls],
        "why": step.why,
        "chapter": step.chapter,
    }


def _show_plan(steps: Sequence[Step], json: bool) -> None:
    from minirun.cli.output import show_json

    if json:
        show_json([as_json(number, step) for number, step in enumerate(steps, 1)])
        return
    count = sum(len(step.calls) for step in steps)
    show([("", number, step, _calls(step)) for number, step in enumerate(steps, 1)])
    print(f"\n{len(steps)} steps, {count} calls, and none was made. ID is drawn by `minirun run`,")
    print("which shows the same list as it happens with --trace.")


def _show_difference(changes: Sequence[Change], json: bool) -> None:
    from minirun.cli.output import show_json

    if json:
        show_json([change_as_json(change) for change in changes])
        return
    if not changes:
        print("No difference: both make the same system calls.")
        return
    show([line for change in changes for line in change_lines(change)])


def change_as_json(change: Change) -> dict[str, object]:
    """A change for programs."""
    return {
        "change": change.kind,
        "before": as_json(change.number, change.before) if change.before else None,
        "after": as_json(change.number, change.after) if change.after else None,
    }


def change_lines(change: Change) -> Iterator[Line]:
    """A change as it is shown."""
    sign = {"added": "+", "removed": "-", "changed": "~"}[change.kind]
    step = change.after or change.before
    assert step is not None
    if change.before and change.after:
        yield sign, change.number, step, _differing(_calls(change.before), _calls(change.after))
    else:
        yield sign, change.number, step, _few(_calls(step))


def _differing(before: list[str], after: list[str]) -> list[str]:
    """Only the calls that differ: dropping a capability more is one line of thirty."""
    gone = [call for call in before if call not in after]
    come = [call for call in after if call not in before]
    if len(gone) == len(come) == 1:
        gone, come = _without_beginning(gone[0], come[0])
    return [f"- {call}" for call in _few(gone)] + [f"+ {call}" for call in _few(come)]


def _without_beginning(before: str, after: str) -> tuple[list[str], list[str]]:
    """Two long calls without most of what both begin with, the options of an overlay for example."""
    pairs = enumerate(zip(before, after, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
    if same < _LONG:
        return [before], [after]
    start, rest = before[: _LONG // 4], same - _LONG // 4
    return [f"{start}…{before[rest:]}"], [f"{start}…{after[rest:]}"]


def _few(calls: list[str]) -> list[str]:
    """Enough of ``calls`` to see what it is about; --json has them all."""
    if len(calls) <= _MANY:
        return calls
    return [*calls[: _MANY - 2], f"... and {len(calls) - _MANY + 2} more calls"]
