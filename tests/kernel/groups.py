"""Cgroups without containers: a group with limits, and forked processes that go beyond them.

``Groups.make`` makes one by minirun's own steps; leaving the ``with`` kills and
removes them all. The processes here are functions that return an exit status.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minirun.isolation import cgroups
from minirun.isolation.cgroups import making
from minirun.isolation.cgroups.layout import Layout
from minirun.spec import Linux, Process, Resources, Spec
from minirun.steps import HOST, INIT, Walk

MIB = 1 << 20
HERE = cgroups.layout()


class Container:
    """A group and the processes that a test starts in it."""

    def __init__(self, spec: Spec, layout: Layout) -> None:
        self.spec = spec
        self.layout = layout
        self.started: list[int] = []
        self.walk = Walk(list(cgroups.host_steps(spec, layout)), HOST)

    @property
    def directories(self) -> tuple[str, ...]:
        return cgroups.directories(self.spec, self.layout)

    def file(self, name: str) -> Path:
        """A file of its group in the v2 tree."""
        return Path(self.layout.v2 + self.spec.linux.cgroupsPath, name)

    def text(self, name: str) -> str:
        """What that file says."""
        return self.file(name).read_text().strip()

    def count(self, file: str, word: str) -> int:
        """The number in the line ``word number`` of such a file."""
        return int(dict(line.split() for line in self.text(file).splitlines())[word])

    def start(self, what: Callable[[], int]) -> int:
        """Forks a process that joins the group, does ``what`` and exits with its result."""
        pid = os.fork()
        if pid:
            self.started.append(pid)
            return pid
        status = 99
        try:
            Walk(list(cgroups.join_steps(self.spec, self.layout, v2=True)), INIT).run()
            status = what()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def run(self, what: Callable[[], int]) -> int:
        """The same, waited for: its exit status, or minus the signal it died of."""
        return self.wait(self.start(what))

    def wait(self, pid: int) -> int:
        _, status = os.waitpid(pid, 0)
        self.started.remove(pid)
        return os.waitstatus_to_exitcode(status)

    def remove(self) -> None:
        cgroups.kill(self.directories)
        for pid in self.started:
            os.waitpid(pid, 0)
        cgroups.remove(self.directories)


class Groups:
    """Makes groups with some resources, and removes them in the end."""

    def __init__(self) -> None:
        self.made: list[Container] = []

    def __enter__(self) -> Groups:
        return self

    def __exit__(self, *_: object) -> None:
        for container in reversed(self.made):
            container.remove()
            assert not any(map(os.path.exists, container.directories))
            cgroups.remove_parents(container.directories)

    def make(
        self, layout: Layout = HERE, leaf: str = "", below: str = "/minirun", **resources: Any
    ) -> Container:
        """One group, by the steps of a container that has these ``resources``."""
        path = f"{below}/minirun-test-{os.getpid()}-{len(self.made)}"
        spec = Spec(
            process=Process(args=("true",)),
            annotations={"minirun.leaf": leaf} if leaf else {},
            linux=Linux(cgroupsPath=path, resources=Resources(**resources)),
        )
        container = Container(spec, layout)
        self.made.append(container)
        # The shared group above goes with the last container of anybody on this machine.
        container.walk = making.walked(lambda: cgroups.host_steps(spec, layout))
        return container


def sleeping() -> int:
    signal.pause()
    return 0


def allocating() -> int:
    block = bytearray(64 * MIB)
    return block[-1]


def burning() -> int:
    while True:
        pass


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Asks again until ``true``: for what the kernel announces to no one."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        os.sched_yield()
