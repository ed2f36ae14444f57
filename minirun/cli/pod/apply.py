"""``minirun pod apply``: what a manifest says becomes so.

Layer ``cli``. Read ``create.py`` first.
"""

from __future__ import annotations

import sys

from minirun.cli.pod.create import check_network, make, of_pod, say_what_was_set, until_ready
from minirun.cli.pod.down import end
from minirun.cli.pod.manifests import documents
from minirun.cli.pod.several import left_over, named, pods_of, report
from minirun.errors import MinirunError
from minirun.pod import remove, renew, supervise
from minirun.pod.state import Data
from minirun.values import TYPE_CHECKING, plain

if TYPE_CHECKING:
    from minirun.cli.pod.flags import CreateOptions
    from minirun.cli.settings import Settings
    from minirun.pod.manifest.read import Documents
    from minirun.pod.manifest.types import Pod
    from minirun.pod.state import PodHome, Pods


def main(settings: Settings, options: CreateOptions) -> int:
    """Makes what is missing, and anew what is different; the exit code of the first that could not be.

    Other data reaches a pod that goes on, and what a Deployment asks for no longer goes.
    """
    found = documents(options.file, options.lenient)
    check_network(options, found)
    pods = pods_of(settings)
    homes: list[PodHome] = []
    code = 0
    for pod in found.pods:
        try:
            home, word = _applied(pods, pod, found, options)
        except MinirunError as error:
            code = report(of_pod(error, pod.metadata.name, len(found.pods)), code)
        else:
            homes.append(home)
            print(f"pod/{pod.metadata.name} {word}", flush=True)
    code = end(left_over(pods, found), None) or code
    say_what_was_set(pods.store, options)
    return until_ready(homes, options.wait) or code


def _applied(pods: Pods, pod: Pod, found: Documents, options: CreateOptions) -> tuple[PodHome, str]:
    old = named(pods, pod.metadata.name)
    if old is None:
        return make(pods.store, pod, found, options), "created"
    record = old.record()
    data = Data(config_maps=found.config_maps, secrets=found.secrets)
    renew.check_immutable(record, data)
    if plain((record.pod, record.network)) == plain((pod, options.network)):
        # Data that it does not use counts, too.
        if plain((record.config_maps, record.secrets)) == plain((data.config_maps, data.secrets)):
            supervise.resume(old)
            return old, "unchanged"
        renew.renew(old, data)
        if renew.waits_for_a_start(pod.spec):
            note = f"variables of pod/{record.name} are what they were: `minirun pod restart {record.name}`"
            print(f"note: {note} gives it the new ones", file=sys.stderr)
        return old, "configured"
    remove.stop(old)
    remove.remove(old, force=True)
    return make(pods.store, pod, found, options), "configured"
