"""What a test needs from its machine, said above the test.

``@needs("root", "overlay")`` skips the test where something is missing, and the
skip names it; `.ci/run` counts the skips. A need is a word from PROBES (a fact
about the kernel or the user) or, failing that, the name of a program.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def _filesystem(name: str) -> bool:
    return any(line.split()[-1] == name for line in Path("/proc/filesystems").read_text().splitlines())


def _controller(name: str, only: str = "") -> bool:
    """The controller is mounted, as v1 or through v2, or ``only`` in one of them."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        mountpoint = Path(fields.split()[4])
        if only and kind != only:
            continue
        if kind == "cgroup" and name in options.split(","):
            return True
        if kind == "cgroup2" and name in (mountpoint / "cgroup.controllers").read_text().split():
            return True
    return False


def _mounted(kind: str) -> bool:
    return f" - {kind} " in Path("/proc/self/mountinfo").read_text()


def _opens(device: str) -> bool:
    """It can be opened to read and write: more than access(2) knows of a device."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


PROBES: dict[str, Callable[[], bool]] = {
    "root": lambda: os.geteuid() == 0,
    "overlay": lambda: _filesystem("overlay"),
    "cgroup1": lambda: _mounted("cgroup"),
    "cgroup2": lambda: _mounted("cgroup2"),
    "cgroup2-memory": lambda: _controller("memory", "cgroup2"),
    "memory": lambda: _controller("memory"),
    "cpu": lambda: _controller("cpu"),
    "cpuset": lambda: _controller("cpuset"),
    "pids": lambda: _controller("pids"),
    "io": lambda: _controller("io") or _controller("blkio"),
    "devices": lambda: _controller("devices") or _mounted("cgroup2"),
    "userns": lambda: os.path.exists("/proc/self/ns/user"),
    "timens": lambda: os.path.exists("/proc/self/ns/time"),
    "seccomp": lambda: os.path.exists("/proc/sys/kernel/seccomp"),
    "kvm": lambda: _opens("/dev/kvm"),
    "CAP_SYS_RESOURCE": lambda: bool(_effective() >> 24 & 1),
}


def _effective() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("CapEff:")[1].split()[0], 16)


@functools.cache
def missing(need: str) -> bool:
    """Whether this machine lacks ``need``."""
    probe = PROBES.get(need)
    return not probe() if probe else shutil.which(need) is None


def needs(*what: str) -> pytest.MarkDecorator:
    """Skips the test, naming what is missing, unless all of ``what`` is there."""
    lacking = [need for need in what if missing(need)]
    return pytest.mark.skipif(bool(lacking), reason=f"this machine lacks: {', '.join(lacking)}")
