"""Where the chapters are: beside the package in a checkout, under share/ once installed.

Layer ``learn``. Read ``chapter.py`` next.
"""

from __future__ import annotations

import os
from pathlib import Path

import minirun
from minirun.errors import NotFound

#: The directory that holds the package ``minirun``.
PACKAGE = Path(minirun.__path__[0])
LANGUAGE = "en"


def tutorials() -> Path:
    """The directory of the chapters. Raises NotFound for an installation without them."""
    given = os.environ.get("MINIRUN_TUTORIALS")
    places = [Path(given)] if given else _places()
    for place in places:
        if place.is_dir():
            return place
    raise NotFound(
        "the tutorial is not here",
        f"there is no directory {', and no '.join(map(str, places))}",
        "install minirun from its wheel or its repository, or set MINIRUN_TUTORIALS",
    )


def _places() -> list[Path]:
    """A checkout's, then those of pip's ways to install: into a prefix, for one user, into a directory."""
    import site
    import sysconfig

    installed = Path("share", "minirun", "tutorials")
    bases = [sysconfig.get_path("data"), site.getuserbase(), str(PACKAGE.parent)]
    return [PACKAGE.parent / "tutorials", *(Path(base) / installed for base in bases)]
