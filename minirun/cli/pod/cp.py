"""``minirun pod cp``: files into and out of a pod's container.

Layer ``cli``. Read ``pod/copy.py`` next.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from minirun.cli.settings import Settings
    from minirun.container.state import Home


@click.command()
@click.option("-c", "--container", default="", help="Which container; else the pod's default, or its first.")
@click.argument("source")
@click.argument("target")
@click.pass_obj
def command(settings: Settings, container: str, source: str, target: str) -> int:
    """Copy files: minirun pod cp web:/var/log ./log, minirun pod cp ./page.html web:/www

    Directories with all that is in them, as cp -r; modes and symbolic links are
    kept. The container needs no tar. A path without a / at its beginning starts at
    the container's working directory, and links lead nowhere outside of it. What
    is put into it belongs to the user that it runs as. A local file with a colon in
    its name is ./a:b.
    """
    from minirun.errors import UsageError
    from minirun.pod import copy

    if "-" in (source, target):
        raise UsageError(
            "pod cp: - is no place to copy from or to",
            "a tar archive on standard input or output is not supported",
            "minirun pod exec POD -- tar cf - DIR, or exec -i POD -- tar xf -; a file of that name is ./-",
        )
    (pod, inside), (other, outside) = _place(source), _place(target)
    if bool(pod) == bool(other):
        raise UsageError(
            "pod cp: one of the two has to be in a pod, and one outside",
            f"{source!r} and {target!r} are both {'in pods' if pod else 'local'}",
            "write POD:PATH for what is in a pod: minirun pod cp web:/etc/hosts .",
        )
    home = _container(settings, pod or other, container)
    record, pid = home.record(), _pid(home)
    theirs = copy.container(pod or other, pid, record.spec.process.cwd)
    if other:
        user = record.spec.process.user
        copy.become_owner(pid, user.uid, user.gid)
        copy.copy(copy.host(), inside, theirs, outside, _skipped)
    else:
        copy.copy(theirs, inside, copy.host(), outside, _skipped)
    return 0


def _place(word: str) -> tuple[str, str]:
    """``POD:PATH`` -> pod and path; a pod is "" for a local one."""
    pod, colon, path = word.partition(":")
    if not colon or not pod or "/" in pod or pod.startswith("."):
        return "", word
    return pod, path or "."


def _container(settings: Settings, pod: str, name: str) -> Home:
    from minirun.cli.pod.member import container_name, running
    from minirun.cli.pod.several import find
    from minirun.cli.pod.view import view

    seen = view(find(settings, pod))
    return running(seen, container_name(seen, name), "copy files of")


def _pid(home: Home) -> int:
    from minirun.container.execute import running_pid
    from minirun.container.oci import guest

    guest.refuse(home.record(), "copy files of")
    return running_pid(home, "copy files of")


def _skipped(path: str, kind: str) -> None:
    print(f"minirun: left out {path}: it is {kind}", file=sys.stderr, flush=True)
