"""What can go wrong, as a tree; a branch owns its exit code.

Free to every layer. Whoever raises one says three things, a line each: what
failed, why, and what to do about it.

    MinirunError               125  minirun itself could not do it
    +-- UsageError             125  the words of the command are off
    +-- NotFound               125  no such container, image, network ...
    +-- Conflict               125  the name is taken, the state forbids it
    +-- InvalidInput           125  malformed JSON, YAML, tar, reference
    +-- Unsupported            125  the kernel or this host lacks what was asked
    +-- StepFailed             125  a system call of the plan failed
    +-- NotExecutable          126  the program is there and cannot be executed
    +-- ProgramNotFound        127  there is no such program in the container

The numbers are docker's: 125, 126, 127, and 128+N for a program that died of
signal N. ``reason`` and ``hint``, below, say an errno in words.
"""

from __future__ import annotations

import os


class MinirunError(Exception):
    """An error that a user can read.

    Arguments: what failed, why it failed, and the remedy; each one line.
    ``str()`` gives those lines, empty ones left out.
    """

    exit_code = 125

    def __init__(self, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why, remedy)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.remedy:
            lines.append(f"  try: {self.remedy}")
        return "\n".join(lines)


class UsageError(MinirunError):
    """The words of the command do not make sense."""


class NotFound(MinirunError):
    """Nothing goes by that name."""


class Conflict(MinirunError):
    """The name is taken, or the state of the thing forbids the operation."""


class InvalidInput(MinirunError):
    """A file or a value from outside is malformed."""


class Unsupported(MinirunError):
    """The kernel, its configuration or this host lacks what was asked for."""


class StepFailed(MinirunError):
    """A step of a plan failed, so what the plan promised does not exist."""


class NotExecutable(MinirunError):
    """The program exists in the container and cannot be executed."""

    exit_code = 126


class ProgramNotFound(MinirunError):
    """The container has no such program."""

    exit_code = 127


#: By name, for an error that crosses a process boundary (container/channel.py).
BY_NAME: dict[str, type[MinirunError]] = {
    kind.__name__: kind
    for kind in (
        MinirunError,
        UsageError,
        NotFound,
        Conflict,
        InvalidInput,
        Unsupported,
        StepFailed,
        NotExecutable,
        ProgramNotFound,
    )
}


def reason(error: OSError) -> str:
    """``ENOENT (No such file or directory)``."""
    import errno

    number = error.errno or 0
    name = errno.errorcode.get(number, str(number))
    text = os.strerror(number) if number else str(error)
    if (error.strerror or "").startswith(f"{text}: "):
        text = str(error.strerror)  # the kernel has said more (linux/netlink.py)
    place = f": {error.filename}" if error.filename else ""
    return f"{name} ({text}){place}"


def printable(text: str) -> str:
    """A line that a stranger wrote, without what would command the terminal that it is shown on."""
    return "".join(sign if sign.isprintable() else " " if sign == "\t" else "?" for sign in text)


def one_line(text: str) -> str:
    """A stranger's text so that it fits into a line of an error."""
    return printable(" ".join(text.split()))[:2000]


def hint(error: OSError) -> str:
    """What to do about an errno, where the call itself did not say."""
    import errno

    given = getattr(error, "remedy", "")
    if given:
        return str(given)
    return {
        errno.EPERM: "run it as root, or look at `minirun doctor`",
        errno.EACCES: "run it as root; with --userns, let others pass to the store (chmod o+x above it)",
        errno.ENOSPC: "free some space, or raise the limit (user.max_*_namespaces counts too)",
        errno.ENOMEM: "free some memory, or raise the limit",
        errno.ENOSYS: "this kernel is too old: look at `minirun doctor`",
        errno.EINVAL: "look at `minirun doctor`: the kernel may lack a feature",
    }.get(error.errno or 0, "look at `minirun explain` for the step, and at its man page")
