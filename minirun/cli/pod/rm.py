"""``minirun pod rm``: pods go, with all that they have.

Layer ``cli``. Read ``pod/remove.py`` next.
"""

from __future__ import annotations

from minirun.cli.pod.several import chosen, each
from minirun.errors import MinirunError, UsageError
from minirun.pod import supervise
from minirun.pod.remove import ask, ended, remove
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minirun.cli.pod.flags import EndOptions
    from minirun.cli.settings import Settings
    from minirun.pod.state import PodHome


def main(settings: Settings, options: EndOptions) -> int:
    """Removes them; the exit code of the first that could not be."""
    if options.time is not None and not options.force:
        raise UsageError(
            "pod rm: --time needs --force",
            "without it only pods are removed that have ended",
            "add --force",
        )
    names = chosen(settings, options.pods, options.all, "rm")
    return each(
        settings, names, lambda home: remove(home, options.force, options.time), missing=options.force
    )


def end_together(homes: Sequence[PodHome], grace: float | None) -> None:
    """Has several pods begin to end, each looked after by a process of its own: their times do not add up."""
    if len(homes) < 2:
        return
    for home in homes:
        try:
            if ended(home.record().pod.spec, home.progress().seen, None):
                continue
            ask(home, grace)
            if not supervise.poke(home):
                supervise.spawn(home)
        except MinirunError:
            continue  # whoever ends it next says why not
