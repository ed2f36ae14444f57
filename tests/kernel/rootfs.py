"""Walks steps in a mount namespace of a forked child, and looks at what came out.

Shared by the tests of mounts, overlay and devices.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from minirun.errors import MinirunError
from minirun.isolation import devices, mounts, overlay
from minirun.linux.namespace import CloneFlag, unshare
from minirun.spec import Linux, Mount, Process, Root, Spec
from minirun.steps import HOST, INIT, Step, Walk
from minirun.values import replace


def make_spec(root: Path, mounts: Sequence[Mount] = (), **linux: Any) -> Spec:
    """A container with one layer below ``root``/layer and its own directories beside it."""
    layer = root / "layer"
    layer.mkdir(exist_ok=True)
    return Spec(
        id="test",
        process=Process(args=("true",)),
        root=Root(
            path=str(root / "rootfs"),
            layers=(str(layer),),
            upperdir=str(root / "upper"),
            workdir=str(root / "work"),
        ),
        mounts=tuple(mounts),
        linux=Linux(**linux),
    )


def filesystem(spec: Spec) -> list[Step]:
    """The steps of the container's file system, in the order of container/plan.py."""
    return [
        *overlay.host_steps(spec),
        *mounts.host_steps(spec),
        *mounts.private_root(spec),
        *overlay.mount(spec),
        *mounts.populate(spec),
        *devices.steps(spec),
        *mounts.pivot(spec),
        *mounts.protect(spec),
    ]


@contextlib.contextmanager
def host_side(steps: Sequence[Step]) -> Iterator[Walk]:
    """Does the host's steps, and takes them back."""
    walk = Walk(steps, HOST)
    try:
        walk.run()
        yield walk
    finally:
        walk.undo()


def inside(spec: Spec, look: Callable[[], Any], flags: CloneFlag = CloneFlag.NEWNS) -> Any:
    """What ``look`` says in a container's file system."""
    steps = filesystem(spec)
    with host_side(steps) as walk:
        return in_child(lambda: (Walk(steps, INIT, dict(walk.results)).run(), look())[1], flags)


def failure(spec: Spec, look: Callable[[], Any] = lambda: "it ran") -> str:
    """The error that a container's file system ends in. Fails the test if there is none."""
    with pytest.raises(AssertionError) as caught:
        raise AssertionError(f"no error: {inside(spec, look)}")
    assert not str(caught.value).startswith("no error"), caught.value
    return str(caught.value)


#: A user namespace, and those that it then owns.
OWNED = CloneFlag.NEWUSER | CloneFlag.NEWNS | CloneFlag.NEWIPC | CloneFlag.NEWNET | CloneFlag.NEWPID


def in_user_namespace(work: Callable[[], Any], first: int, kinds: CloneFlag = OWNED) -> Any:
    """``work`` as root of a new user namespace, with the host's ids from ``first``."""
    mapped, say_mapped = os.pipe()
    made, say_made = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        try:
            os.close(say_made)
            pid = int(os.read(made, 16))
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{pid}/{name}").write_text(f"0 {first} 65536")
            os.write(say_mapped, b"x")
        finally:
            os._exit(0)

    def root_inside() -> Any:
        os.write(say_made, str(os.getpid()).encode())
        os.read(mapped, 1)
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        return in_child(work)  # forked once more: PID 1 of the new PID namespace

    try:
        return in_child(root_inside, kinds)
    finally:
        for end in (mapped, say_mapped, made, say_made):
            os.close(end)
        os.waitpid(mapper, 0)


def in_child(work: Callable[[], Any], flags: CloneFlag = CloneFlag.NEWNS) -> Any:
    """The result of ``work`` in a child with its own mount namespace, through JSON.

    An error in the child fails the test with its text.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer: Any = {"error": "it died"}
        try:
            unshare(flags | CloneFlag.NEWNS)
            answer = work()
        except (MinirunError, OSError) as error:
            answer = {"error": str(error)}
        except BaseException:
            answer = {"error": traceback.format_exc()}
            traceback.print_exc(file=sys.stderr)
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    answer = json.loads(text)
    if isinstance(answer, dict) and "error" in answer:
        raise AssertionError(answer["error"])
    return answer


def mountinfo() -> dict[str, dict[str, str]]:
    """Mount point -> the last mount there: its options, type, source, super options, propagation."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        kind, source, superblock = after.split(" ", 2)
        found[fields[4]] = {
            "options": fields[5],
            "tags": " ".join(fields[6:]),
            "type": kind,
            "source": source,
            "super": superblock,
        }
    return found


def with_root(spec: Spec, **changes: Any) -> Spec:
    """``spec`` with another ``root``."""
    return replace(spec, root=replace(spec.root, **changes))


def hosts_mountinfo() -> dict[str, dict[str, str]]:
    """The same for comparing two moments: without what other sessions of tests mount in between."""
    others = ("/run/netns/", f"{tempfile.gettempdir()}/minirun-tests.")
    return {point: about for point, about in mountinfo().items() if not point.startswith(others)}
