"""python: Debian's Python 3, as one more layer on top of the image ``debian``.

The tree is bootstrapped whole and layer.py packs only what differs from the
base: the layer below is the very same one, by digest, and is stored once.
"""

from __future__ import annotations

from pathlib import Path

import debian
from recipe import PATH, Inputs

BASE = "debian"
COMMAND = ["python3"]
ENVIRONMENT = {"PATH": PATH, "PYTHONUNBUFFERED": "1"}


def inputs() -> Inputs:
    """The same archive as the base's."""
    return debian.inputs()


def fill(rootfs: Path) -> None:
    """A minbase Debian with Python in it."""
    debian.bootstrap(rootfs, "python3")
