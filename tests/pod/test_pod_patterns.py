"""The patterns that pods are for, as manifests that run: sidecar, ambassador, adapter, init."""

from __future__ import annotations

from pathlib import Path

from tests.needs import needs
from tests.pod.living import Living, Pods, fetch, printed, until

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

MANIFESTS = Path(__file__).parent / "manifests" / "patterns"


def made_of(pods: Pods, name: str) -> Living:
    """The pod of a manifest's own name."""
    pods.minirun("pod", "create", str(MANIFESTS / f"{name}.yaml"), check=True)
    return pods.find(name)


def test_sidecar(pods: Pods) -> None:
    """A log shipper on a shared volume: it has the first line, the lines after a crash, and the last."""
    made = made_of(pods, "sidecar")
    shipper = made.container("shipper")
    until("it ships", lambda: printed(shipper) == ["shipped: started"])
    before = made.pid("shipper")
    pods.minirun("kill", made.container("app").id, check=True)
    until("the app is there again", lambda: made.of("app").restartCount == 1 and made.pid("app") > 0)
    until("it ships on", lambda: printed(shipper) == ["shipped: started"] * 2)
    assert made.pid("shipper") == before
    made("stop")
    assert printed(shipper)[-1] == "shipped: stopped"


def test_ambassador(pods: Pods) -> None:
    """The app speaks to localhost, and has its answer from another pod."""
    made = made_of(pods, "ambassador")
    until("it is answered", lambda: made.log("app") == ["from afar"])
    assert pods.find("backend").address != made.address


def test_adapter(pods: Pods) -> None:
    """The app's own numbers, as everybody's metrics, at the pod's address."""
    made = made_of(pods, "adapter")
    until("it is ready", lambda: made.condition("Ready") == "True")
    metrics = fetch(f"http://{made.address}:9100/cgi-bin/metrics")
    assert metrics.splitlines() == ["app_requests_total 7", "app_errors_total 1"]


def test_init(pods: Pods) -> None:
    """What an init container has prepared, a server without any right may read."""
    made = made_of(pods, "init")
    until("it answers", lambda: fetch(f"http://{made.address}:8080/") == "prepared for init")
    assert made.ended("prepare").exitCode == 0
