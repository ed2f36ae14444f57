"""``minirun pod apply``: what a manifest says becomes so.

Layer ``cli``. Read ``create.py`` first.
"""

from __future__ import annotations

from minirun.cli.pod.create import check_network, make, of_pod, say_what_was_set, until_ready
from minirun.cli.pod.manifests import documents
from minirun.cli.pod.several import named, pods_of, report
from minirun.errors import MinirunError
from minirun.pod import remove, supervise
from minirun.values import TYPE_CHECKING, plain

if TYPE_CHECKING:
    from minirun.cli.pod.flags import CreateOptions
    from minirun.cli.settings import Settings
    from minirun.pod.manifest.read import Documents
    from minirun.pod.manifest.types import Pod
    from minirun.pod.state import PodHome, PodRecord, Pods


def main(settings: Settings, options: CreateOptions) -> int:
    """Makes what is missing, and anew what is different; the exit code of the first that could not be."""
    found = documents(options.file, options.lenient)
    check_network(options, found)
    pods = pods_of(settings)
    homes: list[PodHome] = []
    code = 0
    for pod in found.pods:
        try:
            home, word = _applied(pods, pod, found, options)
        except MinirunError as error:
            code = code or report(of_pod(error, pod.metadata.name, len(found.pods)))
        else:
            homes.append(home)
            print(f"pod/{pod.metadata.name} {word}", flush=True)
    say_what_was_set(pods.store, options)
    return until_ready(homes, options.wait) or code


def _applied(pods: Pods, pod: Pod, found: Documents, options: CreateOptions) -> tuple[PodHome, str]:
    old = named(pods, pod.metadata.name)
    if old is None:
        return make(pods.store, pod, found, options), "created"
    record = old.record()
    if _is_so(record, pod, found, options):
        supervise.resume(old)
        return old, "unchanged"
    remove.stop(old)
    remove.remove(old, force=True)
    return make(pods.store, pod, found, options), "configured"


def _is_so(record: PodRecord, pod: Pod, found: Documents, options: CreateOptions) -> bool:
    """Whether the pod that there is was made of the same. Data that it does not use counts, too."""
    before = (record.pod, record.config_maps, record.secrets, record.network)
    after = (pod, found.config_maps, found.secrets, options.network)
    return bool(plain(before) == plain(after))
