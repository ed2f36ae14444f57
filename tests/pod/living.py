"""A pod that lives: made by ``minirun pod create``, and what the kernel and its files say of it."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

from minirun.container.state import Home, Store
from minirun.pod import state
from minirun.pod.decide import Decision, decide
from minirun.pod.gc import sweep
from minirun.pod.manifest.types import ContainerState, ContainerStatus, PodStatus
from minirun.pod.observe import look, spec_of
from minirun.pod.observed import Observed, Seen
from minirun.pod.status import pod_status
from tests import leaks
from tests.conftest import Minirun

#: A program that ends at once when it is told to; a bare `sleep` as PID 1 is deaf to TERM.
FOREVER = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"


def app(script: str = FOREVER, name: str = "app", **fields: Any) -> dict[str, Any]:
    """A container that runs ``script`` in busybox's shell; ``fields`` as the API names them."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **fields}


def server(text: str, port: int = 80) -> str:
    """A script that answers ``text`` to every GET /, until it is told to end."""
    return f"mkdir -p /www; echo {text} >/www/index.html; httpd -p {port} -h /www; {FOREVER}"


def pod(name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 5, **spec},
    }


def data(kind: str, name: str, content: dict[str, str]) -> dict[str, Any]:
    """A ConfigMap, or a Secret."""
    key = "stringData" if kind == "Secret" else "data"
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, key: content}


