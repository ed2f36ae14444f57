"""``minirun pod down``: the pods of a manifest go.

Layer ``cli``. Read ``pod/remove.py`` next.
"""

from __future__ import annotations

import sys

from minirun.cli.pod.manifests import documents
from minirun.cli.pod.rm import end_together
from minirun.cli.pod.several import named, pods_of, report
from minirun.errors import MinirunError, NotFound
from minirun.pod.remove import remove, stop
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.flags import DownOptions
    from minirun.cli.settings import Settings
    from minirun.pod.state import PodHome


def main(settings: Settings, options: DownOptions) -> int:
    """Ends them, the last of the file first, and removes them; the exit code of the first that did not go."""
    names = [pod.metadata.name for pod in reversed(documents(options.file, lenient=True, quiet=True).pods)]
    pods = pods_of(settings)
    found: list[tuple[str, PodHome]] = []
    for name in names:
        home = named(pods, name)
        if home is None:
            print(f"note: there is no pod {name}", file=sys.stderr)
        else:
            found.append((name, home))
    if not options.force:
        end_together([home for _, home in found], options.time)
    code = 0
    for name, home in found:
        try:
            if not options.force:
                stop(home, options.time)
            remove(home, force=True)
        except NotFound:
            continue  # another one was faster
        except MinirunError as error:
            code = code or report(error)
        else:
            print(f"pod/{name} deleted", flush=True)
    return code
