"""The rules that look at one field alone, as tables; and the walk that applies them.

Layer: pod; pure. The key is ``Class.field`` of types.py. Rules that look at
several fields are in rules_*.py. Read next: validate.py. The API server's
`pkg/apis/core/validation`.
"""

from __future__ import annotations

from minirun.pod.manifest import formats, support
from minirun.values import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from minirun.pod.manifest.problems import Finding

_PULL = ("Always", "IfNotPresent", "Never")
_RESTART = ("Always", "OnFailure", "Never")
_PROFILE = ("RuntimeDefault", "Localhost", "Unconfined")

#: The words that a field may have.
WORDS = {
    "PodSpec.restartPolicy": _RESTART,
    "PodSpec.dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "PodSpec.preemptionPolicy": ("PreemptLowerPriority", "Never"),
    "PodOS.name": ("linux", "windows"),
    "Container.imagePullPolicy": _PULL,
    "Container.restartPolicy": _RESTART,
    "Container.terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
    "ContainerPort.protocol": ("TCP", "UDP", "SCTP"),
    "ContainerResizePolicy.resourceName": ("cpu", "memory"),
    "ContainerResizePolicy.restartPolicy": ("NotRequired", "RestartContainer"),
    "ContainerRestartRule.action": ("Restart", "RestartAllContainers"),
    "ContainerRestartRuleOnExitCodes.operator": ("In", "NotIn"),
    "VolumeMount.mountPropagation": ("None", "HostToContainer", "Bidirectional"),
    "VolumeMount.recursiveReadOnly": ("Disabled", "IfPossible", "Enabled"),
    "HTTPGetAction.scheme": ("HTTP", "HTTPS"),
    "GRPCAction.mode": ("Plaintext", "TLS"),
    "SecurityContext.procMount": ("Default", "Unmasked"),
    "SeccompProfile.type": _PROFILE,
    "AppArmorProfile.type": _PROFILE,
    "PodSecurityContext.fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "PodSecurityContext.supplementalGroupsPolicy": ("Merge", "Strict"),
    "EmptyDirVolumeSource.medium": ("Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi"),
    "HostPathVolumeSource.type": (
        *("Directory", "DirectoryOrCreate", "File", "FileOrCreate"),
        *("Socket", "CharDevice", "BlockDevice"),
    ),
    "ImageVolumeSource.pullPolicy": _PULL,
    "ObjectFieldSelector.apiVersion": ("v1",),
    "NodeSelectorRequirement.operator": ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    "LabelSelectorRequirement.operator": ("In", "NotIn", "Exists", "DoesNotExist"),
    "Toleration.operator": ("Exists", "Equal", "Lt", "Gt"),
    "Toleration.effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "TopologySpreadConstraint.whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
}

_PORT = (1, 65535)
_MODE = (0, 0o777)
_ID = (0, 2**31 - 1)
_COUNT = (0, 2**31 - 1)
_SECONDS = (0, 2**63 - 1)

#: The least and the most; a list's are those of each of its items.
RANGES = {
    "ContainerPort.containerPort": _PORT,
    "ContainerPort.hostPort": (0, 65535),  # 0: none
    "GRPCAction.port": _PORT,
    "SleepAction.seconds": _SECONDS,
    "Probe.initialDelaySeconds": _COUNT,
    "Probe.timeoutSeconds": _COUNT,
    "Probe.periodSeconds": _COUNT,
    "Probe.successThreshold": _COUNT,
    "Probe.failureThreshold": _COUNT,
    "Probe.terminationGracePeriodSeconds": (1, 2**63 - 1),
    "PodSpec.activeDeadlineSeconds": (1, 2**31 - 1),
    "JobSpec.activeDeadlineSeconds": (0, 2**63 - 1),
    "PodSpec.terminationGracePeriodSeconds": _SECONDS,
    "ContainerRestartRuleOnExitCodes.values": (0, 255),
    "SecurityContext.runAsUser": _ID,
    "SecurityContext.runAsGroup": _ID,
    "PodSecurityContext.runAsUser": _ID,
    "PodSecurityContext.runAsGroup": _ID,
    "PodSecurityContext.fsGroup": _ID,
    "PodSecurityContext.supplementalGroups": _ID,
    "KeyToPath.mode": _MODE,
    "DownwardAPIVolumeFile.mode": _MODE,
    "ConfigMapVolumeSource.defaultMode": _MODE,
    "SecretVolumeSource.defaultMode": _MODE,
    "DownwardAPIVolumeSource.defaultMode": _MODE,
    "ProjectedVolumeSource.defaultMode": _MODE,
    "DeploymentSpec.replicas": _COUNT,
}

