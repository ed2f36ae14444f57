"""A pod: containers that share a sandbox.

Layer: pod. Values do not carry the API server's defaults: ``None`` and
``()`` mean that the manifest does not say, and defaults.py says what that
means. Read next: types_workload.py, read.py. API reference: "Pod v1 core".
"""

from __future__ import annotations

from minirun.pod.manifest.types_container import Container, ResourceRequirements
from minirun.pod.manifest.types_meta import LocalObjectReference, ObjectMeta
from minirun.pod.manifest.types_scheduling import (
    Affinity,
    EvictionResponder,
    PodReadinessGate,
    PodResourceClaim,
    PodSchedulingGate,
    PodSchedulingGroup,
    Toleration,
    TopologySpreadConstraint,
)
from minirun.pod.manifest.types_security import PodSecurityContext
from minirun.pod.manifest.types_status import PodStatus
from minirun.pod.manifest.types_volume import Quantity, Volume
from minirun.values import Value


class HostAlias(Value):
    """A line of /etc/hosts."""

    ip: str
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(Value):
    """One word of the ``options`` line: ``ndots`` and ``5``."""

    name: str = ""
    value: str | None = None


class PodDNSConfig(Value):
    """Lines of /etc/resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodOS(Value):
    """``linux`` or ``windows``."""

    name: str


class PodSpec(Value):
    """What a pod is made of."""

    containers: tuple[Container, ...]
    initContainers: tuple[Container, ...] = ()
    ephemeralContainers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    # its life
    restartPolicy: str | None = None
    terminationGracePeriodSeconds: int | None = None
    activeDeadlineSeconds: int | None = None
    # its namespaces
    hostNetwork: bool = False
    hostPID: bool = False
    hostIPC: bool = False
    hostUsers: bool | None = None
    shareProcessNamespace: bool | None = None
    # its name and how it finds others
    hostname: str = ""
    subdomain: str = ""
    setHostnameAsFQDN: bool | None = None
    hostnameOverride: str | None = None
    hostAliases: tuple[HostAlias, ...] = ()
    dnsPolicy: str | None = None
    dnsConfig: PodDNSConfig | None = None
    # its limits
    resources: ResourceRequirements | None = None
    overhead: dict[str, Quantity] = {}
    securityContext: PodSecurityContext | None = None
    runtimeClassName: str | None = None
    # what only a cluster can mean
    affinity: Affinity | None = None
    automountServiceAccountToken: bool | None = None
    enableServiceLinks: bool | None = None
    evictionResponders: tuple[EvictionResponder, ...] = ()
    imagePullSecrets: tuple[LocalObjectReference, ...] = ()
    nodeName: str = ""
    nodeSelector: dict[str, str] = {}
    os: PodOS | None = None
    preemptionPolicy: str | None = None
    priority: int | None = None
    priorityClassName: str = ""
    readinessGates: tuple[PodReadinessGate, ...] = ()
    resourceClaims: tuple[PodResourceClaim, ...] = ()
    schedulerName: str = ""
    schedulingGates: tuple[PodSchedulingGate, ...] = ()
    schedulingGroup: PodSchedulingGroup | None = None
    serviceAccount: str = ""
    serviceAccountName: str = ""
    tolerations: tuple[Toleration, ...] = ()
    topologySpreadConstraints: tuple[TopologySpreadConstraint, ...] = ()


class Pod(Value):
    """``apiVersion: v1``, ``kind: Pod``."""

    apiVersion: str = "v1"
    kind: str = "Pod"
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec
    status: PodStatus | None = None  # written by minirun; passed over when it is read
