"""``minirun pod down``: the pods of a manifest go.

Layer ``cli``. Read ``pod/remove.py`` next.
"""

from __future__ import annotations

import sys

from minirun.cli.pod.manifests import documents
from minirun.cli.pod.rm import end_together
from minirun.cli.pod.several import left_over, named, pods_of, report
from minirun.errors import MinirunError, NotFound
from minirun.pod.remove import remove, stop
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.flags import DownOptions
    from minirun.cli.settings import Settings
    from minirun.pod.state import PodHome


def main(settings: Settings, options: DownOptions) -> int:
    """Ends them, the last of the file first, and removes them; the exit code of the first that did not go."""
    wanted = documents(options.file, lenient=True, quiet=True)
    pods = pods_of(settings)
    found = left_over(pods, wanted)
    for name in [pod.metadata.name for pod in reversed(wanted.pods)]:
        home = named(pods, name)
        if home is None:
            print(f"note: there is no pod {name}", file=sys.stderr)
        else:
            found.append((name, home))
    return end(found, options.time, options.force)


def end(found: list[tuple[str, PodHome]], grace: float | None, force: bool = False) -> int:
    """Ends them and removes them; the exit code of the first that did not go."""
    if not force:
        end_together([home for _, home in found], grace)
    code = 0
    for name, home in found:
        try:
            if not force:
                stop(home, grace)
            remove(home, force=True)
        except NotFound:
            continue  # another one was faster
        except MinirunError as error:
            code = report(error, code)
        else:
            print(f"pod/{name} deleted", flush=True)
    return code
