"""The patterns that pods are for: the manifests of tutorials/13-patterns, beyond what its sessions show."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.needs import needs
from tests.patience import until
from tests.pod.living import Living, Pods, fetch, inode, printed

pytestmark = needs("root", "overlay", "memory", "cpu", "pids")

EXAMPLES = Path(__file__).resolve().parents[2] / "tutorials" / "13-patterns"


def made_of(pods: Pods, name: str) -> Living:
    """The pod of a manifest's own name."""
    pods.minirun("pod", "create", str(EXAMPLES / f"{name}.yaml"), check=True)
    return pods.find(name)


def test_sidecar(pods: Pods) -> None:
    """It has the first line, the lines after a crash of its own, and the last; they share a volume alone."""
    made = made_of(pods, "sidecar")
    until("it ships", lambda: printed(made.container("shipper")) == ["sidecar: open"])
    starts = [each.partition(" [")[2] for each in made.events if each.startswith("Started")]
    assert starts == ["shipper]", "shop]"]
    assert inode(made.pid("shop"), "mnt") != inode(made.pid("shipper"), "mnt")
    shop = made.pid("shop")
    pods.minirun("kill", made.container("shipper").id, check=True)
    until("the shipper is there again", lambda: made.of("shipper").restartCount == 1)
    until("it begins at the beginning", lambda: printed(made.container("shipper")) == ["sidecar: open"])
    assert made.pid("shop") == shop
    made("stop")
    assert printed(made.container("shipper")) == ["sidecar: open", "sidecar: closed"]


def test_ambassador(pods: Pods) -> None:
    """What the shop has asked localhost for came from another pod; nobody but the proxy knows which."""
    made = made_of(pods, "ambassador")
    stock = pods.find("stock")
    until("it is answered", lambda: made.log("shop") == ["7 apples"])
    assert stock.address != made.address
    assert inode(made.pid("shop"), "net") == inode(made.pid("proxy"), "net") != inode(stock.pause, "net")
    assert "STOCK" in Path(f"/proc/{made.pid('proxy')}/environ").read_text()
    assert "STOCK" not in Path(f"/proc/{made.pid('shop')}/environ").read_text()
    # Another answer of the other side's, and of nobody on the way.
    stock.exec("sh", "-c", "echo 6 apples >/www/apples", container="server")
    asked = made.exec("wget", "-qO-", "http://localhost:8000/apples", container="shop")
    assert asked == "6 apples\n"


def test_adapter(pods: Pods) -> None:
    """The numbers of now at the pod's address; 503, and not ready, when the shop does not tell them."""
    made = made_of(pods, "adapter")
    until("it is ready", lambda: made.condition("Ready") == "True")
    metrics = f"http://{made.address}:9100/metrics"
    assert metrics_of(metrics) == {"shop_orders_total": 0, "shop_apples_total": 0}
    for order in ("apple", "pear", "apple"):
        assert fetch(f"http://{made.address}:8080/cgi-bin/order?{order}") == "thank you"
    assert metrics_of(metrics) == {"shop_orders_total": 3, "shop_apples_total": 2}
    assert fetch(f"http://{made.address}:9100/other") == ""
    os.kill(made.pid("shop"), signal.SIGSTOP)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(metrics, timeout=10)
    until("the pod is not ready", lambda: made.condition("Ready") == "False")
    os.kill(made.pid("shop"), signal.SIGCONT)
    until("it is ready again", lambda: made.condition("Ready") == "True")


def metrics_of(url: str) -> dict[str, int]:
    """The counters in Prometheus' text; each has its type on the line before it."""
    lines = fetch(url).splitlines()
    found = {name: int(value) for name, value in (line.split() for line in lines[1::2])}
    assert lines[::2] == [f"# TYPE {name} counter" for name in found]
    return found


def test_init(pods: Pods) -> None:
    """What an init container has prepared, a server without any right may read, and it alone."""
    made = made_of(pods, "init")
    until("it answers", lambda: fetch(f"http://{made.address}:8080/") == "<h1>The shop in the pod init</h1>")
    assert made.ended("prepare").exitCode == 0
    assert made.exec("stat", "-c", "%u:%g %a", "/site/index.html", container="shop") == "0:1000 640\n"
