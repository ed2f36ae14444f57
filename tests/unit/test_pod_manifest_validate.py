"""The API server's rules, one slip at a time."""

from __future__ import annotations

import pytest

from minirun.pod.manifest.problems import InvalidManifest
from minirun.pod.manifest.read import read
from minirun.pod.manifest.rules_security import SAFE_SYSCTLS
from minirun.pod.manifest.types import Container, ContainerPort, PodSpec, VolumeMount
from minirun.pod.manifest.validate import validate_container, validate_ephemeral

HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"


def found(text: str) -> list[str]:
    """The errors of a file, without the lines; none for a valid one."""
    try:
        read(text, "pod.yaml")
    except InvalidManifest as error:
        return [f"{one.path}: {one.what}" for one in error.problems]
    return []


def in_spec(more: str, containers: str = "[{name: main, image: busybox}]") -> list[str]:
    """... of a pod with this in its spec."""
    return found(f"{HEAD}spec: {{containers: {containers}, {more}}}\n")


def in_container(more: str, spec: str = "") -> list[str]:
    """... of a pod with this in its container."""
    return in_spec(spec, f"[{{name: main, image: busybox, {more}}}]")


def in_projected(sources: str) -> str:
    """A projected volume's sources, as part of a spec."""
    return f"volumes: [{{name: a, projected: {{sources: [{sources}]}}}}]"


def in_downward(source: str) -> str:
    """A downwardAPI volume's file."""
    return f"volumes: [{{name: a, downwardAPI: {{items: [{{path: a, {source}}}]}}}}]"


def in_rule(rule: str) -> str:
    """A restart rule, as part of a container."""
    return f"restartPolicy: Never, restartPolicyRules: [{{{rule}}}]"


def in_sysctls(*names: str) -> str:
    """A pod's sysctls."""
    return f"securityContext: {{sysctls: [{', '.join(f'{{name: {name}, value: a}}' for name in names)}]}}"


def in_mount(more: str) -> str:
    """A mount of the volume ``v``."""
    return f"[{{name: v, mountPath: /a, {more}}}]"


MAIN = "spec.containers[0]"

