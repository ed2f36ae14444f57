"""A home of minirun's own: a store, a state, and the commands ``minirun`` and ``python3`` for them.

Layer ``learn``. HOME/root, HOME/state and HOME/bin; a classroom has one, and so
has a check that makes pods. Who made one takes its containers away again by
``tidy`` before the directory goes. Read ``classroom.py`` and ``node.py`` next.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from minirun.learn.places import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

#: Ends all that runs in a home; for bash in its environment.
TIDY = """
minirun pod rm -f --all
minirun ps -aq | xargs -r minirun rm -f
minirun vm ps -q | xargs -r minirun vm stop
"""


def make_commands(home: Path) -> None:
    """Makes HOME/bin."""
    bin = home / "bin"
    bin.mkdir()
    # Bytecode is written for minirun, or each call compiles it all again. -P: a chapter's files
    # are in the working directory, and none of them is to be imported.
    places = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    lines = (
        "#!/bin/sh",
        "unset PYTHONDONTWRITEBYTECODE",
        f'PYTHONPATH={places} exec {sys.executable} -P -m minirun "$@"',
    )
    (bin / "minirun").write_text("".join(f"{line}\n" for line in lines))
    (bin / "minirun").chmod(0o755)
    (bin / "python3").symlink_to(os.path.realpath(sys.executable))


def environment(home: Path) -> dict[str, str]:
    """What a program in this home is started with."""
    path = os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    return {
        "HOME": os.environ.get("HOME", "/root"),
        "LC_ALL": "C.UTF-8",
        "MINIRUN_ROOT": f"{home}/root",
        "MINIRUN_STATE": f"{home}/state",
        "PATH": f"{home}/bin:{path}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TERM": "dumb",
        "USER": "root",
    }


def tidy(home: Path) -> None:
    """Ends what a home whose maker was killed has left running."""
    if (home / "state").exists():
        words = ["bash", "-c", TIDY]
        subprocess.run(words, env={**os.environ, **environment(home)}, capture_output=True, check=False)
