"""renew: a pod's ConfigMaps and Secrets are others now, and the pod goes on.

Layer: pod. As with a kubelet: files of volumes change, all at once (volumes/payload.py);
variables are what a container was started with, and change with its next start; a
subPath is a mount of the old file, and does as well. `pod apply` asks for it, the
supervisor does it. Read ``create.py`` first. Kubernetes, "ConfigMaps", "Mounted
ConfigMaps are updated automatically".
"""

from __future__ import annotations

from minirun.errors import Conflict, MinirunError
from minirun.pod import events, supervise
from minirun.pod.create import is_alive
from minirun.pod.state import NAMESPACE, Data
from minirun.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from minirun.pod.deeds import Deeds
    from minirun.pod.manifest.types import ConfigMap, Container, PodSpec, Secret
    from minirun.pod.state import PodHome, PodRecord


def renew(home: PodHome, data: Data) -> None:
    """Gives the pod other data, and waits until its volumes have it."""
    home.wish(lambda before: replace(before, data=data))
    supervise.tend(home, lambda *_: not home.has_wishes())


def take_up(deeds: Deeds, data: Data) -> None:
    """The supervisor's part. Done twice is done once; where something lacks, the files stay as they were."""
    deeds.record = replace(deeds.record, config_maps=data.config_maps, secrets=data.secrets)
    deeds.home.rewrite(deeds.record)
    if not deeds.spec.volumes or not is_alive(deeds.seen):
        return  # the next sandbox's volumes are made from the new data
    from minirun.pod import volumes

    try:
        volumes.refresh(deeds.volumes())
    except (MinirunError, OSError) as error:
        deeds.event("Warning", "FailedMount", events.said(error))


def check_immutable(record: PodRecord, data: Data) -> None:
    """Raises Conflict where one that says ``immutable`` would change."""
    news: list[ConfigMap | Secret] = [*data.config_maps, *data.secrets]
    olds: list[ConfigMap | Secret] = [*record.config_maps, *record.secrets]
    now = {_key(one): one for one in news}
    for old in olds:
        new = now.get(_key(old))
        if old.immutable and new is not None and _content(new) != _content(old):
            raise Conflict(
                f"{old.kind} {old.metadata.name} cannot change",
                "it says immutable: true, and programs may rely on that",
                f"give the new one another name, or `minirun pod rm -f {record.name}` first",
            )


def _key(one: ConfigMap | Secret) -> tuple[str, str, str]:
    return one.kind, one.metadata.namespace or NAMESPACE, one.metadata.name


def _content(one: ConfigMap | Secret) -> tuple[object, ...]:
    said = (one.data, getattr(one, "binaryData", None), getattr(one, "stringData", None))
    return (*said, bool(one.immutable))


def waits_for_a_start(spec: PodSpec) -> bool:
    """Whether any container has something of the data that does not change while it runs."""
    return any(map(_is_told, (*spec.initContainers, *spec.containers)))


def _is_told(container: Container) -> bool:
    sources = [each.valueFrom for each in container.env if each.valueFrom]
    return bool(container.envFrom) or any(one.configMapKeyRef or one.secretKeyRef for one in sources)