# Each row: what is in the pod's spec, and what is said of it ("" for nothing).
SPEC = [
    ("hostNetwork: true, hostUsers: false", "spec.hostNetwork: cannot stand beside hostUsers: false"),
    ("hostPID: true, hostUsers: false", "spec.hostPID: cannot stand beside hostUsers: false"),
    ("hostIPC: true, hostUsers: false", "spec.hostIPC: cannot stand beside hostUsers: false"),
    ("hostIPC: true, hostUsers: true", ""),
    ("hostPID: true, shareProcessNamespace: true", "spec.shareProcessNamespace: cannot stand beside hostPID"),
    ("restartPolicy: always", "spec.restartPolicy: expected one of Always, OnFailure, Never, got 'always'"),
    ("activeDeadlineSeconds: 0", "spec.activeDeadlineSeconds: 0 is too small: 1 is the least"),
    ("activeDeadlineSeconds: 1", ""),
    ("activeDeadlineSeconds: 2147483648", "spec.activeDeadlineSeconds: 2147483648 is too large"),
    ("terminationGracePeriodSeconds: -1", "spec.terminationGracePeriodSeconds: -1 is too small"),
    ("terminationGracePeriodSeconds: 0", ""),
    ("hostname: Front", "spec.hostname: 'Front' is no name"),
    ("hostname: a.b", "spec.hostname: 'a.b' is no name"),
    (f"hostname: {'a' * 64}", "has 64 characters, and 63 are the most"),
    ("subdomain: -a", "spec.subdomain: '-a' is no name"),
    ("hostnameOverride: a.b, hostNetwork: true", "spec.hostnameOverride: cannot stand beside hostNetwork"),
    (
        "hostnameOverride: a.b, setHostnameAsFQDN: true",
        "spec.hostnameOverride: cannot stand beside setHostnameAs",
    ),
    ("runtimeClassName: my_class", "spec.runtimeClassName: 'my_class' is no name"),
    ("os: {name: plan9}", "spec.os.name: expected one of linux, windows, got 'plan9'"),
    ("os: {name: windows}", "spec.os.name: refused: minirun runs Linux containers"),
    ("hostAliases: [{ip: 1.2.3}]", "spec.hostAliases[0].ip: '1.2.3' is no IP address"),
    ("hostAliases: [{ip: '::1', hostnames: [a, A]}]", "spec.hostAliases[0].hostnames[1]: 'A' is no name"),
    # DNS
    ("dnsPolicy: None", "spec.dnsConfig.nameservers: needs at least one with dnsPolicy None"),
    ("dnsPolicy: None, dnsConfig: {searches: [a]}", "spec.dnsConfig.nameservers: needs at least one"),
    ("dnsPolicy: Cluster", "spec.dnsPolicy: expected one of ClusterFirst, "),
    (
        "dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}",
        "nameservers: has 4, and 3 are the most",
    ),
    ("dnsConfig: {nameservers: [dns.example.com]}", "nameservers[0]: 'dns.example.com' is no IP address"),
    (
        f"dnsConfig: {{searches: [{', '.join(f'a{n}' for n in range(33))}]}}",
        "searches: has 33, and 32 are the most",
    ),
    (
        f"dnsConfig: {{searches: [{', '.join('a.' * 100 + str(n) for n in range(12))}]}}",
        "more than 2048 characters",
    ),
    ("dnsConfig: {searches: [., _tcp.a., a b]}", "spec.dnsConfig.searches[2]: 'a b' is no name"),
    ("dnsConfig: {options: [{value: '1'}]}", "spec.dnsConfig.options[0].name: is required"),
    # volumes
    (
        "volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]",
        "volumes[1].name: another volume is named 'a'",
    ),
    ("volumes: [{emptyDir: {}}]", "spec.volumes[0].name: is required"),
    ("volumes: [{name: A_B, emptyDir: {}}]", "spec.volumes[0].name: 'A_B' is no name"),
    (
        "volumes: [{name: a, emptyDir: {}, hostPath: {path: /a}}]",
        "volumes[0].hostPath: cannot stand beside empty",
    ),
    (
        "volumes: [{name: a, emptyDir: {medium: Disk}}]",
        "volumes[0].emptyDir.medium: expected one of Memory, ",
    ),
    (
        "volumes: [{name: a, emptyDir: {medium: HugePages-2Mi}}]",
        "emptyDir.medium: refused: minirun gives no huge",
    ),
    (
        "volumes: [{name: a, emptyDir: {sizeLimit: -1}}]",
        "volumes[0].emptyDir.sizeLimit: must not be negative",
    ),
    ("volumes: [{name: a, hostPath: {path: a}}]", "volumes[0].hostPath.path: 'a' has to begin with /"),
    (
        "volumes: [{name: a, hostPath: {path: /a/../b}}]",
        "volumes[0].hostPath.path: '/a/../b' must not contain ..",
    ),
    (
        "volumes: [{name: a, hostPath: {path: /a, type: Dir}}]",
        "volumes[0].hostPath.type: expected one of Directory",
    ),
    ("volumes: [{name: a, hostPath: {path: /a, type: ''}}]", ""),
    ("volumes: [{name: a, configMap: {}}]", "spec.volumes[0].configMap.name: is required"),
    ("volumes: [{name: a, secret: {}}]", "spec.volumes[0].secret.secretName: is required"),
    (
        "volumes: [{name: a, secret: {secretName: a, defaultMode: 644}}]",
        "644 (01204 in octal) is no file mode",
    ),
    ("volumes: [{name: a, configMap: {name: a, items: [{key: a}]}}]", "configMap.items[0].path: is required"),
    (
        "volumes: [{name: a, configMap: {name: a, items: [{key: a, path: ../b}]}}]",
        "'../b' must not begin with ..",
    ),
    ("volumes: [{name: a, configMap: {name: a, items: [{key: a, path: /b}]}}]", "'/b' has to be relative"),
    (
        "volumes: [{name: a, configMap: {name: a, items: [{key: a/b, path: b}]}}]",
        "items[0].key: 'a/b' is no key",
    ),
    (
        "volumes: [{name: a, configMap: {name: a, items: [{key: a, path: x}, {key: b, path: x}]}}]",
        "spec.volumes[0].configMap.items[1].path: 'x' is taken by spec.volumes[0].configMap.items[0]",
    ),
    (
        in_projected(
            "{secret: {name: a, items: [%s]}}, {configMap: {name: b, items: [%s]}}"
            % (("{key: a, path: x}",) * 2)
        ),
        "spec.volumes[0].projected.sources[1].configMap.items[0].path: 'x' is taken by",
    ),
    (
        "volumes: [{name: a, projected: {sources: [{}]}}]",
        "projected.sources[0]: needs one of configMap, secret",
    ),
    (
        "volumes: [{name: a, projected: {sources: [{podCertificate: {}}]}}]",
        "podCertificate: refused: only an API",
    ),
    (
        "volumes: [{name: a, downwardAPI: {items: [{path: a}]}}]",
        "downwardAPI.items[0]: needs one of fieldRef",
    ),
    (
        in_downward("fieldRef: {fieldPath: status.podIP}"),
        "items[0].fieldRef.fieldPath: 'status.podIP' cannot be told: it may be metadata.name, ",
    ),
    (
        in_downward("resourceFieldRef: {resource: limits.cpu}"),
        "items[0].resourceFieldRef.containerName: is required in a volume",
    ),
    (
        in_downward("resourceFieldRef: {resource: limits.cpu, containerName: b}"),
        "resourceFieldRef.containerName: the pod has no container 'b': it has main",
    ),
    ("volumes: [{name: a, image: {}}]", "spec.volumes[0].image.reference: is required"),
    (
        "volumes: [{name: a, image: {reference: b, pullPolicy: always}}]",
        "image.pullPolicy: expected one of Always",
    ),
    ("volumes: [{name: a, persistentVolumeClaim: {}}]", "persistentVolumeClaim.claimName: is required"),
    ("volumes: [{name: a, iscsi: {}}]", "spec.volumes[0].iscsi: refused: a disk of a storage network"),
    # security of the pod
    ("securityContext: {runAsUser: -1}", "spec.securityContext.runAsUser: -1 is too small"),
    (
        "securityContext: {supplementalGroups: [1, -2]}",
        "spec.securityContext.supplementalGroups[1]: -2 is too small",
    ),
    (
        "securityContext: {fsGroupChangePolicy: Never}",
        "fsGroupChangePolicy: expected one of Always, OnRootMismatch",
    ),
    (
        "securityContext: {seccompProfile: {type: Localhost}}",
        "seccompProfile.localhostProfile: is required with",
    ),
    (
        "securityContext: {seccompProfile: {type: Unconfined, localhostProfile: a}}",
        "seccompProfile.localhostProfile: goes with type Localhost, and this is Unconfined",
    ),
    ("securityContext: {seccompProfile: {}}", "spec.securityContext.seccompProfile.type: is required"),
    (
        "securityContext: {appArmorProfile: {type: Localhost, localhostProfile: ../a}}",
        "has to be relative, without",
    ),
    ("securityContext: {sysctls: [{name: kernel.sem, value: '1'}]}", "kernel.sem is no safe sysctl"),
    (
        "hostNetwork: true, securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: '1'}]}",
        "spec.securityContext.sysctls[0].name: net.ipv4.tcp_rmem would be the host's own with hostNetwork",
    ),
    (
        "hostIPC: true, securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}]}",
        "kernel.shm_rmid_forced would be the host's own with hostIPC",
    ),
    (
        in_sysctls("net.ipv4.tcp_wmem", "net/ipv4/tcp_wmem"),
        "spec.securityContext.sysctls[1].name: net.ipv4.tcp_wmem is set twice",
    ),
    (
        "hostUsers: false, securityContext: {fsGroup: 70000}",
        "fsGroup: 70000 does not exist with hostUsers: false",
    ),
    (
        "hostUsers: false, securityContext: {supplementalGroups: [65536]}",
        "supplementalGroups[0]: 65536 does not",
    ),
    # resources of the pod
    (
        "resources: {limits: {hugepages-2Mi: 2Mi}}",
        "limits[hugepages-2Mi]: refused: huge pages are not handed out",
    ),
    (
        "resources: {requests: {cpu: 2}, limits: {cpu: 1}}",
        "spec.resources.requests[cpu]: 2 is more than the limit, 1",
    ),
    ("resources: {claims: [{name: a}]}", "spec.resources.claims: cannot be given for a pod as a whole"),
    ("overhead: {cpu: -1}", "spec.overhead[cpu]: -1 is negative"),
    ("ephemeralContainers: [{name: a, image: b}]", "spec.ephemeralContainers: cannot be in a manifest"),
]

