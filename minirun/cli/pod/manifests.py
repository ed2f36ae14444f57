"""The FILE of `pod create`, `apply` and `down`: read, and what is to be said of it said.

Layer ``cli``. Read ``pod/manifest/read.py`` next.
"""

from __future__ import annotations

import sys

from minirun.errors import InvalidInput, MinirunError, reason
from minirun.pod.manifest import read
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.pod.manifest.read import Documents


def documents(path: str, lenient: bool = False, quiet: bool = False) -> Documents:
    """What the manifest at ``path`` (- is standard input) asks for; notes and warnings go to stderr.

    Raises InvalidInput with every mistake, and for a file that asks for no pod.
    """
    name = "standard input" if path == "-" else path
    found = read.read(_text(path, name), name, lenient)
    if not quiet:
        for word, lines in (("warning", found.warnings), ("note", found.notes)):
            for line in lines:
                print(f"{word}: {line}", file=sys.stderr)
    if not found.pods and not found.owners:
        raise InvalidInput(
            f"{name} asks for no pod",
            "ConfigMaps and Secrets live with the pods of their own file, and there is none",
            "add a Pod, Deployment, Job or DaemonSet as one more document, after a line ---",
        )
    return found


def _text(path: str, name: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if path == "-" else _content(path)
        return raw.decode()
    except OSError as error:
        raise MinirunError(
            f"cannot read {name}", reason(error), "name a manifest, or - for standard input"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name} is no manifest", f"it is not UTF-8: {error}", "save it as UTF-8"
        ) from error


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
