"""Bytes and round trips from the host to a container: by its bridge, and by a published port.

Each contestant has a host of its own, a network namespace whose uplink is as wide
as the machine's. So both are there at once and take short turns, no packet of
the one meets the other's rules, and what they leave goes with the namespace.
In it a container is started as always. The servers come from outside, by
nsenter(1) into the container's network namespace: its image has none, and its
limit of CPU and its filter of system calls are not what is measured here.

The ends are pinned: a stream has two CPUs, a round trip one. Where the scheduler
may choose, a round trip takes four times as long whenever another CPU has to be
woken, which is luck and not the network. Read ``ping_pong.py`` next.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minirun.linux.netlink_listing import default_mtu
from tests.bench.bench_network import NETWORKS
from tests.bench.harness import Row, in_turns, judged, output, ratio, spread
from tests.bench.peers import FOREVER

ROUNDS = 30
BYTES, SECONDS = "500M", "0.3"  # of a round: short, so that a round's two meet the same machine
LEAST = 0.95
OWN, GATEWAY = "198.51.100.2", "198.51.100.1"  # of an uplink that leads nowhere
INSIDE = "5201"
PORTS = itertools.count(38080)  # one for each site, for two may be in one store
PING_PONG = (sys.executable, "-I", str(Path(__file__).with_name("ping_pong.py")))
CPUS = sorted(os.sched_getaffinity(0))
ONE_CPU = ("taskset", "--cpu-list", str(CPUS[0]))


@dataclass(frozen=True)
class Site:
    """A container and the host that it is on: how to run something in the network of each."""

    host: tuple[str, ...]
    container: tuple[str, ...]
    address: str
    published: str
    mtu: int


#: What somebody on the host asks for, to reach the container.
WAYS: dict[str, Callable[[Site], tuple[str, str]]] = {
    "the container's address": lambda site: (site.address, INSIDE),
    "a published port at the host's address": lambda site: (OWN, site.published),
    "a published port at 127.0.0.1": lambda site: ("127.0.0.1", site.published),
}


def rows(contestants: dict[str, Any]) -> list[Row]:
    """Streams and round trips, each by all ways. More is better here."""
    missing = [name for name in ("podman", "iperf3") if not shutil.which(name)]
    if missing:
        return [Row("traffic to a container", "not measured", f"{missing[0]} is not here")]
    with ExitStack() as after:
        minirun = after.enter_context(started(contestants["minirun"], NETWORKS["minirun"]))
        try:
            podman = after.enter_context(started(contestants["podman"], NETWORKS["podman"]))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].replace("|", "/")[:200]
            return [Row("traffic to a container", "not measured", f"podman's bridge: {reason}")]
        if minirun.mtu == podman.mtu:
            return compared(minirun, podman)
        as_wide = after.enter_context(widened(contestants["minirun"], podman.mtu))
        return [*compared(as_wide, podman), *by_themselves(minirun, podman)]


def compared(minirun: Site, podman: Site) -> list[Row]:
    """Both on networks with the same MTU: this is what the bar is for."""
    found = []
    for what, act in (("iperf3, Gbit/s,", stream), ("round trips of a byte, 1000/s,", round_trips)):
        for way in WAYS:
            row, share = measured(f"{what} to {way}, MTU {podman.mtu}", act, way, minirun, podman)
            bar = judged(f"{LEAST:g} x podman", share >= LEAST, "at least")
            found.append(Row(row.what, row.minirun, row.beside, bar))
    return found


def by_themselves(minirun: Site, podman: Site) -> list[Row]:
    """Streams with the MTU that each chooses, which is another: minirun's is the uplink's."""
    shown = f"iperf3, Gbit/s, to %s, MTU {minirun.mtu} (the uplink's) beside {podman.mtu}"
    return [measured(shown % way, stream, way, minirun, podman)[0] for way in WAYS]


def measured(
    what: str, act: Callable[[Site, str], float], way: str, minirun: Site, podman: Site
) -> tuple[Row, float]:
    """The two in turns, and minirun's as a share of podman's."""
    sites = {"minirun": minirun, "podman": podman}
    acts = {name: functools.partial(act, site, way) for name, site in sites.items()}
    ours, theirs = in_turns(acts, ROUNDS)["podman"]
    share = ratio(ours, theirs)
    return Row(what, spread(ours), f"podman {spread(theirs)}: **{share:.2f} x**"), share


def stream(site: Site, way: str) -> float:
    """Gbit/s of one TCP connection, as the receiver counts them."""
    address, port = WAYS[way](site)
    words = ("iperf3", "--json", "--bytes", BYTES, "--affinity", f"{CPUS[0]},{CPUS[-1]}")
    with serving(site, "iperf3", "--server", "--one-off", "--forceflush", "--port", INSIDE):
        said = json.loads(output([*site.host, *words, "--client", address, "--port", port]))
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e9


def round_trips(site: Site, way: str) -> float:
    """Thousands a second, one after another on one TCP connection."""
    address, port = WAYS[way](site)
    with serving(site, *ONE_CPU, *PING_PONG, "serve", INSIDE):
        return float(output([*site.host, *ONE_CPU, *PING_PONG, "ask", address, port, SECONDS])) / 1e3


@contextmanager
def serving(site: Site, *words: str) -> Iterator[None]:
    """A server in the container's network, for one client; it listens."""
    with subprocess.Popen([*site.container, *words], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            if not any("listening" in line for line in server.stdout):
                raise RuntimeError(f"{' '.join(words)} does not listen")
            yield
        except BaseException:
            server.kill()
            raise
        server.stdout.read()  # an end: it must not wait for a reader


@contextmanager
def widened(minirun: Any, mtu: int) -> Iterator[Site]:
    """A container of minirun's on a network with that MTU."""
    name = f"mtu{mtu}"
    output(minirun("network", "create", "--mtu", str(mtu), name))
    with started(minirun, name) as site:
        yield site  # the network goes with what else is pruned in the end


@contextmanager
def started(peer: Any, network: str) -> Iterator[Site]:
    """A container that publishes a port, on a host of its own."""
    published = str(next(PORTS))
    with host(f"minirun-bench-{os.getpid()}-{published}") as inside:
        flags = ("-d", "-p", f"{published}:{INSIDE}")
        id = output([*inside, *peer.run(*FOREVER, flags=flags, network=network)])
        try:
            container = ("nsenter", f"--net=/proc/{peer.pid(id)}/ns/net")
            (link,) = json.loads(output([*container, "ip", "-4", "-j", "address", "show", "dev", "eth0"]))
            yield Site(inside, container, link["addr_info"][0]["local"], published, link["mtu"])
        finally:
            output([*inside, *peer.removal(id)])


@contextmanager
def host(name: str) -> Iterator[tuple[str, ...]]:
    """A network namespace like a machine's, with an address of its own; how to run something in it."""
    inside = ("nsenter", f"--net=/run/netns/{name}")
    output(["ip", "netns", "add", name])
    try:
        for words in (
            "link set lo up",
            f"link add uplink mtu {default_mtu()} type veth peer name outside",
            "link set outside up",
            f"address add {OWN}/24 dev uplink",
            "link set uplink up",
            f"route add default via {GATEWAY}",
        ):
            output([*inside, "ip", *words.split()])
        yield inside
    finally:
        output(["ip", "netns", "delete", name])