# Each row: what is in the container, and what is said of it.
CONTAINER = [
    (
        "imagePullPolicy: Sometimes",
        "containers[0].imagePullPolicy: expected one of Always, IfNotPresent, Never",
    ),
    (
        "terminationMessagePolicy: Logs",
        "terminationMessagePolicy: expected one of File, FallbackToLogsOnError",
    ),
    ("terminationMessagePath: why", "terminationMessagePath: 'why' has to begin with /"),
    (
        "volumeDevices: [{name: a, devicePath: /b}]",
        "spec.containers[0].volumeDevices: refused: minirun passes no",
    ),
    ("targetContainerName: main", "targetContainerName: is for ephemeral containers only"),
    # ports
    ("ports: [{containerPort: 0}]", "ports[0].containerPort: 0 is too small: 1 is the least"),
    ("ports: [{containerPort: 1, hostPort: 0}]", ""),
    (
        "ports: [{containerPort: 1, hostPort: 65536}]",
        "ports[0].hostPort: 65536 is too large: 65535 is the most",
    ),
    (
        "ports: [{containerPort: 1, name: no-letters-but-too-long}]",
        "ports[0].name: 'no-letters-but-too-long' is no",
    ),
    ("ports: [{containerPort: 1, name: '80'}]", "ports[0].name: '80' is no port name"),
    ("ports: [{containerPort: 1, name: a--b}]", "ports[0].name: 'a--b' is no port name"),
    (
        "ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]",
        "ports[1].name: another port of the conta",
    ),
    (
        "ports: [{containerPort: 1, protocol: tcp}]",
        "ports[0].protocol: expected one of TCP, UDP, SCTP, got 'tcp'",
    ),
    ("ports: [{containerPort: 1, hostIP: localhost}]", "ports[0].hostIP: 'localhost' is no IP address"),
    ("ports: [{containerPort: 1, hostPort: 2}, {containerPort: 3, hostPort: 2}]", "has 2/TCP of the host"),
    ("ports: [{containerPort: 1, hostPort: 2}, {containerPort: 3, hostPort: 2, protocol: UDP}]", ""),
    ("ports: [{containerPort: 1, hostPort: 2, hostIP: 127.0.0.1}, {containerPort: 3, hostPort: 2}]", ""),
    # env
    ("env: [{value: a}]", "env[0].name: is required"),
    ("env: [{name: A=B}]", "env[0].name: 'A=B' is no variable's name"),
    ("env: [{name: '1 odd.name'}]", ""),
    (
        "env: [{name: A, value: a, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]",
        "valueFrom: cannot stand besi",
    ),
    ("env: [{name: A, value: '', valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", ""),
    ("env: [{name: A, valueFrom: {}}]", "env[0].valueFrom: needs one of fieldRef, "),
    (
        "env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.uid}, secretKeyRef: {name: a, key: b}}}]",
        "env[0].valueFrom.secretKeyRef: cannot stand beside fieldRef",
    ),
    (
        "env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]",
        "'metadata.labels' cannot be told",
    ),
    (
        "env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.name['a']\"}}}]",
        "metadata.name has no keys",
    ),
    ("env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a b']\"}}}]", "'a b' is no key"),
    (
        "env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.uid, apiVersion: v2}}}]",
        "expected v1, got 'v2'",
    ),
    ("env: [{name: A, valueFrom: {configMapKeyRef: {key: a}}}]", "configMapKeyRef.name: is required"),
    ("env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: ..a}}}]", "secretKeyRef.key: '..a' is no key"),
    (
        "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.gpu}}}]",
        "resource: 'limits.gpu' is none",
    ),
    (
        "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2}}}]",
        "divisor: '2' is none",
    ),
    ("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1000m}}}]", ""),
    (
        "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1m}}}]",
        "'1m' is none",
    ),
    ("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 0}}}]", ""),
    (
        "env: [{name: A, valueFrom: {resourceFieldRef: {containerName: b, resource: limits.cpu}}}]",
        "no container 'b'",
    ),
    (
        "env: [{name: A, valueFrom: {fileKeyRef: {volumeName: a, path: b, key: c}}}]",
        "fileKeyRef: refused: alpha in",
    ),
    ("envFrom: [{prefix: a}]", "envFrom[0]: needs one of configMapRef, secretRef"),
    (
        "envFrom: [{configMapRef: {name: a}, secretRef: {name: b}}]",
        "envFrom[0].secretRef: cannot stand beside",
    ),
    ("envFrom: [{prefix: a., configMapRef: {}}]", "envFrom[0].configMapRef.name: is required"),
    # resources
    (
        "resources: {requests: {memory: 2Gi}, limits: {memory: 2G}}",
        "requests[memory]: 2Gi is more than the limit, 2G",
    ),
    ("resources: {requests: {cpu: 500m}, limits: {cpu: 0.5}}", ""),
    ("resources: {limits: {cpu: -1}}", "resources.limits[cpu]: -1 is negative"),
    ("resources: {limits: {nvidia.com/gpu: 1}}", "limits[nvidia.com/gpu]: refused: nobody here has any"),
    ("resources: {limits: {ephemeral-storage: 1Gi}}", ""),
    # probes
    ("livenessProbe: {}", "livenessProbe: needs one of exec, httpGet, tcpSocket, grpc"),
    ("livenessProbe: {exec: {}}", "livenessProbe.exec.command: is required"),
    ("livenessProbe: {tcpSocket: {port: 0}}", "livenessProbe.tcpSocket.port: 0 is no port: 1 to 65535"),
    ("livenessProbe: {tcpSocket: {port: 'not a name'}}", "tcpSocket.port: 'not a name' is no port name"),
    ("livenessProbe: {grpc: {port: 70000}}", "livenessProbe.grpc.port: 70000 is too large"),
    (
        "livenessProbe: {grpc: {port: 7, mode: TLS}}",
        "livenessProbe.grpc.mode: refused: the gRPC probe speaks plain",
    ),
    (
        "livenessProbe: {tcpSocket: {port: 1}, grpc: {port: 1}}",
        "livenessProbe.grpc: cannot stand beside tcpSocket",
    ),
    (
        "livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}",
        "livenessProbe.successThreshold: has to be 1",
    ),
    ("livenessProbe: {tcpSocket: {port: 1}, successThreshold: 0}", ""),
    (
        "startupProbe: {tcpSocket: {port: 1}, successThreshold: 2}",
        "startupProbe.successThreshold: has to be 1",
    ),
    ("readinessProbe: {tcpSocket: {port: 1}, successThreshold: 2}", ""),
    (
        "readinessProbe: {tcpSocket: {port: 1}, periodSeconds: -1}",
        "readinessProbe.periodSeconds: -1 is too small",
    ),
    (
        "readinessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 1}",
        "a readinessProbe stops nothing",
    ),
    (
        "livenessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 0}",
        "GracePeriodSeconds: 0 is too small",
    ),
    (
        "livenessProbe: {httpGet: {port: 1, scheme: http}}",
        "httpGet.scheme: expected one of HTTP, HTTPS, got 'http'",
    ),
    (
        "livenessProbe: {httpGet: {port: 1, httpHeaders: [{name: 'a b', value: c}]}}",
        "'a b' is no header's name",
    ),
    # hooks
    ("lifecycle: {preStop: {}}", "lifecycle.preStop: needs one of exec, httpGet, tcpSocket, sleep"),
    (
        "lifecycle: {preStop: {tcpSocket: {port: 1}}}",
        "preStop.tcpSocket: refused: no kubelet has ever run it",
    ),
    ("lifecycle: {preStop: {sleep: {seconds: 31}}}", "31 is longer than terminationGracePeriodSeconds (30)"),
    ("lifecycle: {preStop: {sleep: {seconds: 0}}}", ""),
    (
        "lifecycle: {postStart: {exec: {command: [a]}, sleep: {seconds: 1}}}",
        "postStart.sleep: cannot stand beside",
    ),
    ("lifecycle: {stopSignal: SIGTERM}", "lifecycle.stopSignal: needs os: {name: linux}"),
    # restart rules
    (
        "restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]",
        "restartPolicy: is required",
    ),
    (
        "restartPolicy: Never, restartPolicyRules: [{action: Restart}]",
        "restartPolicyRules[0].exitCodes: is required",
    ),
    (
        in_rule("action: Stop, exitCodes: {operator: In, values: [1]}"),
        "restartPolicyRules[0].action: expected one of Restart, RestartAllContainers, got 'Stop'",
    ),
    (
        in_rule("action: RestartAllContainers, exitCodes: {operator: In, values: [1]}"),
        "restartPolicyRules[0].action: refused: minirun restarts the one container",
    ),
    (
        in_rule("action: Restart, exitCodes: {operator: Is, values: [1]}"),
        "exitCodes.operator: expected one of In, NotIn, got 'Is'",
    ),
    (
        in_rule("action: Restart, exitCodes: {operator: In, values: [256]}"),
        "exitCodes.values[0]: 256 is too large: 255 is the most",
    ),
    (
        in_rule("action: Restart, exitCodes: {operator: In, values: [1, 1]}"),
        "exitCodes.values: names an exit code twice",
    ),
    (
        in_rule("action: Restart, exitCodes: {operator: In}"),
        "exitCodes.values: needs 1 to 255 exit codes",
    ),
    # security
    (
        "securityContext: {privileged: true, allowPrivilegeEscalation: false}",
        "securityContext.allowPrivilegeEscalation: cannot be false for a privileged container",
    ),
    (
        "securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}, allowPrivilegeEscalation: false}",
        "securityContext.allowPrivilegeEscalation: cannot be false beside the capability SYS_ADMIN",
    ),
    ("securityContext: {capabilities: {add: [SYS_ADMIN]}, allowPrivilegeEscalation: true}", ""),
    ("securityContext: {capabilities: {add: [FLY]}}", "capabilities.add[0]: 'FLY' is no capability"),
    ("securityContext: {capabilities: {drop: [ALL], add: [net_admin]}}", ""),
    (
        "securityContext: {runAsNonRoot: true, runAsUser: 0}",
        "securityContext.runAsNonRoot: forbids root, and runAs",
    ),
    ("securityContext: {procMount: Unmasked}", "securityContext.procMount: Unmasked needs hostUsers: false"),
    ("securityContext: {procMount: Open}", "procMount: expected one of Default, Unmasked, got 'Open'"),
    ("securityContext: {seLinuxOptions: {}}", "seLinuxOptions: refused: minirun sets no SELinux labels"),
    (
        "securityContext: {seccompProfile: {type: Localhost}}",
        "localhostProfile: is required with type Localhost",
    ),
    ("securityContext: {runAsUser: 2147483648}", "runAsUser: 2147483648 is too large"),
]

