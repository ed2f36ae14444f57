"""``minirun create``: everything of a run up to the gate.

Layer ``cli``. The container is created and waits; ``minirun start`` opens the gate.
"""

from __future__ import annotations

from minirun.cli.run import Cidfile, in_pod, place, say_what_was_set, tracer
from minirun.cli.settings import Settings
from minirun.container import start
from minirun.container.options import Options
from minirun.container.state import Store


def main(settings: Settings, options: Options) -> int:
    """Creates a container and prints its id."""
    store = Store(root=settings.root, state=settings.state)
    with place(store, options) as prepared, Cidfile(options.cidfile, prepared.home.id):
        start.launch(
            prepared.home,
            prepared.record,
            prepared.lock,
            autostart=False,
            trace=tracer(options.trace),
        )
    if options.pod:
        in_pod(prepared)
    say_what_was_set(store, options)
    print(prepared.home.id)
    return 0
