"""Volumes: a directory with a name, from exactly one source.

Layer: pod. The sources that need a cluster or a cloud are named too, so that
they can be refused by name. Read next: types_container.py (VolumeMount).
API reference: "Volume v1 core".
"""

from __future__ import annotations

from minirun.pod.manifest.types_meta import LabelSelector
from minirun.values import Value

Quantity = str  # "100m", "64Mi": pod/quantity.py reads it


class KeyToPath(Value):
    """One key of a ConfigMap or Secret, and the file that it becomes."""

    key: str
    path: str
    mode: int | None = None
    user: int | None = None


class ObjectFieldSelector(Value):
    """A field of the pod itself: ``metadata.name``, ``status.podIP`` ..."""

    fieldPath: str
    apiVersion: str = ""


class ResourceFieldSelector(Value):
    """A limit or request of a container, in units of ``divisor``."""

    resource: str
    containerName: str = ""
    divisor: Quantity | None = None


class DownwardAPIVolumeFile(Value):
    """A file whose text is a field of the pod."""

    path: str
    fieldRef: ObjectFieldSelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None
    mode: int | None = None
    user: int | None = None


class EmptyDirVolumeSource(Value):
    """An empty directory that lives as long as the pod; ``medium: Memory`` is a tmpfs."""

    medium: str = ""
    sizeLimit: Quantity | None = None
    mode: int | None = None


class HostPathVolumeSource(Value):
    """A path of the host; ``type`` says what has to be there, or is made."""

    path: str
    type: str | None = None


class ConfigMapVolumeSource(Value):
    """A ConfigMap, a file for each key."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    defaultMode: int | None = None
    defaultUser: int | None = None
    optional: bool | None = None


class SecretVolumeSource(Value):
    """A Secret, a file for each key, in memory."""

    secretName: str = ""
    items: tuple[KeyToPath, ...] = ()
    defaultMode: int | None = None
    defaultUser: int | None = None
    optional: bool | None = None


class DownwardAPIVolumeSource(Value):
    """Fields of the pod, as files."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    defaultMode: int | None = None
    defaultUser: int | None = None


class PersistentVolumeClaimVolumeSource(Value):
    """A named local volume, here."""

    claimName: str
    readOnly: bool = False


class ImageVolumeSource(Value):
    """The files of an image, read-only."""

    reference: str = ""
    pullPolicy: str = ""


class ConfigMapProjection(Value):
    """A ConfigMap among the sources of a projected volume."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class SecretProjection(Value):
    """A Secret among the sources of a projected volume."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class DownwardAPIProjection(Value):
    """Fields of the pod among the sources of a projected volume."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()


class ServiceAccountTokenProjection(Value):
    """A token that only an API server can issue."""

    path: str
    audience: str = ""
    expirationSeconds: int | None = None
    user: int | None = None


class ClusterTrustBundleProjection(Value):
    """Certificates that only an API server has."""

    path: str
    name: str | None = None
    signerName: str | None = None
    labelSelector: LabelSelector | None = None
    optional: bool | None = None
    user: int | None = None


class VolumeProjection(Value):
    """One source among several that share a directory."""

    configMap: ConfigMapProjection | None = None
    secret: SecretProjection | None = None
    downwardAPI: DownwardAPIProjection | None = None
    serviceAccountToken: ServiceAccountTokenProjection | None = None
    clusterTrustBundle: ClusterTrustBundleProjection | None = None
    podCertificate: dict[str, object] | None = None


class ProjectedVolumeSource(Value):
    """Several sources in one directory."""

    sources: tuple[VolumeProjection, ...] = ()
    defaultMode: int | None = None
    defaultUser: int | None = None


class Volume(Value):
    """A name, and exactly one source."""

    name: str
    emptyDir: EmptyDirVolumeSource | None = None
    hostPath: HostPathVolumeSource | None = None
    configMap: ConfigMapVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    downwardAPI: DownwardAPIVolumeSource | None = None
    image: ImageVolumeSource | None = None
    persistentVolumeClaim: PersistentVolumeClaimVolumeSource | None = None
    # What a cluster or a cloud has to provide: refused by name.
    awsElasticBlockStore: dict[str, object] | None = None
    azureDisk: dict[str, object] | None = None
    azureFile: dict[str, object] | None = None
    cephfs: dict[str, object] | None = None
    cinder: dict[str, object] | None = None
    csi: dict[str, object] | None = None
    ephemeral: dict[str, object] | None = None
    fc: dict[str, object] | None = None
    flexVolume: dict[str, object] | None = None
    flocker: dict[str, object] | None = None
    gcePersistentDisk: dict[str, object] | None = None
    gitRepo: dict[str, object] | None = None
    glusterfs: dict[str, object] | None = None
    iscsi: dict[str, object] | None = None
    nfs: dict[str, object] | None = None
    photonPersistentDisk: dict[str, object] | None = None
    portworxVolume: dict[str, object] | None = None
    quobyte: dict[str, object] | None = None
    rbd: dict[str, object] | None = None
    scaleIO: dict[str, object] | None = None
    storageos: dict[str, object] | None = None
    vsphereVolume: dict[str, object] | None = None
