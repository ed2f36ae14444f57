"""The rung of a pod: the program as the one container of a pod of its own.

Layer ``compare``. A pod takes several commands where a container takes one, so the
rung is a short script of what a user would type. Its stdin and stdout are the
program's, and when it ends the pod is gone. Read ``stage.py`` next.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The shell that reads the script; by its whole name, for PATH may be anything.
SHELL = "/bin/sh"

#: $1 is the pod's name, $2 its manifest, the rest is minirun.
_SCRIPT = """
pod=$1 manifest=$2; shift 2
"$@" pod create --network none "$manifest" >/dev/null || exit
exec 3<&0
# Once our stdin has ended: somebody who comes with an empty one, and leaves, ends the program's.
{ while read -r _; do :; done; exec "$@" pod attach --stdin "$pod" </dev/null; } <&3 >/dev/null 2>&1 &
reader=$!
trap 'kill "$reader" 2>/dev/null; "$@" pod rm --force "$pod" >/dev/null' EXIT  # in any case
trap 'exit 143' TERM
"$@" pod logs --follow "$pod" 3<&- &
wait "$!"
"""


def line(minirun: Sequence[str], name: str, manifest: str) -> list[str]:
    """The command that runs the pod of the file ``manifest``, whose name is ``name``."""
    return [SHELL, "-c", _SCRIPT, "pod", name, manifest, *minirun]


def manifest(name: str, image: str, args: Sequence[str]) -> str:
    """The pod ``name``, whose program is ``args`` in the image; as JSON, which is YAML."""
    container: dict[str, Any] = {
        "name": "program",
        "image": image,
        # In a manifest $(WORD) is a variable, and $$ a dollar sign.
        "command": [word.replace("$", "$$") for word in args],
        "stdin": True,
        "stdinOnce": True,
    }
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2, "containers": [container]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
