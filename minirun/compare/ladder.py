"""The rungs, from the least between program and kernel to the most: which command each one is.

Layer ``compare``. A rung is a command line that a user could type, and a
sentence for the legend. What the first and some others need of the image is made
in ``stage.py``; read that, or ``attempt.py``, next.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import minirun
from minirun.compare import in_pod
from minirun.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from minirun.compare.stage import Stage
    from minirun.container.state import Store


class Rung(Value):
    """One way to run the program. ``line(args)`` is the command that does it."""

    name: str
    what: str
    line: Callable[[tuple[str, ...]], list[str]]
    environment: dict[str, str]


def ladder(stage: Stage, store: Store) -> tuple[list[Rung], dict[str, str]]:
    """The rungs that can be tried, and those whose program is not installed, with a word on it."""
    rungs = [_process(stage), _container(stage, store), _pod(stage, store)]
    absent = {}
    if shutil.which("runsc"):
        rungs.append(_gvisor(stage))
    else:
        absent["gVisor"] = "gVisor's runsc is not installed (on Debian: apt install runsc)"
    rungs.append(_microvm(stage, store))
    return rungs, absent


def _process(stage: Stage) -> Rung:
    process = stage.process
    # unshare(1) that unshares nothing: of its options only chdir, setuid and chroot(2) are used.
    # In full, for the environment is the image's.
    line = [shutil.which("unshare") or "unshare", f"--root={stage.rootfs}", f"--wd={process.cwd}"]
    line += [f"--setgid={process.user.gid}", f"--setuid={process.user.uid}"]
    return Rung(
        name="process",
        what="the program on the image's files: fork, chroot(2), execve(2); with all the rights its user has",
        line=lambda args: [*line, "--", *args],
        environment=dict(pair.partition("=")[::2] for pair in process.env),
    )


def _container(stage: Stage, store: Store) -> Rung:
    flags = ["run", "--rm", "--interactive", "--network", "none"]
    return Rung(
        name="container",
        what="minirun run: namespaces, cgroups, layers, fewer privileges, a filter; the host's kernel",
        line=lambda args: [*_minirun(store), *flags, *stage.words(args)],
        environment=_environment(),
    )


def _pod(stage: Stage, store: Store) -> Rung:
    return Rung(
        name="pod",
        what="minirun pod create, logs -f: a container that joins the namespaces of a program that sleeps",
        line=lambda args: in_pod.line(_minirun(store), *stage.manifest(args)),
        environment=_environment(),
    )


def _gvisor(stage: Stage) -> Rung:
    # Our cgroups would be one more difference, and its own backend does not know every host.
    flags = ["--network=none", "--ignore-cgroups", f"--root={stage.scratch}/runsc"]
    return Rung(
        name="gVisor",
        what="runsc: a kernel written in Go, as a process, answers the program's system calls",
        line=lambda args: ["runsc", *flags, "run", f"--bundle={stage.bundle(args)}", stage.new_id()],
        environment=_environment(),
    )


def _microvm(stage: Stage, store: Store) -> Rung:
    flags = ["vm", "run", "--interactive", "--network", "none"]
    return Rung(
        name="microVM",
        what="minirun vm run: a machine of its own, made by QEMU, that boots a kernel of its own",
        line=lambda args: [*_minirun(store), *flags, *stage.words(args)],
        environment=_environment(),
    )


def _minirun(store: Store) -> list[str]:
    """This same minirun, as the user calls it: by the installed script where there is one."""
    script = os.path.abspath(sys.argv[0])
    ourselves = [script] if os.path.basename(script) == "minirun" else ["-m", "minirun"]
    return [sys.executable, *ourselves, "--root", store.root, "--state", store.state]


def _environment() -> dict[str, str]:
    """The caller's, in which Python finds this same package and its byte code."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(minirun.__file__)))
    found = {**os.environ, "PYTHONPATH": package}
    found.pop("PYTHONDONTWRITEBYTECODE", None)  # without it each start would compile again
    return found
