"""``minirun pod apply``: other data reaches a pod that goes on; a Deployment becomes smaller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Pods, app, data, pod

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

ALL = "cat /files/word /secret/word /part; echo $WORD"


def apply(pods: Pods, *documents: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Of the pods' manifest."""
    return pods.minirun("pod", "apply", "-", input="\n---\n".join(map(json.dumps, documents)))


def words(config_map: str, secret: str, **more: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two pieces of data."""
    return (
        {**data("ConfigMap", "c", {"word": f"{config_map}\n"}), **more},
        data("Secret", "s", {"word": f"{secret}\n"}),
    )


def test_other_data_reaches_a_pod_that_goes_on(pods: Pods) -> None:
    """Files change all at once; a variable, and a part that is mounted by itself, with the next start."""
    mounts = [
        {"name": "files", "mountPath": "/files"},
        {"name": "secret", "mountPath": "/secret"},
        {"name": "files", "mountPath": "/part", "subPath": "word"},
    ]
    manifest = pod(
        "told",
        app(
            FOREVER,
            volumeMounts=mounts,
            env=[{"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "word"}}}],
            readinessProbe={"exec": {"command": ["true"]}},  # so that a supervisor is there all the time
        ),
        volumes=[
            {"name": "files", "configMap": {"name": "c", "items": [{"key": "word", "path": "word"}]}},
            {"name": "secret", "secret": {"secretName": "s"}},
        ],
    )
    assert apply(pods, *words("one", "red"), manifest).stdout == "pod/told created\n"
    made = pods.find("told")
    until("its supervisor is there", lambda: len(made.supervisors()) == 1)
    (supervisor,) = made.supervisors()
    before = made.run().id, made.exec("readlink", "/files/..data")
    assert made.exec("sh", "-c", ALL).split() == ["one", "red", "one", "one"]

    done = apply(pods, *words("two", "blue"), manifest)
    assert (done.returncode, done.stdout) == (0, "pod/told configured\n"), done.stderr
    assert "minirun pod restart told" in done.stderr
    assert made.exec("sh", "-c", ALL).split() == ["two", "blue", "one", "one"]
    assert made.run().id == before[0] and made.exec("readlink", "/files/..data") != before[1]
    assert made.supervisors() == [supervisor]
    assert apply(pods, *words("two", "blue"), manifest).stdout == "pod/told unchanged\n"

    os.kill(made.pid(), signal.SIGKILL)
    until("it runs again", lambda: made.of().restartCount == 1 and made.pid() != 0)
    assert made.exec("sh", "-c", ALL).split() == ["two", "blue", "two", "two"]

    # A key that is wanted and lacks: the files stay as they are.
    assert apply(pods, data("ConfigMap", "c", {}), data("Secret", "s", {}), manifest).returncode == 0
    assert made.exec("sh", "-c", ALL).split() == ["two", "blue", "two", "two"]
    assert any(line.startswith("FailedMount: ConfigMap 'c' has no key 'word'") for line in made.events)


def test_what_says_immutable_does_not_change(pods: Pods) -> None:
    """Neither does the pod, then."""
    assert apply(pods, *words("one", "red", immutable=True), pod("x", app())).returncode == 0
    uid = pods.find("x").home.uid
    refused = apply(pods, *words("two", "red", immutable=True), pod("x", app()))
    assert refused.returncode == 125 and "ConfigMap c cannot change" in refused.stderr
    assert apply(pods, *words("one", "blue", immutable=True), pod("x", app())).stdout == "pod/x configured\n"
    assert pods.find("x").home.uid == uid


def test_a_deployment_becomes_smaller(pods: Pods, tmp_path: Path) -> None:
    """What it does not ask for any more goes, and `down` takes all of it, whatever the file says now."""

    def deployment(replicas: int) -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [app()]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}

    def names() -> list[str]:
        return pods.minirun("pod", "ps", "-a", "--format", "{{.Name}}", check=True).stdout.split()

    apply(pods, deployment(3), pod("web-9", app()))
    assert names() == ["web-0", "web-1", "web-2", "web-9"]
    done = apply(pods, deployment(1))
    assert done.stdout.splitlines() == ["pod/web-0 unchanged", "pod/web-2 deleted", "pod/web-1 deleted"]
    file = tmp_path / "none.yaml"
    file.write_text(json.dumps(deployment(0)))
    done = pods.minirun("pod", "down", str(file), check=True)
    assert (done.stdout, names()) == ("pod/web-0 deleted\n", ["web-9"])
    nothing = apply(pods, deployment(0))
    assert (nothing.returncode, nothing.stdout) == (0, "") and "asks for no pod" in nothing.stderr
