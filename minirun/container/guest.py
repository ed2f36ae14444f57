"""The process of an exec: the container's own, with another program.

Layer ``container``. Environment, user and capabilities follow docker's rules:
what the container's program has, unless ``exec`` says otherwise.
"""

from __future__ import annotations

import os

from minirun.container.options import ExecOptions
from minirun.container.state import Home
from minirun.image import lookup
from minirun.isolation import privileges
from minirun.linux import capability
from minirun.linux.path import Resolve, openat2
from minirun.spec import Box, Process, Spec, User
from minirun.values import replace


def process_of(home: Home, spec: Spec, options: ExecOptions) -> Process:
    """What ``exec`` shall run in the container of ``spec``. Raises what is wrong with the wish."""
    own = spec.process
    user, env = own.user, own.env
    if options.user:
        user, env = _user(home, own, options.user)
    allowed = own.capabilities.bounding
    if options.privileged:
        allowed = capability.available()
    return replace(
        own,
        args=options.command,
        env=_environment(env, options),
        cwd=options.workdir or own.cwd,
        terminal=options.tty,
        consoleSize=_console_size() if options.tty else None,
        user=user,
        capabilities=privileges.sets(allowed, user.uid),
    )


def _environment(own: tuple[str, ...], options: ExecOptions) -> tuple[str, ...]:
    named = {item.partition("=")[0]: item for item in own}
    if options.tty:
        named.setdefault("TERM", "TERM=xterm")
    named.update((item.partition("=")[0], item) for item in options.env)
    return tuple(named.values())


def _console_size() -> Box | None:
    """Of the first of our streams that is a terminal."""
    for fd in range(3):
        try:
            size = os.get_terminal_size(fd)
        except OSError:
            continue
        return Box(height=size.lines, width=size.columns)
    return None


def _user(home: Home, own: Process, wanted: str) -> tuple[User, tuple[str, ...]]:
    """``-u`` by the files of the running container, which may have changed since its image.

    A HOME that was only derived from the container's own user is the new one's then.
    """
    root = os.open(f"/proc/{home.live_pid()}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        passwd, group = _file(root, "etc/passwd"), _file(root, "etc/group")
    finally:
        os.close(root)
    found = lookup.parse_user(wanted, passwd, group)
    before = lookup.parse_user(str(own.user.uid), passwd, group)
    derived = f"HOME={before.home or '/'}"
    env = tuple(f"HOME={found.home or '/'}" if item == derived else item for item in own.env)
    user = replace(own.user, uid=found.uid, gid=found.gid, additionalGids=found.additional_gids)
    return user, env


def _file(root: int, path: str) -> bytes:
    try:
        fd = openat2(root, path, os.O_RDONLY, resolve=Resolve.IN_ROOT | Resolve.NO_MAGICLINKS)
    except OSError:
        return b""
    with os.fdopen(fd, "rb") as file:
        return file.read(1 << 20)
