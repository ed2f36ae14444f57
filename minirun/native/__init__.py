"""The C programs: ``monitor`` (a container's parent), ``init`` (--init), ``pause`` (a pod's PID 1), ``guest``
(a machine's).

They are C because they live as long as the container does: tens of KiB each,
where an idle Python is ten MiB; and because a guest has nothing else yet. Layer:
free to all, it only knows where they are. Read monitor.c next, or build.py for
how they are compiled.
"""

from __future__ import annotations

import os

from minirun.errors import Unsupported

BIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin")


def path(name: str) -> str:
    """The absolute path of the compiled program ``name``; Unsupported if there is none."""
    program = os.path.join(BIN, name)
    if not os.access(program, os.X_OK):
        raise Unsupported(
            f"minirun's own program '{name}' is not compiled", f"there is no {program}", "run `make native`"
        )
    return program
