"""The scripts that a page needs beside the theme's own, fetched once and then the site's.

Layer ``learn``. The theme would load them from a content network when somebody
reads; a site that is read offline, and tells nobody who reads it, has them with
it. npm fetches them, and they have to be the bytes that were looked at here.
Read ``site.css`` next.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from minirun.errors import InvalidInput, MinirunError, NotFound
from minirun.values import Value


class Script(Value):
    """A file of an npm package, at one version."""

    package: str
    member: str
    name: str
    sha256: str


#: Flow charts, sequences and states; the full mermaid has megabytes of kinds that no chapter uses.
MERMAID = Script(
    package="@mermaid-js/tiny@11.17.2",
    member="package/dist/mermaid.tiny.js",
    name="mermaid.js",
    sha256="7a644017d37f93c8359790884e6b67fb1f747c78eb20475952404bd87190a3f8",
)
#: A worker for a page that was opened from a file, where a browser allows none: search runs in one.
WORKER = Script(
    package="iframe-worker@1.0.4",
    member="package/shim/index.js",
    name="iframe-worker.js",
    sha256="e8e412dbcfea9b7e31b5ffa288d7b6035915e714c542f4176a0cdbe262fc9609",
)


def fetch(script: Script, place: Path) -> Path:
    """The file of ``script`` in ``place``, fetched if it is not there. Raises MinirunError."""
    file = place / script.name
    if file.is_file() and _digest(file.read_bytes()) == script.sha256:
        return file
    found = _packed(script)
    if _digest(found) != script.sha256:
        raise InvalidInput(
            f"{script.package} is not what it was",
            f"sha256 of {script.member} is {_digest(found)}, and not {script.sha256}",
            "look at what has changed before you change the digest in minirun/learn/site/scripts.py",
        )
    place.mkdir(parents=True, exist_ok=True)
    file.write_bytes(found)
    return file


def _packed(script: Script) -> bytes:
    beside = os.path.dirname(sys.executable)
    npm = shutil.which("npm") or shutil.which("npm", path=beside)
    if not npm:
        raise NotFound("there is no npm", "it fetches the site's scripts", "`make docs` brings it along")
    with tempfile.TemporaryDirectory() as directory:
        command = [npm, "pack", "--silent", "--pack-destination", directory, script.package]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        packed = list(Path(directory).glob("*.tgz"))
        if done.returncode or not packed:
            raise MinirunError(
                f"npm cannot fetch {script.package}",
                (done.stderr or done.stdout).strip()[-500:],
                "without a network `make docs` works once the scripts are in build/scripts",
            )
        with tarfile.open(packed[0]) as archive:
            member = archive.extractfile(script.member)
            return member.read() if member else b""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
