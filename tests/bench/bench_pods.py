"""Pods: making and removing them, what an idle one weighs, whether many cost more, and a crash.

A pod here has two containers, with limits, on a bridge. podman has two ways to
make one: from the same manifest, or word by word; it is measured by the faster.
Its removal is asked to wait for no program, as ours is. Its settings come from a
file, for ``kube play`` has no words for them (``peers.py`` says why it needs any).
"""

from __future__ import annotations

import calendar
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.bench_idle import ENDS, TIMES, Crowd
from tests.bench.bench_network import NETWORKS, cleaned_up, reachable
from tests.bench.harness import ENVIRONMENT, Row, compare, duel, judged, output, ratio, spend, spread
from tests.bench.peers import FOREVER, LIMITS, ULIMITS
from tests.bench.processes import memory, pss, rest

ROUNDS, WARM = 20, 2
MANY = 100
CRASHES = 20
LIMITED = {"limits": {"cpu": "1", "memory": "64Mi"}}
#: The program says that it runs, and stays.
SPEAKS = ("sh", "-c", f"echo up; exec {' '.join(FOREVER)}")
PATIENCE = 20.0  # seconds


def rows(contestants: dict[str, Any]) -> list[Row]:
    """One after another, at rest, a hundred that stay, and programs that are killed."""
    minirun = OurPods(contestants["minirun"])
    with cleaned_up(), settings(contestants["minirun"].place):
        peers, why = reachable(contestants)
        try:
            podman = fastest(peers["podman"]) if "podman" in peers else None
            found = [*life(minirun, podman, why), weight(minirun, podman)]
            return [*found, *many(minirun), crash(minirun)]
        finally:  # what a contest that broke off has left
            for peer in peers.values():
                spend(peer("pod", "rm", "-f", "--all"))


@contextmanager
def settings(place: Path) -> Iterator[None]:
    """podman's default limits, which are more than may be had here, in the words of its settings."""
    limits = [word for word in ULIMITS if word.startswith("n")]
    file = place / "containers.conf"
    file.write_text(f"[containers]\ndefault_ulimits = {json.dumps(limits)}\n")
    ENVIRONMENT["CONTAINERS_CONF"] = str(file)
    try:
        yield
    finally:
        del ENVIRONMENT["CONTAINERS_CONF"]


class OurPods:
    """Pods of minirun's. Called, it makes one (milliseconds) and removes it (kept)."""

    way = ""

    def __init__(self, minirun: Any) -> None:
        self.minirun = minirun
        self.removals: list[float] = []

    def __call__(self) -> float:
        spent = self.create("bench")
        self.removals.append(self.remove("bench"))
        rest(self.minirun.place)
        return spent

    def create(self, name: str, command: Sequence[str] = FOREVER) -> float:
        """Milliseconds until both containers run."""
        return spend(self.minirun("pod", "create", manifest(self.minirun.place, name, command)))

    def remove(self, *names: str) -> float:
        """Milliseconds until nothing is left of the pods."""
        return spend(self.minirun("pod", "rm", "-f", *names))

    def ids(self, name: str) -> dict[str, str]:
        """What its containers are called -> their ids; the one whose program sleeps is POD."""
        label = f"label=io.kubernetes.pod.name={name}"
        listed = output(self.minirun("ps", "-a", "-q", "--no-trunc", "--filter", label)).split()
        found = json.loads(output(self.minirun("inspect", *listed)))
        return {one["name"].partition("_")[2]: one["id"] for one in found}

    def kept(self, name: str) -> float:
        """KiB of PSS of all that is not the containers' programs."""
        ids = self.ids(name)
        return float(sum(map(memory, ids.values())) + pss(self.minirun.pid(ids["POD"])))


class PodmanPods:
    """podman's, by one manifest."""

    way = "`kube play`"

    def __init__(self, podman: Any) -> None:
        self.podman = podman
        self.removals: list[float] = []

    def __call__(self) -> float:
        spent = self.create("bench")
        self.removals.append(self.remove("bench"))
        rest(self.podman.place)
        return spent

    def create(self, name: str) -> float:
        """Milliseconds until both containers run."""
        file = manifest(Path(ENVIRONMENT["CONTAINERS_CONF"]).parent, name, FOREVER)
        return spend(self.podman("kube", "play", "--network", NETWORKS["podman"], file))

    def remove(self, *names: str) -> float:
        """Milliseconds until nothing is left of the pods."""
        return spend(self.podman("pod", "rm", "-f", "-t", "0", *names))

    def kept(self, name: str) -> float:
        """KiB of PSS of all that is not the containers' programs."""
        members = json.loads(output(self.podman("pod", "inspect", name)))["Containers"]
        sleeper = next(one["Id"] for one in members if one["Name"].endswith("-infra"))
        return float(sum(memory(one["Id"]) for one in members) + pss(self.podman.pid(sleeper)))


class PodmanPodsByWords(PodmanPods):
    """podman's, by three commands."""

    way = "`pod create` and 2 x `run -d --pod`"

    def create(self, name: str) -> float:
        """Milliseconds until both containers run, of the three."""
        spent = spend(self.podman("pod", "create", "--name", name, "--network", NETWORKS["podman"]))
        for _ in range(2):
            spent += spend(self.podman("run", "-d", "--pod", name, *LIMITS, "busybox", *FOREVER))
        return spent