#: How a text is written; a list's or a map's: each item, each key.
FORMATS: dict[str, Callable[[Any], str]] = {
    "ObjectMeta.name": formats.dns_subdomain,
    "ObjectMeta.namespace": formats.dns_label,
    "ObjectMeta.labels": formats.label_key,
    "PodSpec.hostname": formats.dns_label,
    "PodSpec.subdomain": formats.dns_label,
    "PodSpec.hostnameOverride": formats.host_name,
    "PodSpec.runtimeClassName": formats.dns_subdomain,
    "PodSpec.nodeName": formats.dns_subdomain,
    "PodSpec.serviceAccountName": formats.dns_subdomain,
    "PodSpec.priorityClassName": formats.dns_subdomain,
    "PodSpec.nodeSelector": formats.label_key,
    "PodReadinessGate.conditionType": formats.label_key,
    "HostAlias.ip": formats.address,
    "HostAlias.hostnames": formats.dns_subdomain,
    "PodDNSConfig.nameservers": formats.address,
    "PodDNSConfig.searches": formats.search_domain,
    "Container.name": formats.dns_label,
    "ContainerPort.name": formats.port_name,
    "ContainerPort.hostIP": formats.address,
    "EnvVar.name": formats.variable_name,
    "EnvFromSource.prefix": formats.variable_name,
    "ConfigMapKeySelector.name": formats.dns_subdomain,
    "ConfigMapKeySelector.key": formats.data_key,
    "SecretKeySelector.name": formats.dns_subdomain,
    "SecretKeySelector.key": formats.data_key,
    "ConfigMapEnvSource.name": formats.dns_subdomain,
    "SecretEnvSource.name": formats.dns_subdomain,
    "VolumeMount.mountPath": formats.absolute_path,
    "VolumeMount.subPath": formats.relative_path,
    "VolumeMount.subPathExpr": formats.relative_path,
    "Container.terminationMessagePath": formats.absolute_path,
    "HTTPGetAction.port": formats.port,
    "TCPSocketAction.port": formats.port,
    "HTTPHeader.name": formats.header_name,
    "Lifecycle.stopSignal": formats.signal_name,
    "Capabilities.add": formats.capability,
    "Capabilities.drop": formats.capability,
    "Volume.name": formats.dns_label,
    "HostPathVolumeSource.path": formats.host_path,
    "PersistentVolumeClaimVolumeSource.claimName": formats.dns_subdomain,
    "KeyToPath.key": formats.data_key,
    "KeyToPath.path": formats.file_path,
    "DownwardAPIVolumeFile.path": formats.file_path,
    "ConfigMap.data": formats.data_key,
    "ConfigMap.binaryData": formats.data_key,
    "Secret.data": formats.data_key,
    "Secret.stringData": formats.data_key,
}

#: What has to be said though its type has a default.
REQUIRED = {
    *("Container.image", "ExecAction.command", "ImageVolumeSource.reference", "PodDNSConfigOption.name"),
    *("ConfigMapVolumeSource.name", "SecretVolumeSource.secretName", "ConfigMapProjection.name"),
    *("SecretProjection.name", "ConfigMapEnvSource.name", "SecretEnvSource.name"),
    *("ConfigMapKeySelector.name", "SecretKeySelector.name", "PodSpec.containers"),
}