# Each row: a container's mounts, and what is said; the pod has a volume ``v``.
MOUNTS = [
    ("[{name: v, mountPath: /a}]", ""),
    ("[{name: w, mountPath: /a}]", "volumeMounts[0].name: the pod has no volume 'w': it has v"),
    ("[{mountPath: /a}]", "volumeMounts[0].name: is required"),
    ("[{name: v}]", "volumeMounts[0].mountPath: is required"),
    ("[{name: v, mountPath: a}]", "volumeMounts[0].mountPath: 'a' has to begin with /"),
    ("[{name: v, mountPath: '/a:b'}]", "volumeMounts[0].mountPath: '/a:b' must not contain :"),
    (
        "[{name: v, mountPath: /a}, {name: v, mountPath: /a}]",
        "volumeMounts[1].mountPath: another volume is mounted",
    ),
    ("[{name: v, mountPath: /a, subPath: /b}]", "subPath: '/b' has to be relative"),
    ("[{name: v, mountPath: /a, subPath: b/../../c}]", "subPath: 'b/../../c' must not contain .."),
    ("[{name: v, mountPath: /a, subPathExpr: ../$(A)}]", "subPathExpr: '../$(A)' must not contain .."),
    ("[{name: v, mountPath: /a, subPath: ..b}]", ""),
    ("[{name: v, mountPath: /a, subPath: b, subPathExpr: c}]", "subPathExpr: cannot stand beside subPath"),
    (
        "[{name: v, mountPath: /a, mountPropagation: Bidirectional}]",
        "mountPropagation: needs a privileged container",
    ),
    (
        "[{name: v, mountPath: /a, mountPropagation: Shared}]",
        "mountPropagation: expected one of None, HostToContain",
    ),
    ("[{name: v, mountPath: /a, recursiveReadOnly: Enabled}]", "recursiveReadOnly: needs readOnly: true"),
    ("[{name: v, mountPath: /a, recursiveReadOnly: Disabled}]", ""),
    (
        in_mount("readOnly: on, mountPropagation: HostToContainer, recursiveReadOnly: Enabled"),
        "recursiveReadOnly: needs mountPropagation None",
    ),
    (
        "[{name: v, mountPath: /a, bindMountOptions: [noexec]}]",
        "bindMountOptions: refused: alpha in Kubernetes",
    ),
]


