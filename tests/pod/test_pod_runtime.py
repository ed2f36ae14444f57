"""runtimeClassName: the sandbox and all members of a pod are made by that runtime."""

from __future__ import annotations

import pytest

from tests.needs import missing, needs
from tests.patience import until
from tests.pod.living import FOREVER, Pods, app, fetch, pod, server

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

VOLUME = {"name": "shared", "mountPath": "/shared"}
SHM = "echo seen >/dev/shm/seen; "


@pytest.mark.parametrize("runtime", ["runc", "runsc"])
def test_a_pod_of_another_runtime(pods: Pods, runtime: str) -> None:
    """Init container, volume, probes, address, shared memory, exec, a restart, and the end: as in any pod."""
    if missing(runtime):
        pytest.skip(f"this machine lacks: {runtime}")
    probe = {"exec": {"command": ["cat", "/dev/shm/seen"]}, "periodSeconds": 1}
    web = app(SHM + server("well"), "web", readinessProbe=probe, volumeMounts=[VOLUME])
    other = app(
        f"test -e /shared/again || {{ touch /shared/again; exit 3; }}; {FOREVER}",
        "other",
        volumeMounts=[VOLUME],
    )
    made = pods.create(
        pod(
            "foreign",
            web,
            other,
            initContainers=[app("echo prepared >/shared/file", "first", volumeMounts=[VOLUME])],
            runtimeClassName=runtime,
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )
    until("it is ready", lambda: made.condition("Ready") == "True" and made.of("other").restartCount == 1)
    assert made.ended("first").exitCode == 0
    assert made.exec("cat", "/shared/file", "/dev/shm/seen", container="other") == "prepared\nseen\n"
    until("it answers", lambda: fetch(f"http://{made.address}") == "well")
    kernel = made.exec("uname", "-r", container="web").strip()
    assert (kernel == "4.4.0") == (runtime == "runsc")  # what gVisor says of itself
    joined = pods.minirun("run", "--rm", "--pod", "foreign", "busybox", "cat", "/dev/shm/seen")
    assert (joined.returncode, joined.stdout) == (0, "seen\n"), joined.stderr
    told = pods.minirun("inspect", "-f", "{{.runtime}}", "foreign_web").stdout.strip()
    assert told.endswith(f"/{runtime}")


def test_a_class_that_is_not_there(pods: Pods) -> None:
    """As kubelet has it: such a pod is not made, and the message names the runtime."""
    done = pods.command(pod("none", app(), runtimeClassName="nosuch"))
    assert done.returncode == 125
    assert "there is no OCI runtime nosuch on this host" in done.stderr
    assert pods.minirun("pod", "ps", "-q").stdout == ""
