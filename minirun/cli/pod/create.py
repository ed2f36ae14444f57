"""``minirun pod create``: pods, from a Kubernetes manifest.

Layer ``cli``. Read ``pod/create.py`` next.
"""

from __future__ import annotations

import os
import sys
import time

from minirun.cli.pod.manifests import documents
from minirun.cli.pod.several import named, pods_of, report
from minirun.errors import Conflict, MinirunError, UsageError
from minirun.pod import create, sandbox
from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from minirun.cli.pod.flags import CreateOptions
    from minirun.cli.settings import Settings
    from minirun.container.state import Store
    from minirun.pod.manifest.read import Documents
    from minirun.pod.manifest.types import Pod
    from minirun.pod.state import PodHome, Pods


def main(settings: Settings, options: CreateOptions) -> int:
    """Makes the pods, each of them if it can be; the exit code of the first that could not."""
    found = documents(options.file, options.lenient)
    check_network(options, found)
    pods = pods_of(settings)
    made: list[PodHome] = []
    code = 0
    for pod in found.pods:
        try:
            if options.replace:
                _make_room(pods, pod.metadata.name)
            made.append(make(pods.store, pod, found, options))
        except MinirunError as error:
            code = report(of_pod(error, pod.metadata.name, len(found.pods)), code)
        else:
            print(f"pod/{pod.metadata.name} created", flush=True)
    say_what_was_set(pods.store, options)
    return until_ready(made, options.wait) or code


def make(store: Store, pod: Pod, found: Documents, options: CreateOptions) -> PodHome:
    """One pod of the file, with the file's ConfigMaps and Secrets."""
    if pod.spec.dnsConfig:
        for note in sandbox.resolver(pod).notes:
            print(f"note: pod {pod.metadata.name}: {note}", file=sys.stderr)
    return create.create(
        store,
        pod,
        found.config_maps,
        found.secrets,
        options.network,
    )


def check_network(options: CreateOptions, found: Documents) -> None:
    """Raises UsageError for a --network that says what a manifest has to say, Conflict if that says no."""
    for word in options.network:
        if word == "host" or word.startswith(("container:", "ns:")):
            raise UsageError(
                f"--network {word} is not for a pod",
                "a pod's network namespace is its sandbox's, or the host's",
                "name a network, none or cni:NAME; for the host's say hostNetwork: true in the manifest",
            )
    on_host = [pod.metadata.name for pod in found.pods if pod.spec.hostNetwork]
    if options.network and on_host:
        raise Conflict(
            f"--network {options.network[0]} and pod {on_host[0]} contradict each other",
            "its manifest has hostNetwork: true",
            "leave one of them out",
        )


def of_pod(error: MinirunError, name: str, count: int) -> MinirunError:
    """``error``; where there are several pods it says which one it is about."""
    if count > 1 and name not in error.what:
        error.what = f"pod {name}: {error.what}"
    return error


def until_ready(homes: list[PodHome], patience: float | None) -> int:
    """What --wait does: until each pod is ready or has done its task; the exit code."""
    if patience is None:
        return 0
    from minirun.cli.pod.wait import ready_or_done, wait_for

    deadline = time.monotonic() + patience
    code = 0
    for home in homes:
        try:
            wait_for(home, ready_or_done, "ready", deadline)
        except MinirunError as error:
            code = report(error, code)
    return code


def say_what_was_set(store: Store, options: CreateOptions) -> None:
    """The first pod on a bridge makes the machine a router: its owner is told."""
    if os.path.exists(f"{store.state}/networks.news"):
        from minirun.cli import run
        from minirun.container.options import Options

        run.say_what_was_set(store, Options(image="", network=options.network))


def _make_room(pods: Pods, name: str) -> None:
    """--replace: whoever has the name goes at once."""
    home = named(pods, name)
    if home is not None:
        from minirun.pod.remove import remove

        remove(home, force=True)
