"""``minirun pod stop``: all that runs in pods ends, in order.

Layer ``cli``. Read ``pod/remove.py`` next.
"""

from __future__ import annotations

from minirun.cli.pod.rm import end_together
from minirun.cli.pod.several import chosen, each, homes_of
from minirun.pod.remove import stop
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.flags import EndOptions
    from minirun.cli.settings import Settings


def main(settings: Settings, options: EndOptions) -> int:
    """Stops them, at the same time; the exit code of the first that could not be."""
    names = chosen(settings, options.pods, options.all, "stop")
    end_together(homes_of(settings, names), options.time)
    return each(settings, names, lambda home: stop(home, options.time))