def one_or_none(said: str, errors: list[str]) -> bool:
    """Whether exactly this is said, or nothing at all."""
    return errors == [] if not said else len(errors) == 1 and said in errors[0]


@pytest.mark.parametrize(("spec", "said"), SPEC)
def test_rules_of_a_pod(spec: str, said: str) -> None:
    """One slip, one error: at its path."""
    errors = in_spec(spec)
    assert one_or_none(said, errors), errors


@pytest.mark.parametrize(("more", "said"), CONTAINER)
def test_rules_of_a_container(more: str, said: str) -> None:
    """The same for a container."""
    errors = in_container(more)
    assert one_or_none(said, errors), errors


@pytest.mark.parametrize(("mounts", "said"), MOUNTS)
def test_rules_of_a_mount(mounts: str, said: str) -> None:
    """The same for a volumeMount."""
    errors = in_container(f"volumeMounts: {mounts}", "volumes: [{name: v, emptyDir: {}}]")
    assert one_or_none(said, errors), errors


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("{name: a.b-c}", ""),
        ("{name: -a}", "metadata.name: '-a' is no name"),
        (f"{{name: {'a' * 254}}}", "metadata.name: it has 254 characters, and 253 are the most"),
        ("{}", "metadata.name: is required"),
        ("{name: a, namespace: a.b}", "metadata.namespace: 'a.b' is no name"),
        ("{name: a, labels: {a b: c}}", "metadata.labels[a b]: 'a b' is no key"),
        ("{name: a, labels: {example.com/: c}}", "metadata.labels[example.com/]: 'example.com/' is no key"),
        ("{name: a, labels: {a: -}}", "metadata.labels[a]: '-' is no label's value"),
        ("{name: a, labels: {a: '', a.b/c_d.e: x}}", ""),
        ("{name: a, annotations: {Example.com/A: 'any thing'}}", ""),
        ("{name: a, annotations: {a/b/c: d}}", "metadata.annotations[a/b/c]: 'a/b/c': before the /"),
    ],
)
def test_rules_of_metadata(metadata: str, said: str) -> None:
    """Names, labels, annotations."""
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: {{containers: [{{name: a, image: b}}]}}\n"
    assert one_or_none(said, found(text)), found(text)


