"""Somebody flushes all rules of the host: the next start makes minirun's anew, for those who run too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leaks import wait_for
from tests.needs import needs
from tests.network import inside
from tests.network.inside import Inside

pytestmark = needs("root", "overlay", "nft", "ip", "nsenter")

SERVER = "mkdir /w; echo page > /w/index.html; httpd -p 80 -h /w; echo ready; exec sleep 1000"


@pytest.fixture
def net(test_dir: Path, busybox_archive: Path) -> Iterator[Inside]:
    with inside.made(test_dir / "flush", busybox_archive, Inside) as made:
        yield made


def start(net: Inside, name: str, *flags: str) -> None:
    net("run", "-d", "--name", name, *flags, "busybox", "sh", "-c", SERVER, check=True)
    with net.popen("logs", "-f", name, stdout=-1) as log:
        assert log.stdout.readline() == b"ready\n"
        log.kill()


def elements(net: Inside) -> dict[str, list[object]]:
    """What is in the sets and maps of minirun's table."""
    found = json.loads(net.there("nft", "-j", "list", "table", "inet", "minirun"))["nftables"]
    return {
        one[kind]["name"]: sorted(one[kind].get("elem", []), key=str)
        for one in found
        for kind in ("set", "map")
        if kind in one
    }


def published(net: Inside, port: int) -> set[str]:
    """The maps that have the host's port."""
    return {name for name, found in elements(net).items() for one in found if str(port) in str(one)}


def fetched(net: Inside, port: int) -> str:
    return net.there("wget", "-q", "-O", "-", "-T", "5", f"http://127.0.0.1:{port}/")


@needs("wget")
@pytest.mark.parametrize("starter", ["run", "start", "connect"])
def test_the_next_start_brings_all_back(net: Inside, starter: str) -> None:
    """Of all networks; whoever has ended meanwhile is not published again."""
    for network in ("one", "two", "three"):
        net("network", "create", network, check=True)
    start(net, "web", "--network", "one", "-p", "8080:80", "-p", "[::]:5353:53/udp")
    start(net, "shop", "--network", "two", "-p", "127.0.0.1:8081:80")
    start(net, "ended", "--network", "two", "-p", "8082:80")
    start(net, "other", "--network", "three", "-p", "8083:80")
    net("stop", "-t", "0", "other", check=True)
    assert not wait_for(lambda: published(net, 8083))  # who has ended is cleaned up after by its monitor
    before = elements(net)
    assert fetched(net, 8080) == fetched(net, 8081) == "page\n"

    net.there("nft", "flush", "ruleset")
    net("rm", "-f", "ended", check=True)
    if starter == "run":
        net("run", "--rm", "--network", "three", "busybox", "true", check=True)
    elif starter == "start":
        net("start", "other", check=True)
        assert published(net, 8083)
        net("stop", "-t", "0", "other", check=True)
        assert not wait_for(lambda: published(net, 8083))
    else:
        net("network", "connect", "three", "web", check=True)
    before = {name: [one for one in found if "8082" not in str(one)] for name, found in before.items()}
    assert elements(net) == before
    assert fetched(net, 8080) == fetched(net, 8081) == "page\n"

    net.remove_all()
    assert not any(published(net, port) for port in (8080, 8081, 8083, 5353))
    assert not list((net.state / "ports").glob("*-*"))