#: Of these fields exactly one is given.
ONE_OF = {
    "Probe": ("exec", "httpGet", "tcpSocket", "grpc"),
    "LifecycleHandler": ("exec", "httpGet", "tcpSocket", "sleep"),
    "EnvVarSource": ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"),
    "EnvFromSource": ("configMapRef", "secretRef"),
    "DownwardAPIVolumeFile": ("fieldRef", "resourceFieldRef"),
    "VolumeProjection": (
        *("configMap", "secret", "downwardAPI"),
        *("serviceAccountToken", "clusterTrustBundle", "podCertificate"),
    ),
}


def noted(value: Value, path: str) -> Iterator[Finding]:
    """The fields of ``value``, and below, that are set aside; with the reason."""
    for owner, field, item, below in _given(value, path):
        why = support.NOTED.get(f"{owner}.{field}")
        if isinstance(item, str):
            why = why or support.NOTED_VALUES.get((f"{owner}.{field}", item))
        if why:
            yield below, why
        elif item is not None:
            for inner, place in _structures(item, below):
                yield from noted(inner, place)


def check(value: Value, path: str) -> Iterator[Finding]:
    """What the tables find wrong in ``value`` and below."""
    yield from _one_of(value, path)
    kind = type(value).__name__
    for field in value.__fields__:
        name = f"{kind}.{field}"
        if getattr(value, field) in ("", ()) and (name in REQUIRED or field not in value.__defaults__):
            yield _join(path, field), "is required"
    for owner, field, item, below in _given(value, path):
        name = f"{owner}.{field}"
        if name in support.REFUSED:
            yield below, f"refused: {support.REFUSED[name]}"
        elif name not in support.NOTED:
            yield from _check_field(name, item, below)
            for inner, place in _structures(item, below):
                yield from check(inner, place)


def _check_field(name: str, item: Any, path: str) -> Iterator[Finding]:
    if name in WORDS and item:
        words = WORDS[name]
        if item not in words:
            yield path, f"expected {'one of ' if len(words) > 1 else ''}{', '.join(words)}, got {item!r}"
        for (field, word), why in support.REFUSED_VALUES.items():
            if field == name and item.split("-")[0] == word:
                yield path, f"refused: {why}"
    if name in RANGES:
        least, most = RANGES[name]
        for one, place in _each(item, path):
            if not least <= one <= most:
                yield place, _out_of_range(one, least, most)
    if name in FORMATS:
        for one, place in _each(item, path):
            # An empty text is a required one that lacks, or one that was not given.
            if wrong := FORMATS[name](one) if one != "" else "":
                yield place, wrong


def _out_of_range(value: int, least: int, most: int) -> str:
    if (least, most) == _MODE:
        return f"{value} (0{value:o} in octal) is no file mode: 0 to 0777, and 0777 is 511"
    if value < least:
        return f"{value} is too small: {least} is the least"
    return f"{value} is too large: {most} is the most"


def _one_of(value: Value, path: str) -> Iterator[Finding]:
    choices = ONE_OF.get(type(value).__name__, ())
    given = [field for field in choices if getattr(value, field) is not None]
    if choices and not given:
        yield path, f"needs one of {', '.join(choices)}"
    for field in given[1:]:
        yield _join(path, field), f"cannot stand beside {given[0]}: give one of the two"


def _given(value: Value, path: str) -> Iterator[tuple[str, str, Any, str]]:
    """(class, field, its value, its path) of every field that is not at its default."""
    kind = type(value).__name__
    for field in value.__fields__:
        item = getattr(value, field)
        if field not in value.__defaults__ or item != value.__defaults__[field]:
            yield kind, field, item, _join(path, field)


def _structures(item: Any, path: str) -> Iterator[tuple[Value, str]]:
    for one, place in _each(item, path):
        if isinstance(one, Value):
            yield one, place


def _each(item: Any, path: str) -> Iterator[tuple[Any, str]]:
    """The item itself, or each of a list, or each key of a map; with its path."""
    if isinstance(item, tuple):
        yield from ((one, f"{path}[{index}]") for index, one in enumerate(item))
    elif isinstance(item, dict):
        yield from ((key, f"{path}[{key}]") for key in item)
    else:
        yield item, path


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field