class Living:
    """One pod."""

    def __init__(self, minirun: Minirun, home: state.PodHome) -> None:
        self.minirun = minirun
        self.home = home
        self.name = home.record().name

    def __call__(self, verb: str, *words: str, check: bool = True, **options: Any) -> str:
        """``minirun pod VERB NAME WORDS``: what it says."""
        return self.minirun("pod", verb, self.name, *words, check=check, **options).stdout

    def exec(self, *command: str, container: str = "app") -> str:
        """What a program says that runs in a container."""
        return self.minirun("pod", "exec", self.name, "-c", container, "--", *command, check=True).stdout

    # --- what is known of it ------------------------------------------------

    @property
    def seen(self) -> Observed:
        """A look at it, now."""
        return look(self.home, self.home.progress().seen)

    @property
    def decision(self) -> Decision:
        """What is due."""
        return decide(spec_of(self.home, self.home.progress()), self.seen, time.time())

    @property
    def status(self) -> PodStatus:
        """As kubectl would show it."""
        return pod_status(self.home.record().pod, self.seen, time.time())

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded, Failed."""
        return self.status.phase

    def of(self, name: str = "app") -> ContainerStatus:
        """The status of a container."""
        status = self.status
        each = (*status.initContainerStatuses, *status.containerStatuses)
        return next(one for one in each if one.name == name)

    def state(self, name: str = "app") -> ContainerState:
        """Whether it waits, runs, or is terminated."""
        return self.of(name).state

    def waits(self, name: str = "app") -> str:
        """Why it waits; "" if it does not."""
        waiting = self.state(name).waiting
        return waiting.reason if waiting else ""

    def ended(self, name: str = "app") -> Any:
        """How it ended; None if it has not."""
        return self.state(name).terminated

    def condition(self, kind: str) -> str:
        """True or False."""
        return next(each.status for each in self.status.conditions if each.type == kind)

    @property
    def events(self) -> list[str]:
        """What has happened to it, a line each: ``Reason: message [container]``."""
        found = []
        for line in Path(self.home.data, "events.log").read_text().splitlines():
            each = json.loads(line)
            whose = f" [{each['container']}]" if each.get("container") else ""
            found.append(f"{each['reason']}: {each['message']}{whose}")
        return found

    # --- its containers -----------------------------------------------------

    def run(self, name: str = "app") -> Seen:
        """The latest run of a container."""
        return self.seen.of(name)

    def container(self, name: str = "app") -> Home:
        """That run, as the container layer has it."""
        return self.home.store.container(self.run(name).id)

    def pid(self, name: str = "app") -> int:
        """Its first process."""
        return self.container(name).live_pid()

    @property
    def sandbox(self) -> Home:
        """The container that sleeps."""
        found = self.seen.sandbox
        assert found
        return self.home.store.container(found.id)

    @property
    def pause(self) -> int:
        """The process that sleeps."""
        return self.sandbox.live_pid()

    @property
    def address(self) -> str:
        """Where the pod is on its network."""
        return self.status.podIP

    @property
    def is_over(self) -> bool:
        """Its phase is final, and nothing is left to do."""
        return self.phase in ("Succeeded", "Failed") and not self.decision.needs_supervisor

    def log(self, name: str = "app") -> list[str]:
        """What a container has printed, a line each."""
        return printed(self.container(name))

    def supervisors(self) -> list[int]:
        """The processes that hold its supervisor.lock."""
        path = f"{self.home.runtime}/supervisor.lock"
        return [pid for pid in map(int, leaks.pids()) if path in leaks_opened(pid)]


def printed(container: Home) -> list[str]:
    """The lines of a log in the Kubernetes format, without time and stream."""
    try:
        lines = Path(container.data, "container.log").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [line.split(" ", 3)[3] for line in lines]


def leaks_opened(pid: int) -> str:
    """The paths that a process holds open; "" if it is gone."""
    try:
        return leaks.opened(str(pid))
    except OSError:
        return ""


#: How the uids begin of pods that are made inside a test, so that their cgroups are told from others',
#: also from those of another session of the same tests.
OURS = f"{os.getpid() & 0xFFFFFFFF:08x}"


class Pods:
    """The pods of the tests' store."""

    def __init__(self, minirun: Minirun) -> None:
        self.minirun = minirun
        self.store = Store(root=str(minirun.root), state=str(minirun.state))

    def create(self, *documents: dict[str, Any], words: tuple[str, ...] = ()) -> Living:
        """``minirun pod create -``; the pod, which is the last of the documents."""
        self.command(*documents, words=words, check=True)
        return self.find(documents[-1]["metadata"]["name"])

    def command(self, *documents: dict[str, Any], words: tuple[str, ...] = (), check: bool = False) -> Any:
        """The same as it ends: its exit code, what it says."""
        text = "\n---\n".join(map(json.dumps, documents))
        return self.minirun("pod", "create", "-", *words, input=text, check=check)

    def find(self, name: str) -> Living:
        """The pod of that name."""
        return Living(self.minirun, state.Pods(store=self.store).find(name))

    def swept(self) -> list[str]:
        """What the pods' part of `minirun gc` says; but of empty groups, which may be another store's."""
        return [line for line in sweep(self.store) if not line.endswith(": no pod is in it")]

    def remove_all(self) -> None:
        """Removes what is left, the ruins too."""
        for home in list(state.Pods(store=self.store)):
            self.minirun("pod", "rm", "-f", home.uid)
        if traces(self.store):
            self.minirun("gc")


def addresses(store: Store) -> list[str]:
    """The addresses that somebody has."""
    return sorted(path.name for path in Path(store.state).glob("networks/*/addresses/[0-9a-f]*"))


def fetch(url: str) -> str:
    """What a server answers; "" if there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode().strip())
    except OSError:
        return ""


def traces(store: Store) -> set[str]:
    """Every file of a pod in ``store``, and what its containers and addresses leave."""
    patterns = (
        (store.root, "pods/*-*"),
        (store.root, "pods/names/*"),
        (store.state, "pods/*"),
        (store.root, "containers/*"),
        (store.state, "containers/*"),
        (store.root, "names/*"),
        (store.root, "ids/*"),
        (store.state, "networks/*/addresses/[0-9a-f]*"),
        (store.state, "ports/[!.]*"),
    )
    found = {str(path) for top, pattern in patterns for path in Path(top).glob(pattern)}
    return found | {group for group in leaks.cgroups() if OURS in group}


def inode(pid: int, kind: str) -> str:
    """Which namespace a process is in."""
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def proc_status(pid: int, field: str) -> str:
    """A line of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:"))
