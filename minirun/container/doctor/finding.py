"""What a check found: the noun of the doctor. Read ``kernel.py`` next."""

from __future__ import annotations

import os

from minirun.values import Value

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(Value):
    """One line of the report. ``fix`` is empty where there is nothing to do."""

    name: str
    status: str
    finding: str
    fix: str = ""


def ok(name: str, finding: str) -> Finding:
    """All is well."""
    return Finding(name=name, status=OK, finding=finding)


def warn(name: str, finding: str, fix: str) -> Finding:
    """Containers start; some feature will be refused."""
    return Finding(name=name, status=WARN, finding=finding, fix=fix)


def fail(name: str, finding: str, fix: str) -> Finding:
    """Containers do not start."""
    return Finding(name=name, status=FAIL, finding=finding, fix=fix)


def is_root() -> bool:
    """Whether the checks that try things out can be made."""
    return os.geteuid() == 0


def takes_root(name: str) -> Finding:
    """For a check that could not be made."""
    return warn(name, "not looked at: trying it takes root", "sudo minirun doctor")


def existing(path: str) -> str:
    """``path``, or the nearest directory above it that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def word(path: str) -> str:
    """The first word in a file of /proc or /sys; "" where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return (file.read().split() or [""])[0]
    except OSError:
        return ""
