"""Who the processes are and what they may: the security contexts.

Layer: pod. A container's word wins over its pod's, field by field.
Read next: types_volume.py. API reference: "SecurityContext",
"PodSecurityContext" of "Pod v1 core".
"""

from __future__ import annotations

from minirun.values import Value


class Capabilities(Value):
    """Names without CAP_; ``ALL`` is every one."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SELinuxOptions(Value):
    """A label of a policy that the node would have to have."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class SeccompProfile(Value):
    """RuntimeDefault, Unconfined, or Localhost with a file of the node."""

    type: str
    localhostProfile: str | None = None


class AppArmorProfile(Value):
    """RuntimeDefault, Unconfined, or Localhost with a profile that the kernel has loaded."""

    type: str
    localhostProfile: str | None = None


class Sysctl(Value):
    """A kernel parameter of the pod's namespaces, by its dotted name."""

    name: str
    value: str


class SecurityContext(Value):
    """Of one container."""

    runAsUser: int | None = None
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    allowPrivilegeEscalation: bool | None = None
    readOnlyRootFilesystem: bool | None = None
    procMount: str | None = None
    seccompProfile: SeccompProfile | None = None
    appArmorProfile: AppArmorProfile | None = None
    seLinuxOptions: SELinuxOptions | None = None
    windowsOptions: dict[str, object] | None = None


class PodSecurityContext(Value):
    """Of the pod: what its containers inherit, and what only a pod can have."""

    runAsUser: int | None = None
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    seccompProfile: SeccompProfile | None = None
    appArmorProfile: AppArmorProfile | None = None
    seLinuxOptions: SELinuxOptions | None = None
    windowsOptions: dict[str, object] | None = None
    # of the pod alone
    fsGroup: int | None = None
    fsGroupChangePolicy: str | None = None
    supplementalGroups: tuple[int, ...] = ()
    supplementalGroupsPolicy: str | None = None
    seLinuxChangePolicy: str | None = None
    sysctls: tuple[Sysctl, ...] = ()
