"""``minirun pod start``: pods that have ended begin anew.

Layer ``cli``. Read ``pod/remove.py`` next.
"""

from __future__ import annotations

from minirun.cli.pod.several import chosen, each
from minirun.pod import supervise
from minirun.pod.remove import start
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.flags import EndOptions
    from minirun.cli.settings import Settings
    from minirun.pod.state import PodHome


def main(settings: Settings, options: EndOptions) -> int:
    """Starts them; the exit code of the first that could not be. One that runs is left as it is."""
    return each(settings, chosen(settings, options.pods, options.all, "start"), _start)


def _start(home: PodHome) -> None:
    if home.progress().seen.phase:
        start(home)
    else:
        supervise.resume(home)  # as docker start does with what runs: nothing, and it is no error
