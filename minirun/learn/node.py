"""The pods of a learner's manifest, made in an attempt's fence, for a check to look at.

Layer ``learn``. minirun itself is what makes them: it finds the attempt's
rootfs as the image ``busybox``, in a store that goes with the attempt.
Read ``checking.py`` next.

    with Node(attempt) as node:
        node.create(pod)
        attempt.until(lambda: node.status("shop")["phase"] == "Succeeded", "never-completes")
"""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

from minirun.errors import MinirunError
from minirun.learn.attempt import Wrong
from minirun.learn.home import TIDY, environment, make_commands
from minirun.learn.looking import Done
from minirun.pod.manifest.read import read

if TYPE_CHECKING:
    from minirun.learn.attempt import Attempt
    from minirun.pod.manifest.read import Documents

_SECONDS = 30.0


def manifest(attempt: Attempt) -> Documents:
    """What the learner's file says. Raises Wrong("refused")."""
    program = attempt.program
    try:
        return read(program.read_text(), program.name)
    except (MinirunError, UnicodeDecodeError) as error:
        raise Wrong("refused", said=str(error).strip(), program=program.name) from error


class Node:
    """``with Node(attempt) as node``: what is made in it ends with the block."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.home = attempt.folder  # if we are killed, the sweep of attempts finds it

    def __enter__(self) -> Node:
        make_commands(self.home)
        done = self.bash(f"tar -C {shlex.quote(str(self.attempt.rootfs))} -c . | minirun import - busybox")
        if done.code:
            raise MinirunError("no image was made of the rootfs", done.err.strip(), "")
        return self

    def __exit__(self, *_: object) -> None:
        self.bash(TIDY)

    def create(self) -> None:
        """Makes the pods of the learner's file. Raises Wrong("refused")."""
        program = self.attempt.program
        done = self.bash(f"minirun pod create {shlex.quote(str(program))}")
        if done.code:
            raise Wrong("refused", said=done.err.strip(), program=program.name)

    def status(self, pod: str) -> dict[str, Any]:
        """A pod's status, as the API has it."""
        found: dict[str, Any] = json.loads(self.bash(f"minirun pod inspect -o json {pod}").out)
        status: dict[str, Any] = found["status"]
        return status

    def log(self, pod: str, container: str) -> list[str]:
        """What a container has printed, by lines; nothing of one that has not begun."""
        return self.bash(f"minirun pod logs {pod} -c {container}").out.splitlines()

    def bash(self, script: str) -> Done:
        """Runs commands in the fence."""
        started = self.attempt.fence.popen(
            ["bash", "--norc", "-c", script],
            str(self.home),
            environment(self.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = started.communicate(timeout=_SECONDS)
        return Done(code=started.returncode, out=out.decode(), err=err.decode())
