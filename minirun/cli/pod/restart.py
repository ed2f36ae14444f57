"""``minirun pod restart``: stop, and start.

Layer ``cli``. Read ``pod/remove.py`` next.
"""

from __future__ import annotations

from minirun.cli.pod.rm import end_together
from minirun.cli.pod.several import chosen, each, homes_of
from minirun.pod.remove import start, stop
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.flags import EndOptions
    from minirun.cli.settings import Settings
    from minirun.pod.state import PodHome


def main(settings: Settings, options: EndOptions) -> int:
    """Restarts them; the exit code of the first that could not be."""
    names = chosen(settings, options.pods, options.all, "restart")
    end_together(homes_of(settings, names), options.time)

    def restart(home: PodHome) -> None:
        stop(home, options.time)
        start(home)

    return each(settings, names, restart)
