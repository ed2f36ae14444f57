"""What stands beside pods in a file: their data, and what makes pods.

Layer: pod. Of a Deployment, Job or DaemonSet minirun takes the pod template
(and a Deployment's replicas); the rest is a controller's business, and is set
aside with a note. Read next: read.py.
API reference: "ConfigMap v1 core", "Secret v1 core", "Deployment v1 apps".
"""

from __future__ import annotations

from minirun.pod.manifest.types_meta import LabelSelector, ObjectMeta
from minirun.pod.manifest.types_pod import PodSpec
from minirun.values import Value


class ConfigMap(Value):
    """Text by key, and bytes by key in base64 (``binaryData``)."""

    apiVersion: str = "v1"
    kind: str = "ConfigMap"
    metadata: ObjectMeta = ObjectMeta()
    data: dict[str, str] = {}
    binaryData: dict[str, str] = {}
    immutable: bool | None = None


class Secret(Value):
    """Base64 by key (``data``), and plain text that wins over it (``stringData``)."""

    apiVersion: str = "v1"
    kind: str = "Secret"
    metadata: ObjectMeta = ObjectMeta()
    type: str = ""
    data: dict[str, str] = {}
    stringData: dict[str, str] = {}
    immutable: bool | None = None


class PodTemplateSpec(Value):
    """The pod that a workload makes copies of."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec


class DeploymentSpec(Value):
    """A pod template, and how many of it."""

    template: PodTemplateSpec
    selector: LabelSelector
    replicas: int | None = None
    strategy: dict[str, object] | None = None
    minReadySeconds: int | None = None
    revisionHistoryLimit: int | None = None
    paused: bool = False
    progressDeadlineSeconds: int | None = None


class Deployment(Value):
    """``replicas`` pods that are alike."""

    apiVersion: str = "apps/v1"
    kind: str = "Deployment"
    metadata: ObjectMeta = ObjectMeta()
    spec: DeploymentSpec
    status: dict[str, object] | None = None


class DaemonSetSpec(Value):
    """A pod template, once on every node."""

    template: PodTemplateSpec
    selector: LabelSelector
    updateStrategy: dict[str, object] | None = None
    minReadySeconds: int | None = None
    revisionHistoryLimit: int | None = None


class DaemonSet(Value):
    """One pod for each node: here, one."""

    apiVersion: str = "apps/v1"
    kind: str = "DaemonSet"
    metadata: ObjectMeta = ObjectMeta()
    spec: DaemonSetSpec
    status: dict[str, object] | None = None


class JobSpec(Value):
    """A pod template that runs to its end."""

    template: PodTemplateSpec
    activeDeadlineSeconds: int | None = None
    parallelism: int | None = None
    completions: int | None = None
    completionMode: str | None = None
    backoffLimit: int | None = None
    backoffLimitPerIndex: int | None = None
    maxFailedIndexes: int | None = None
    podFailurePolicy: dict[str, object] | None = None
    podReplacementPolicy: str | None = None
    successPolicy: dict[str, object] | None = None
    scheduling: dict[str, object] | None = None
    suspend: bool | None = None
    ttlSecondsAfterFinished: int | None = None
    selector: LabelSelector | None = None
    manualSelector: bool | None = None
    managedBy: str | None = None


class Job(Value):
    """Pods that are run until enough of them have succeeded."""

    apiVersion: str = "batch/v1"
    kind: str = "Job"
    metadata: ObjectMeta = ObjectMeta()
    spec: JobSpec
    status: dict[str, object] | None = None
