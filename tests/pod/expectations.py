"""What the first lines of tests/pod/manifests/*.yaml promise, and how one sees whether it came true.

# expect: [N pods] PHASE [REASON | Ready | NotReady] [with notes]
# expect: refused PATH...       the fields that validation names
# expect: not made REASON       what kept the sandbox, or a volume, from being made
# status: TEXT                  stands in `pod inspect --format yaml` then
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minirun.pod import state
from tests.conftest import Minirun
from tests.pod.living import Living, Pods

MANIFESTS = sorted((Path(__file__).parent / "manifests").glob("*.yaml"))
#: Where the manifests have files of the host's; the tests give them a directory of their own.
ON_THE_HOST = "/tmp/minirun-"
#: The volume that stays when its pod goes, as persistentVolumeClaims do.
CLAIM = "kept-by-pod"
#: Seconds that a pod is waited for: much more than one needs, on a machine that does four others.
PATIENCE = 45.0


def asked_for(request: pytest.FixtureRequest) -> list[Path]:
    """The manifests that the tests of the module, as far as they were chosen, have as ``manifest``."""
    items = [item for item in request.session.items if item.path == request.path]
    parameters = [item.callspec.params for item in items if hasattr(item, "callspec")]
    return [each["manifest"] for each in parameters]


@contextmanager
def place_on_the_host(directory: Path) -> Iterator[str]:
    """What ON_THE_HOST becomes: below ``directory``; mounts are shared there, as on most machines."""
    shared = directory / "propagation"
    shared.mkdir(parents=True)
    subprocess.run(["mount", "--bind", shared, shared], check=True)
    try:
        subprocess.run(["mount", "--make-shared", shared], check=True)
        yield f"{directory}/"
    finally:
        subprocess.run(["umount", "--recursive", shared], check=True)


def said_after(mark: str, text: str) -> list[str]:
    """What the lines say that begin with ``mark``."""
    return [line.removeprefix(mark) for line in text.splitlines() if line.startswith(mark)]


def created_names(said: str) -> list[str]:
    """The pods that `pod create` says it has made."""
    return [line.split("/")[1].removesuffix(" created") for line in said.splitlines()]


def wait_until_as_expected(minirun: Minirun, names: list[str], text: str) -> list[Living]:
    """The pods, once they are as the manifest ``text`` says; fails the test when they will not be."""
    expected = said_after("# expect: ", text)[0].removesuffix(" with notes").split()
    if expected[1:2] == ["pods"]:
        assert len(names) == int(expected[0])
        expected = expected[2:]
    store = Pods(minirun).store
    pods = [Living(minirun, state.Pods(store=store).find(name)) for name in names]
    deadline = time.monotonic() + PATIENCE
    for pod in pods:
        while not is_as(pod, *expected):
            if pod.is_over or time.monotonic() > deadline:
                pytest.fail(f"expected {' '.join(expected)}, and got:\n{story(pod)}")
            time.sleep(0.05)  # a look at a pod takes some ms of the CPU it needs
    return pods


def is_as(pod: Living, phase: str, more: str = "") -> bool:
    """Whether it is in the ``phase``, and in its status stands what ``more`` says."""
    status = pod.status
    containers = (*status.initContainerStatuses, *status.containerStatuses)
    if status.phase != phase:
        return False
    if more == "Ready":
        return pod.condition("Ready") == "True"
    if more == "NotReady":  # which every pod is at first: one that was asked, and is not
        return pod.condition("Ready") == "False" and any("Unhealthy" in line for line in pod.events)
    if more:
        return more in (status.reason, *(one.state.waiting.reason for one in containers if one.state.waiting))
    return phase != "Running" or all(one.state.running for one in containers)


def story(pod: Living) -> str:
    """What one wants to know of a pod that went another way."""
    status = pod.status
    lines = [f"{status.phase} {status.reason} {status.message}", *pod.events]
    for each in (*status.initContainerStatuses, *status.containerStatuses):
        lines += [f"{each.name}: {each.state}", *(pod.log(each.name) if pod.run(each.name).id else [])[-20:]]
    return "\n".join(lines)
