"""What holds for every command: where minirun keeps its things.

``root`` outlives a reboot (images, upper directories), ``state`` does not.
A command finds its Settings as ``ctx.obj``, or as the first argument of its
``main``.
"""

from __future__ import annotations

import os

from minirun.values import Value


class Settings(Value):
    """The options that stand before the command; an empty path was not given."""

    root: str = ""
    state: str = ""
    debug: bool = False


def located(given: Settings) -> Settings:
    """``given`` with each path that was left out from the environment, or the usual place."""
    root = given.root or os.environ.get("MINIRUN_ROOT") or "/var/lib/minirun"
    state = given.state or os.environ.get("MINIRUN_STATE") or "/run/minirun"
    return Settings(root=os.path.abspath(root), state=os.path.abspath(state), debug=given.debug)
