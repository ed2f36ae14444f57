"""Probes at work: liveness restarts, readiness shows in the conditions, startup holds the others back."""

from __future__ import annotations

import os
from typing import Any

from tests.needs import needs
from tests.patience import until
from tests.pod.living import FOREVER, Pods, app, pod, server

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

#: Asked often; to answer they have longer than the usual second, in which a busy machine starts nothing.
FAST = {"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 20}


def by_file(path: str, **fields: Any) -> dict[str, Any]:
    """A probe that passes while a file is there."""
    return {"exec": {"command": ["test", "-e", path]}, **FAST, **fields}


def test_readiness_by_exec(pods: Pods) -> None:
    """Not ready, ready, not ready: the pod's condition follows, and nothing is restarted."""
    made = pods.create(pod("ready", app(readinessProbe=by_file("/tmp/ready")), app(name="other")))
    until("it runs", lambda: made.phase == "Running")
    assert made.condition("Ready") == made.condition("ContainersReady") == "False"
    assert made.of("other").ready and not made.of().ready
    made.exec("touch", "/tmp/ready")
    until("it is ready", lambda: made.condition("Ready") == "True")
    made.exec("rm", "/tmp/ready")
    until("it is not any more", lambda: made.condition("Ready") == "False")
    assert made.of().restartCount == 0
    assert any(line.startswith("Unhealthy") for line in made.events)
    assert len(made.supervisors()) == 1  # somebody has to ask


def test_readiness_over_the_network(pods: Pods) -> None:
    """httpGet and tcpSocket come from outside: the image needs no client."""
    http = {"httpGet": {"path": "/", "port": "web"}, **FAST}
    missing = {"httpGet": {"path": "/nothing", "port": 80}, **FAST}
    made = pods.create(
        pod(
            "net",
            app(server("ok"), ports=[{"name": "web", "containerPort": 80}], readinessProbe=http),
            app(server("ok", 81), "socket", readinessProbe={"tcpSocket": {"port": 81}, **FAST}),
            app(FOREVER, "closed", readinessProbe={"tcpSocket": {"port": 82}, **FAST}),
            app(FOREVER, "missing", readinessProbe=missing),
        )
    )
    until("two are ready", lambda: made.of("app").ready and made.of("socket").ready)
    until("the others were asked", lambda: {"missing", "closed"} <= asked(made.events))
    assert not made.of("closed").ready and not made.of("missing").ready
    assert any("404" in line for line in made.events if "[missing]" in line)


def asked(events: list[str]) -> set[str]:
    """The containers of which a probe has failed."""
    return {line.rpartition(" [")[2].rstrip("]") for line in events if line.startswith("Unhealthy: ")}


def test_liveness_restarts(pods: Pods) -> None:
    """The container is stopped and started anew, in the same sandbox; its end says why."""
    ill = app(
        "touch /tmp/alive; " + FOREVER,
        startupProbe=by_file("/tmp/alive", failureThreshold=100),  # it may be asked before it has begun
        livenessProbe=by_file("/tmp/alive"),
    )
    made = pods.create(pod("alive", ill, app(name="other")))
    until("it runs", lambda: made.phase == "Running" and made.pid() > 0)
    sandbox = made.pause
    until("it has begun", lambda: bool(made.of().started))
    made.exec("rm", "/tmp/alive")
    until("it was restarted", lambda: made.of().restartCount == 1 and made.pid() > 0)
    ended = made.run().last
    assert ended and ended.stopped == "LivenessProbe"
    assert made.pause == sandbox and made.of("other").restartCount == 0
    until("it runs", lambda: made.phase == "Running")
    assert "Killing: Container app failed liveness probe, will be restarted [app]" in made.events


def test_startup_holds_the_others_back(pods: Pods) -> None:
    """Until it has passed nobody asks for liveness, and the app behind a sidecar is not started."""
    sidecar = app(
        name="sidecar",
        restartPolicy="Always",
        startupProbe=by_file("/tmp/started", failureThreshold=100),
        livenessProbe=by_file("/tmp/alive"),
    )
    made = pods.create(pod("slow", app(), initContainers=[sidecar]))
    failed = "Startup probe failed"
    until("it was asked twice", lambda: len([line for line in made.events if failed in line]) >= 2)
    assert made.phase == "Pending" and made.run("app").state == "none"
    assert made.of("sidecar").restartCount == 0 and made.of("sidecar").started is False
    made.exec("touch", "/tmp/started", "/tmp/alive", container="sidecar")
    until("the app runs", lambda: made.phase == "Running")
    assert made.of("sidecar").started is True and made.of("sidecar").restartCount == 0


def test_a_startup_that_never_comes(pods: Pods) -> None:
    """failureThreshold times: killed, and started anew."""
    made = pods.create(pod("never", app(startupProbe=by_file("/nowhere", failureThreshold=2))))
    until("it was restarted", lambda: made.of().restartCount == 1)
    ended = made.run().last
    assert ended and ended.stopped == "StartupProbe"


def test_probes_go_on_after_a_kill(pods: Pods) -> None:
    """The supervisor is killed: the next one asks in its place."""
    made = pods.create(pod("asked", app(readinessProbe=by_file("/tmp/ready"))))
    until("somebody asks", lambda: bool(made.supervisors()) and "app" in asked(made.events))
    for pid in made.supervisors():
        os.kill(pid, 9)
    until("it is dead", lambda: not made.supervisors())
    made.exec("touch", "/tmp/ready")
    pods.minirun("pod", "ps", check=True)
    until("it is ready", lambda: made.condition("Ready") == "True")