def test_containers_have_names_of_their_own() -> None:
    """Across the kinds."""
    assert in_spec("initContainers: [{name: main, image: b}]") == [
        "spec.initContainers[0].name: another container is named 'main'"
    ]
    assert in_spec("", "[{name: a, image: b}, {name: a, image: b}]") == [
        "spec.containers[1].name: another container is named 'a'"
    ]


def test_an_init_container_has_no_probes_and_a_sidecar_may() -> None:
    """KEP-753."""
    probe = "readinessProbe: {tcpSocket: {port: 1}}, lifecycle: {preStop: {sleep: {seconds: 1}}}"
    errors = in_spec(f"initContainers: [{{name: a, image: b, {probe}}}]")
    assert [error.split(":")[0] for error in errors] == [
        "spec.initContainers[0].lifecycle",
        "spec.initContainers[0].readinessProbe",
    ]
    assert in_spec(f"initContainers: [{{name: a, image: b, restartPolicy: Always, {probe}}}]") == []
    rules = "restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]"
    assert in_spec(f"initContainers: [{{name: a, image: b, restartPolicy: Always, {rules}}}]") == [
        "spec.initContainers[0].restartPolicyRules: cannot be given to a sidecar: it is always restarted"
    ]
    assert in_spec(f"initContainers: [{{name: a, image: b, restartPolicy: Never, {rules}}}]") == []


