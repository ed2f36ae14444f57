"""A container of a pod: a program, its surroundings, its limits.

Layer: pod. One class serves containers, initContainers and
ephemeralContainers: what differs between them are rules (validate.py), not
fields. Read next: types_pod.py. API reference: "Container v1 core".
"""

from __future__ import annotations

from minirun.pod.manifest.types_probe import Lifecycle, Probe
from minirun.pod.manifest.types_security import SecurityContext
from minirun.pod.manifest.types_volume import ObjectFieldSelector, Quantity, ResourceFieldSelector
from minirun.values import Value


class ContainerPort(Value):
    """A port that the program listens on, and where the host shows it."""

    containerPort: int
    name: str = ""
    protocol: str | None = None
    hostPort: int | None = None
    hostIP: str = ""


class ConfigMapKeySelector(Value):
    """One key of a ConfigMap."""

    key: str
    name: str = ""
    optional: bool | None = None


class SecretKeySelector(Value):
    """One key of a Secret."""

    key: str
    name: str = ""
    optional: bool | None = None


class FileKeySelector(Value):
    """A variable out of a file in a volume (Kubernetes 1.34, alpha)."""

    volumeName: str
    path: str
    key: str
    optional: bool | None = None


class EnvVarSource(Value):
    """Exactly one of them."""

    fieldRef: ObjectFieldSelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None
    configMapKeyRef: ConfigMapKeySelector | None = None
    secretKeyRef: SecretKeySelector | None = None
    fileKeyRef: FileKeySelector | None = None


class EnvVar(Value):
    """A variable: its value, or where it comes from, never both."""

    name: str
    value: str | None = None
    valueFrom: EnvVarSource | None = None


class ConfigMapEnvSource(Value):
    """A whole ConfigMap."""

    name: str = ""
    optional: bool | None = None


class SecretEnvSource(Value):
    """A whole Secret."""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(Value):
    """Every key of a ConfigMap or Secret as a variable, ``prefix`` before its name."""

    prefix: str = ""
    configMapRef: ConfigMapEnvSource | None = None
    secretRef: SecretEnvSource | None = None


class ResourceClaim(Value):
    """A device that the pod has claimed (``resourceClaims``), for one container."""

    name: str
    request: str = ""


class ResourceRequirements(Value):
    """What is set aside (requests) and what is the most (limits): ``cpu``, ``memory`` ..."""

    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}
    claims: tuple[ResourceClaim, ...] = ()


class ContainerResizePolicy(Value):
    """Whether a changed limit restarts the container."""

    resourceName: str
    restartPolicy: str


class ContainerRestartRuleOnExitCodes(Value):
    """``In`` or ``NotIn`` a set of exit statuses."""

    operator: str
    values: tuple[int, ...] = ()


class ContainerRestartRule(Value):
    """The first rule that fits decides; none fits: restartPolicy does."""

    action: str
    exitCodes: ContainerRestartRuleOnExitCodes | None = None


class VolumeMount(Value):
    """A volume of the pod, and where the container sees it."""

    name: str
    mountPath: str
    readOnly: bool = False
    recursiveReadOnly: str | None = None
    subPath: str = ""
    subPathExpr: str = ""
    mountPropagation: str | None = None
    bindMountOptions: tuple[str, ...] = ()


class VolumeDevice(Value):
    """A block device of a volume; refused by name."""

    name: str
    devicePath: str


class Container(Value):
    """An app container, an init container, a sidecar or an ephemeral one."""

    name: str
    image: str = ""
    imagePullPolicy: str | None = None
    # the program
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    workingDir: str = ""
    env: tuple[EnvVar, ...] = ()
    envFrom: tuple[EnvFromSource, ...] = ()
    stdin: bool = False
    stdinOnce: bool = False
    tty: bool = False
    # its surroundings
    ports: tuple[ContainerPort, ...] = ()
    volumeMounts: tuple[VolumeMount, ...] = ()
    volumeDevices: tuple[VolumeDevice, ...] = ()
    # its limits
    resources: ResourceRequirements | None = None
    resizePolicy: tuple[ContainerResizePolicy, ...] = ()
    securityContext: SecurityContext | None = None
    # its life
    restartPolicy: str | None = None
    restartPolicyRules: tuple[ContainerRestartRule, ...] = ()
    startupProbe: Probe | None = None
    livenessProbe: Probe | None = None
    readinessProbe: Probe | None = None
    lifecycle: Lifecycle | None = None
    terminationMessagePath: str | None = None
    terminationMessagePolicy: str | None = None
    # of ephemeral containers alone
    targetContainerName: str = ""