def fastest(podman: Any) -> PodmanPods:
    """podman by the way that takes it less time."""
    ways = (PodmanPods(podman), PodmanPodsByWords(podman))
    manifests, words = duel(*ways, rounds=4, warm=1)
    for way in ways:
        way.removals.clear()
    return ways[0] if statistics.median(manifests) <= statistics.median(words) else ways[1]


def manifest(place: Path, name: str, command: Sequence[str]) -> str:
    """A file with a pod of two containers; JSON is YAML."""
    file = place / f"{name}.yaml"
    containers = [
        {"name": each, "image": "busybox", "command": list(command), "resources": LIMITED} for each in "ab"
    ]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers}}
    file.write_text(json.dumps(pod, indent=1))
    return str(file)


def life(minirun: OurPods, podman: PodmanPods | None, why: str) -> list[Row]:
    """From nothing to two running containers, and back."""
    if podman is None:
        spent = [minirun() for _ in range(WARM + ROUNDS)]
        ours = spent[WARM:], minirun.removals[WARM:]
        return [Row(f"{what}, ms", spread(times), why) for what, times in zip(_LIFE, ours, strict=True)]
    creations = duel(minirun, podman, ROUNDS, WARM)
    removals = minirun.removals[WARM:], podman.removals[WARM:]
    found = [
        compare(what, {"podman": pair}, {"podman": bar})
        for what, pair, bar in zip(_LIFE, (creations, removals), (0.25, 0.15), strict=True)
    ]
    return [Row(row.what, row.minirun, f"{row.beside} ({podman.way})", row.bar) for row in found]


_LIFE = ("`pod create` of two containers, until both run", "`pod rm -f` of it")


def weight(minirun: OurPods, podman: PodmanPods | None) -> Row:
    """What is kept alive for a pod that does nothing, the median of five, each alone."""
    peers: Mapping[str, Any] = {"minirun": minirun} | ({"podman": podman} if podman else {})
    weights: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(5):
        for name, peer in peers.items():
            peer.create("bench")
            weights[name].append(peer.kept("bench"))
            peer.remove("bench")
    ours, theirs = weights["minirun"], weights.get("podman")
    beside = f"podman {spread(theirs, digits=0)}: **{ratio(ours, theirs):.2f} x**" if theirs else ""
    bar = judged("0.8 MiB", statistics.median(ours) <= 0.8 * 1024)
    return Row("kept alive for an idle pod of two, KiB of PSS", spread(ours, digits=0), beside, bar)


def many(minirun: OurPods) -> list[Row]:
    """Pods that stay: does the next one pay for them? And do those that go for those that are left?"""
    crowds = [crowd(minirun) for _ in range(TIMES)]
    growth = statistics.median(one.growth for one in crowds)
    first = [spent for one in crowds for spent in one.starts[:ENDS]]
    last = [spent for one in crowds for spent in one.starts[-ENDS:]]
    return [
        Row(
            f"{MANY} pods of two, {TIMES} times: the last {ENDS} creations, ms",
            spread(last),
            f"the first {ENDS}: {spread(first)}: **{growth:.2f} x**",
            judged("1.3 x", growth <= 1.3),
        ),
        Row(
            f"each of {MANY} pods: `pod rm -f` of all at once, ms",
            spread([one.removal for one in crowds]),
            f"kept while they were there, KiB of PSS: {spread([one.kept for one in crowds], digits=0)}",
        ),
    ]


def crowd(minirun: OurPods) -> Crowd:
    """Makes pods one by one, weighs some, removes all."""
    names = [f"bench-{number}" for number in range(MANY)]
    starts, nothings = [], []
    for name in names:
        nothings.append(spend([sys.executable, "-c", "pass"]))
        starts.append(minirun.create(name))
    kept = statistics.median(map(minirun.kept, names[::10]))
    return Crowd(starts, nothings, minirun.remove(*names) / MANY, kept)


def crash(minirun: OurPods) -> Row:
    """A program is killed: until the next one runs. The first restart is not held back."""
    spent = []
    for _ in range(CRASHES):
        minirun.create("bench", SPEAKS)
        spent.append(restart(minirun, minirun.ids("bench")["a"]))
        minirun.remove("bench")
    bar = judged("100 ms", statistics.median(spent) <= 100)
    return Row("a container in a pod is killed: until its program runs again, ms", spread(spent), "", bar)


def restart(minirun: OurPods, id: str) -> float:
    """Milliseconds from SIGKILL to the first word of the next program, by the monitor's clock."""
    containers = Path(minirun.minirun.place, "root", "containers")
    before = set(os.listdir(containers))
    pid = minirun.minirun.pid(id)
    begin = time.time()
    os.kill(pid, 9)
    while time.time() < begin + PATIENCE:
        for new in set(os.listdir(containers)) - before:
            said = said_at(containers / new / "container.log")
            if said:
                return (said - begin) * 1e3
        time.sleep(0.002)  # what is measured is read from the log, not from here
    raise RuntimeError(f"{id} was killed, and nothing took its place for {PATIENCE:.0f} seconds")


def said_at(log: Path) -> float:
    """When the first line of a log was written, in seconds since the epoch; 0 before."""
    try:
        stamp = log.read_text().partition(" ")[0]
    except FileNotFoundError:
        return 0.0
    if not stamp:
        return 0.0
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction}")