def test_host_ports_meet_between_apps_and_not_between_init_containers() -> None:
    """Init containers run one by one."""
    port = "ports: [{containerPort: 1, hostPort: 2}]"
    two = f"[{{name: a, image: b, {port}}}, {{name: c, image: d, {port}}}]"
    assert in_spec("", two) == [
        "spec.containers[1].ports[0].hostPort: another container of the pod has 2/TCP of the host"
    ]
    assert in_spec(f"initContainers: {two}") == []


def test_with_host_network_a_host_port_is_the_container_port() -> None:
    """And it need not be said."""
    assert in_container("ports: [{containerPort: 1, hostPort: 2}]", "hostNetwork: true") == [
        "spec.containers[0].ports[0].hostPort: has to be the containerPort (1) with hostNetwork"
    ]
    assert (
        in_container("ports: [{containerPort: 1, hostPort: 1}, {containerPort: 2}]", "hostNetwork: true")
        == []
    )


def test_a_container_inherits_what_contradicts_it() -> None:
    """runAsNonRoot of the pod, runAsUser of the container; the container's word wins."""
    errors = in_container("securityContext: {runAsUser: 0}", "securityContext: {runAsNonRoot: true}")
    assert errors == ["spec.containers[0].securityContext.runAsNonRoot: forbids root, and runAsUser is 0"]
    assert (
        in_container(
            "securityContext: {runAsNonRoot: false}", "securityContext: {runAsNonRoot: true, runAsUser: 0}"
        )
        == []
    )
    assert in_container("securityContext: {procMount: Unmasked}", "hostUsers: false") == []
    (error,) = in_container("securityContext: {privileged: true}", "hostUsers: false")
    assert error.startswith(f"{MAIN}.securityContext.privileged: refused beside hostUsers: false")
    assert in_container("securityContext: {runAsUser: 65536}", "hostUsers: false") == [
        f"{MAIN}.securityContext.runAsUser: 65536 does not exist with hostUsers: false: 0 to 65535 do"
    ]


def test_a_stop_signal_has_a_name_that_the_kernel_knows() -> None:
    """With SIG, as the API has it."""
    for name, fits in {
        "SIGTERM": True,
        "SIGRTMIN+3": True,
        "SIGRTMAX-14": True,
        "TERM": False,
        "SIGNOTHING": False,
        "SIGRTMIN+99": False,
        "SIG_BLOCK": False,
        "SIGRTMIN-1": False,
    }.items():
        errors = in_container(f"lifecycle: {{stopSignal: {name}}}", "os: {name: linux}")
        assert (errors == []) is fits, (name, errors)


def test_a_limit_of_the_pod_bounds_its_containers() -> None:
    """KEP-2837."""
    errors = in_container("resources: {limits: {memory: 2Gi}}", "resources: {limits: {memory: 1Gi}}")
    assert errors == [
        "spec.containers[0].resources.limits[memory]: 2Gi is more than the limit of the pod, 1Gi"
    ]


