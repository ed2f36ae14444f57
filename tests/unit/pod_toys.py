"""Pods made of few words, and what may be seen of them, for the tests of the pod's brain."""

from __future__ import annotations

from typing import Any

from minirun.pod.manifest.types import (
    Container,
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    PodSpec,
    Probe,
    ResourceRequirements,
)
from minirun.pod.observed import EXITED, RUNNING, Ended, Observed, Sandbox, Seen

#: A moment: the tests count from it.
T = 1_800_000_000.0

PROBE = Probe(exec=ExecAction(command=("true",)))
HOOK = LifecycleHandler(exec=ExecAction(command=("true",)))


def app(name: str = "app", **more: Any) -> Container:
    """A container; ``pre_stop`` and ``post_start`` give it hooks, ``probes`` the kinds named."""
    hooks: dict[str, Any] = {
        field: HOOK
        for field, word in (("preStop", "pre_stop"), ("postStart", "post_start"))
        if more.pop(word, False)
    }
    probes = {f"{kind}Probe": PROBE for kind in more.pop("probes", "").split()}
    if signal := more.pop("signal", ""):
        hooks["stopSignal"] = signal
    return Container(name=name, lifecycle=Lifecycle(**hooks) if hooks else None, **{**probes, **more})


def sidecar(name: str = "sidecar", **more: Any) -> Container:
    """An init container that stays."""
    return app(name, restartPolicy="Always", **more)


def pod(*apps: Container, inits: tuple[Container, ...] = (), **more: Any) -> PodSpec:
    """A pod of these; of one app if none is given."""
    return PodSpec(containers=apps or (app(),), initContainers=inits, **more)


def wants(
    cpu: str = "", memory: str = "", cpu_limit: str = "", memory_limit: str = ""
) -> ResourceRequirements:
    """Requests and limits; "" is not said."""
    requests = {"cpu": cpu, "memory": memory}
    limits = {"cpu": cpu_limit, "memory": memory_limit}
    return ResourceRequirements(
        requests={name: text for name, text in requests.items() if text},
        limits={name: text for name, text in limits.items() if text},
    )


def running(**more: Any) -> Seen:
    """A container that runs."""
    return Seen(**{"state": RUNNING, "startedAt": T, "id": "1", **more})


def exited(code: int = 0, at: float = 1.0, started: float = 0.0, **more: Any) -> Seen:
    """A container that ended with ``code``, ``at`` seconds after T."""
    how = {word: more.pop(word) for word in ("signal", "reason", "message", "stopped") if word in more}
    ended = Ended(exitCode=code, startedAt=T + started, finishedAt=T + at, id="1", **how)
    return Seen(**{"state": EXITED, "startedAt": T + started, "id": "1", "ended": ended, **more})


def seen(sandbox: str | Sandbox | None = "alive", /, **containers: Seen) -> Observed:
    """A pod that was begun at T, with these containers; ``_`` in a name stands for ``-``."""
    if isinstance(sandbox, str):
        sandbox = Sandbox(state=sandbox, since=T, addresses=("10.0.0.2",))
    return Observed(
        createdAt=T,
        startedAt=T,
        sandbox=sandbox,
        containers={name.replace("_", "-"): run for name, run in containers.items()},
    )
