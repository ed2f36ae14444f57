"""Containers on a bridge: what the network costs a start, and whether many make it cost more.

podman's bridge is one that CNI's plugins make, with iptables rules for each
container. What they put on the host that was not there before is removed again.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.bench_idle import ENDS, MANY, TIMES, Crowd
from tests.bench.harness import Row, compare, in_turns, judged, output, spend, spread
from tests.bench.peers import FOREVER
from tests.leaks import wait_for

#: What each calls the network that it makes by itself.
NETWORKS = {"minirun": "minirun", "podman": "podman"}
AT_ONCE = 20
PORT = 38080


def rows(contestants: dict[str, Any], starts: int = 200) -> list[Row]:
    """One after another, two hundred that stay, and many at once that come and go."""
    with cleaned_up():
        peers, why = reachable(contestants)
        return [*run(peers, why), *many(contestants["minirun"]), *soak(contestants["minirun"], starts)]


def reachable(contestants: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Those that have a bridge, and why podman is not among them, where it is not."""
    found = {"minirun": contestants["minirun"]}
    if "podman" not in contestants:
        return found, "podman is not here"
    podman = contestants["podman"]
    try:
        output(podman.run("true", flags=("--rm", "-p", f"{PORT}:80"), network=NETWORKS["podman"]))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].replace("|", "/")
        return found, f"podman's bridge does not work here: {reason[:200]}"
    return {**found, "podman": podman}, ""


def run(peers: Mapping[str, Any], why: str) -> list[Row]:
    """A container that ends at once, without and with a published port."""
    found = []
    for flags, shown in ((("--rm",), "--rm"), (("--rm", "-p", f"{PORT}:80"), f"--rm -p {PORT}:80")):
        acts = {name: peer.run("true", flags=flags, network=NETWORKS[name]) for name, peer in peers.items()}
        bars = {"podman": 0.25}
        if "-p" not in flags:
            acts["`--network none`"] = peers["minirun"].run("true", flags=flags)
            bars["`--network none`"] = 1.5
        row = compare(f"`run {shown} --network minirun busybox true`", in_turns(acts, 30), bars)
        found.append(Row(row.what, row.minirun, "; ".join(filter(None, (row.beside, why))), row.bar))
    return found


def many(minirun: Any) -> list[Row]:
    """Containers with a published port each that stay: does the next one pay for them?"""
    crowds, rules = [], []
    for _ in range(TIMES):
        crowd, counts = publishers(minirun, MANY)
        crowds.append(crowd)
        rules += counts
    growth = statistics.median(one.growth for one in crowds)
    first = [spent for one in crowds for spent in one.starts[:ENDS]]
    last = [spent for one in crowds for spent in one.starts[-ENDS:]]
    return [
        Row(
            f"{MANY} containers with a published port each, {TIMES} times: the last {ENDS} starts, ms",
            spread(last),
            f"the first {ENDS}: {spread(first)}: **{growth:.2f} x**",
            judged("1.2 x", growth <= 1.2),
        ),
        Row(
            f"nftables rules with 1 of them, and with {MANY}",
            f"{min(rules)} and {max(rules)}",
            "",
            judged("as many", min(rules) == max(rules)),
        ),
    ]


def publishers(minirun: Any, count: int) -> tuple[Crowd, list[int]]:
    """Starts them one by one and removes them; with it how many rules there were first and last."""
    ids: list[str] = []
    starts, nothings, rules = [], [], []
    for number in range(count):
        nothings.append(spend([sys.executable, "-c", "pass"]))
        words = minirun.run(*FOREVER, flags=("-d", "-p", f"{PORT + number}:80"), network=NETWORKS["minirun"])
        begin = time.perf_counter()
        ids.append(output(words))
        starts.append((time.perf_counter() - begin) * 1e3)
        if number in (0, count - 1):
            rules.append(sum("rule" in each for each in nftables("list", "table", "inet", "minirun")))
    begin = time.perf_counter()
    minirun.remove(*ids)
    return Crowd(starts, nothings, (time.perf_counter() - begin) * 1e3 / count, 0.0), rules


def soak(minirun: Any, count: int) -> list[Row]:
    """Starts and removals, twenty at a time; nothing of a network may stay."""
    words = minirun.run("true", flags=("--rm", "-p", "80"), network=NETWORKS["minirun"])
    before = traces(minirun)
    begin = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        spent = list(pool.map(lambda _: spend(words), range(count)))
    whole = time.perf_counter() - begin
    left = wait_for(lambda: traces(minirun) - before)
    kinds = {kind: sum(each.startswith(kind) for each in left) for kind in ("veths", "addresses", "elements")}
    return [
        Row(
            f"{count} of `run --rm -p 80`, {AT_ONCE} at a time: what is left",
            ", ".join(f"{kind}: {number}" for kind, number in kinds.items()),
            f"each {whole * 1e3 / count:.1f} ms; from its start to its end {spread(spent)} ms",
            judged("0", not left),
        )
    ]


def traces(minirun: Any) -> set[str]:
    """Cables, addresses and published ports that there are."""
    links = {f"veths {name}" for name in os.listdir("/sys/class/net") if re.fullmatch("mr[0-9a-f]{10}", name)}
    taken = Path(minirun.place, "state", "networks").glob("*/addresses/[0-9a-f]*")
    elements = {
        f"elements {element}"
        for name in ("publish_any4", "publish_any6")
        for each in nftables("list", "map", "inet", "minirun", name)
        for element in each.get("map", {}).get("elem", [])
    }
    return links | {f"addresses {path.name}" for path in taken} | elements


def nftables(*words: str) -> list[dict[str, Any]]:
    """What nft says; nothing where that is not there."""
    done = subprocess.run(["nft", "-j", *words], capture_output=True, text=True, check=False)
    return list(json.loads(done.stdout)["nftables"]) if done.returncode == 0 else []


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Afterwards the host has no bridge and no table of podman's that it had not before."""
    before = {kind: look() for kind, look in LOOKS.items()}
    try:
        yield
    finally:
        for link in LOOKS["links"]() - before["links"]:
            if link == "cni-podman0":
                output(["ip", "link", "delete", link])
        for table in LOOKS["tables"]() - before["tables"]:
            if table.partition(" ")[0] in ("ip", "ip6"):  # of iptables; minirun's is inet
                output(["nft", "delete", "table", *table.split()])


LOOKS: dict[str, Callable[[], set[str]]] = {
    "links": lambda: set(os.listdir("/sys/class/net")),
    "tables": lambda: {
        f"{each['table']['family']} {each['table']['name']}"
        for each in nftables("list", "tables")
        if "table" in each
    },
}