@pytest.mark.parametrize(
    ("whole", "error"),
    [
        ("requests: {cpu: 900m}", "requests[cpu]: 900m is less than its containers request, 1000m"),
        ("limits: {cpu: 900m}", "limits[cpu]: 900m is less than its containers request, 1000m"),
        ("requests: {cpu: 1}, limits: {cpu: 1}", ""),
    ],
)
def test_a_pods_own_resources_hold_what_its_containers_request(whole: str, error: str) -> None:
    """KEP-2837; the sidecar is there as long as the app is."""
    side = "initContainers: [{name: side, image: busybox, restartPolicy: Always, resources:"
    spec = f"{side} {{requests: {{cpu: 0.5}}}}}}], resources: {{{whole}}}"
    assert in_container("resources: {requests: {cpu: 500m}}", spec) == (
        [f"spec.resources.{error}"] if error else []
    )


def test_the_safe_sysctls_are_the_documented_ones() -> None:
    """Twelve, and each passes."""
    assert len(SAFE_SYSCTLS) == 12
    names = ", ".join(f"{{name: {name}, value: '1'}}" for name in sorted(SAFE_SYSCTLS))
    assert in_spec(f"securityContext: {{sysctls: [{names}]}}") == []


# --- ConfigMap and Secret ----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: ConfigMap\ndata: {a: b, A.b_c-d: e}\nbinaryData: {f: AAEC}\nimmutable: true\n", ""),
        ("kind: ConfigMap\ndata: {a/b: c}\n", "data[a/b]: 'a/b' is no key"),
        ("kind: ConfigMap\ndata: {a: 1}\n", 'data[a]: expected text, got 1: write "1", with the quotes'),
        ("kind: ConfigMap\nbinaryData: {a: '$$'}\n", "binaryData[a]: is not base64"),
        ("kind: ConfigMap\ndata: {a: b}\nbinaryData: {a: AAEC}\n", "binaryData[a]: stands in data too"),
        (f"kind: ConfigMap\ndata: {{a: {'b' * 1048577}}}\n", "data: is more than 1024 KiB"),
        ("kind: Secret\ndata: {a: plain text}\n", "data[a]: is not base64: give plain text in stringData"),
        ("kind: Secret\ndata: {a: YQ}\n", "data[a]: is not base64"),
        ("kind: Secret\nstringData: {a: plain text}\n", ""),
        ('kind: Secret\ndata: {a: "eHh4\\neQ=="}\n', ""),
        ("kind: Secret\ntype: kubernetes.io/tls\nstringData: {tls.crt: a}\n", "data: needs the key tls.key"),
        (
            "kind: Secret\nstringdata: {a: b}\n",
            "stringdata: no such field in a Secret: did you mean stringData?",
        ),
    ],
)
def test_rules_of_data(text: str, said: str) -> None:
    """Keys, base64, size."""
    errors = found(f"apiVersion: v1\nmetadata: {{name: a}}\n{text}")
    assert one_or_none(said, errors), errors


# --- containers that join later -------------------------------------------------------

SPEC_OF_POD = PodSpec(containers=(Container(name="main", image="busybox"),))


def test_an_ephemeral_container_has_no_account_in_the_pod() -> None:
    """rule 31: no ports, probes, resources, lifecycle, restarts, no subPath."""
    good = Container(name="debugger", image="debian", targetContainerName="main", stdin=True, tty=True)
    assert list(validate_ephemeral(good, SPEC_OF_POD, "debugger")) == []
    bad = Container(
        name="main",
        image="debian",
        targetContainerName="nobody",
        restartPolicy="Always",
        ports=(ContainerPort(containerPort=80),),
        volumeMounts=(VolumeMount(name="v", mountPath="/v", subPath="a"),),
    )
    paths = [path for path, _ in validate_ephemeral(bad, SPEC_OF_POD, "debugger")]
    assert paths == [
        "debugger.volumeMounts[0].name",
        "debugger.ports",
        "debugger.restartPolicy",
        "debugger.volumeMounts[0].subPath",
        "debugger.targetContainerName",
        "name",
    ]


def test_a_container_that_joins_keeps_to_the_rules() -> None:
    """`minirun run --pod`."""
    assert list(validate_container(Container(name="other", image="debian"), SPEC_OF_POD, "other")) == []
    bad = Container(name="main", image="", targetContainerName="main")
    assert [path for path, _ in validate_container(bad, SPEC_OF_POD, "x")] == [
        "x.image",
        "x.targetContainerName",
        "name",
    ]
