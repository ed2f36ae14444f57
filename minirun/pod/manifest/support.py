"""Which fields mean something here: the tables, and the Markdown made from them.

Layer: pod; pure. A field of types.py is *supported* unless it stands below.
*Noted*: accepted, set aside, and said so. *Refused*: minirun cannot keep what
the field promises, so the manifest is refused and the field is named. Read
next: tables.py.
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_CLUSTER = "only a cluster can mean that"
_SCHEDULER = "only a cluster can mean that: there is one node here, and no scheduler"
_ACCOUNT = "only a cluster can mean that: there is no API server to have an account with"
_CONTROLLER = "only a cluster can mean that: no controller runs here"
_DEVICE = "only a cluster can mean that: no driver hands out devices here"

NOTED = {
    "PodSpec.affinity": _SCHEDULER,
    "PodSpec.automountServiceAccountToken": _ACCOUNT,
    "PodSpec.enableServiceLinks": "only a cluster can mean that: there are no services here",
    "PodSpec.evictionResponders": _CLUSTER,
    "PodSpec.imagePullSecrets": "images come from the local store: there is nothing to log in to",
    "PodSpec.nodeName": _SCHEDULER,
    "PodSpec.nodeSelector": _SCHEDULER,
    "PodSpec.preemptionPolicy": _SCHEDULER,
    "PodSpec.priority": _SCHEDULER,
    "PodSpec.priorityClassName": _SCHEDULER,
    "PodSpec.readinessGates": "only a cluster can mean that: nobody here reports such conditions",
    "PodSpec.resourceClaims": _DEVICE,
    "PodSpec.schedulerName": _SCHEDULER,
    "PodSpec.schedulingGates": _SCHEDULER,
    "PodSpec.schedulingGroup": _SCHEDULER,
    "PodSpec.serviceAccount": _ACCOUNT,
    "PodSpec.serviceAccountName": _ACCOUNT,
    "PodSpec.tolerations": _SCHEDULER,
    "PodSpec.topologySpreadConstraints": _SCHEDULER,
    "Container.resizePolicy": "only a cluster can mean that: limits do not change while a pod runs",
    "ResourceRequirements.claims": _DEVICE,
    "DeploymentSpec.minReadySeconds": _CONTROLLER,
    "DeploymentSpec.paused": _CONTROLLER,
    "DeploymentSpec.progressDeadlineSeconds": _CONTROLLER,
    "DeploymentSpec.revisionHistoryLimit": _CONTROLLER,
    "DeploymentSpec.strategy": _CONTROLLER,
    "DaemonSetSpec.minReadySeconds": _CONTROLLER,
    "DaemonSetSpec.revisionHistoryLimit": _CONTROLLER,
    "DaemonSetSpec.updateStrategy": _CONTROLLER,
    "JobSpec.backoffLimit": "a Job is one pod here: its restartPolicy decides",
    "JobSpec.backoffLimitPerIndex": _CONTROLLER,
    "JobSpec.completionMode": "a Job is one pod here",
    "JobSpec.completions": "a Job is one pod here",
    "JobSpec.managedBy": _CONTROLLER,
    "JobSpec.manualSelector": _CONTROLLER,
    "JobSpec.maxFailedIndexes": _CONTROLLER,
    "JobSpec.parallelism": "a Job is one pod here",
    "JobSpec.podFailurePolicy": _CONTROLLER,
    "JobSpec.podReplacementPolicy": _CONTROLLER,
    "JobSpec.scheduling": _SCHEDULER,
    "JobSpec.selector": _CONTROLLER,
    "JobSpec.successPolicy": _CONTROLLER,
    "JobSpec.ttlSecondsAfterFinished": "no controller runs here: `minirun pod prune` removes what has ended",
}

_SERVER = "an API server writes it, and minirun passes over it"
WRITTEN_BY_THE_SERVER = {
    "ObjectMeta.creationTimestamp": _SERVER,
    "ObjectMeta.deletionGracePeriodSeconds": _SERVER,
    "ObjectMeta.deletionTimestamp": _SERVER,
    "ObjectMeta.finalizers": "only a cluster can mean that: nobody waits here before an object goes",
    "ObjectMeta.generation": _SERVER,
    "ObjectMeta.managedFields": _SERVER,
    "ObjectMeta.ownerReferences": _SERVER,
    "ObjectMeta.resourceVersion": _SERVER,
    "ObjectMeta.selfLink": _SERVER,
    "ObjectMeta.uid": _SERVER,
    "Pod.status": _SERVER,
    "Deployment.status": _SERVER,
    "DaemonSet.status": _SERVER,
    "Job.status": _SERVER,
}

_CLOUD = "a disk of a cloud: attach it to the host, mount it there, and use hostPath"
_NETWORK = "a network file system: mount it on the host, and use hostPath"
_GONE = "Kubernetes has removed it"
_ALPHA = "alpha in Kubernetes (off in a cluster unless switched on), and minirun does not have it"

REFUSED = {
    "Container.volumeDevices": "minirun passes no block devices of a volume into a pod",
    "EnvVarSource.fileKeyRef": f"{_ALPHA}: use configMapKeyRef, or read the file in the program",
    "EmptyDirVolumeSource.mode": _ALPHA,
    "HTTPGetAction.protocol": _ALPHA,
    "KeyToPath.user": _ALPHA,
    "DownwardAPIVolumeFile.user": _ALPHA,
    "ConfigMapVolumeSource.defaultUser": _ALPHA,
    "SecretVolumeSource.defaultUser": _ALPHA,
    "DownwardAPIVolumeSource.defaultUser": _ALPHA,
    "ProjectedVolumeSource.defaultUser": _ALPHA,
    "VolumeMount.bindMountOptions": _ALPHA,
    "LifecycleHandler.tcpSocket": "no kubelet has ever run it: use httpGet or exec",
    "PodSecurityContext.seLinuxChangePolicy": "minirun sets no SELinux labels",
    "PodSecurityContext.seLinuxOptions": "minirun sets no SELinux labels",
    "PodSecurityContext.windowsOptions": "minirun runs Linux containers",
    "SecurityContext.seLinuxOptions": "minirun sets no SELinux labels",
    "SecurityContext.windowsOptions": "minirun runs Linux containers",
    "VolumeProjection.clusterTrustBundle": "only an API server has trust bundles: use a configMap",
    "VolumeProjection.podCertificate": "only an API server issues certificates: use a secret",
    "VolumeProjection.serviceAccountToken": "only an API server issues tokens: use a secret",
    "Volume.awsElasticBlockStore": _CLOUD,
    "Volume.azureDisk": _CLOUD,
    "Volume.azureFile": _NETWORK,
    "Volume.cephfs": _NETWORK,
    "Volume.cinder": _CLOUD,
    "Volume.csi": "a driver of a cluster provides it: use persistentVolumeClaim (a local volume) or hostPath",
    "Volume.ephemeral": "a cluster makes a claim for it: use emptyDir, or persistentVolumeClaim",
    "Volume.fc": "a disk of a storage network: mount it on the host, and use hostPath",
    "Volume.flexVolume": "a driver of a cluster provides it: mount it on the host, and use hostPath",
    "Volume.flocker": _GONE,
    "Volume.gcePersistentDisk": _CLOUD,
    "Volume.gitRepo": "Kubernetes disables it: clone in an init container, into an emptyDir",
    "Volume.glusterfs": _NETWORK,
    "Volume.iscsi": "a disk of a storage network: mount it on the host, and use hostPath",
    "Volume.nfs": _NETWORK,
    "Volume.photonPersistentDisk": _GONE,
    "Volume.portworxVolume": _CLOUD,
    "Volume.quobyte": _GONE,
    "Volume.rbd": _NETWORK,
    "Volume.scaleIO": _GONE,
    "Volume.storageos": _GONE,
    "Volume.vsphereVolume": _CLOUD,
}

#: Words of a supported field that are refused.
REFUSED_VALUES = {
    (
        "ContainerRestartRule.action",
        "RestartAllContainers",
    ): "minirun restarts the one container: use Restart",
    ("EmptyDirVolumeSource.medium", "HugePages"): "minirun gives no huge pages: use Memory",
    ("GRPCAction.mode", "TLS"): "the gRPC probe speaks plain text: leave it out, or use tcpSocket",
    ("PodOS.name", "windows"): "minirun runs Linux containers",
}

#: Words of a supported field that promise more than there is, and are noted.
NOTED_VALUES = {
    ("Container.imagePullPolicy", "Always"): "nothing is pulled here: the image is the local store's",
    ("ImageVolumeSource.pullPolicy", "Always"): "nothing is pulled here: the image is the local store's",
}

_LOCAL = "images come from the local store, with every policy: `minirun load` puts them there"
#: What a supported field does, where its name does not say it all.
SAID = {
    "PodSpec.ephemeralContainers": "through `minirun pod debug`, as in a cluster; not in a manifest",
    "PodSpec.runtimeClassName": "an OCI runtime by its program's name: runc, crun, runsc ...; or minirun",
    "PodSpec.dnsPolicy": "ClusterFirst is Default here: there is no cluster DNS",
    "PodSpec.os": "linux; Kubernetes wants it said beside stopSignal",
    "PodSpec.resources": "the limits of the pod as a whole",
    "PodSecurityContext.sysctls": "the safe ones",
    "PodSecurityContext.supplementalGroupsPolicy": "Merge or Strict",
    "ResourceRequirements.limits": "cpu, memory; ephemeral-storage is noted, others are refused",
    "ResourceRequirements.requests": "cpu, memory; ephemeral-storage is noted, others are refused",
    "Volume.persistentVolumeClaim": "a named local volume, made on first use",
    "Container.imagePullPolicy": _LOCAL,
    "ImageVolumeSource.pullPolicy": _LOCAL,
    "Container.restartPolicy": "Always makes an init container a sidecar",
    "Deployment.kind": "`replicas` pods: NAME-0, NAME-1 ...",
    "DeploymentSpec.replicas": "pods NAME-0, NAME-1 ...",
    "JobSpec.activeDeadlineSeconds": "its pod's, if that has none that is shorter",
    "JobSpec.suspend": "true makes no pod",
    "DeploymentSpec.selector": "has to fit the template's labels",
    "DaemonSetSpec.selector": "has to fit the template's labels",
}


def status(owner: str, field: str) -> tuple[str, str]:
    """``supported``, ``noted`` or ``refused``, and a sentence (it may be empty)."""
    name = f"{owner}.{field}"
    for word, rows in (("refused", REFUSED), ("noted", NOTED), ("noted", WRITTEN_BY_THE_SERVER)):
        if name in rows:
            return word, rows[name]
    return "supported", SAID.get(name, "")


def page() -> str:
    """The table with a heading, as tutorials/pod-fields.md has it."""
    return (
        "# Which fields of a manifest count\n\n"
        "Made from the code by `make pod-fields`; a test keeps it true. *supported* does what Kubernetes\n"
        "does with it, *noted* is accepted and said to mean nothing without a cluster, *refused* is an\n"
        "error that names it.\n\n" + table()
    )


def table() -> str:
    """Every field of the objects that minirun reads, as a table in Markdown."""
    lines = ["| field | here | |", "| --- | --- | --- |"]
    lines += [f"| `{path}` | {word} | {said} |" for path, word, said in rows()]
    return "\n".join(lines) + "\n"


def rows() -> Iterator[tuple[str, str, str]]:
    """(path, status, sentence) of every field; a structure's own fields come once, where it is first met."""
    from minirun.pod.manifest import types

    met: set[str] = set()
    for kind in (types.Pod, types.ConfigMap, types.Secret, types.Deployment, types.DaemonSet, types.Job):
        yield from _rows(kind, "" if kind is types.Pod else kind.__name__, met)


def _rows(kind: type[Value], prefix: str, met: set[str]) -> Iterator[tuple[str, str, str]]:
    """Walks the types; what is noted or refused is not looked into."""
    from minirun.pod.manifest.decode import shapes_of

    met.add(kind.__name__)
    for field, shape in shapes_of(kind).items():
        path = f"{prefix}.{field}" if prefix else field
        word, said = status(kind.__name__, field)
        inner, suffix = _structure(shape)
        if inner is not None and inner.__name__ in met and not said:
            said = f"as {inner.__name__} above"
        yield path + suffix, word, said
        if inner is not None and word == "supported" and inner.__name__ not in met:
            yield from _rows(inner, path + suffix, met)


def _structure(shape: Any) -> tuple[type[Value] | None, str]:
    """The class in a shape, if there is one, and how a path shows that it is a list or a map."""
    word, inner = shape
    if word == "structure":
        return inner, ""
    if word == "list":
        return (inner[1] if inner[0] == "structure" else None), "[]"
    return None, ""
