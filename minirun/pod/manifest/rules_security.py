"""Rules for security contexts: words that contradict each other.

Layer: pod; pure. Some of these the API server lets pass and the kubelet finds
when it starts the container; here they are found in the manifest. Read next:
rules_resources.py. Kubernetes, "Pod Security Standards"; KEP-127 (user
namespaces), KEP-4265 (procMount).
"""

from __future__ import annotations

from minirun.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minirun.pod.manifest.problems import Finding
    from minirun.pod.manifest.types import (
        AppArmorProfile,
        Container,
        PodSecurityContext,
        PodSpec,
        SeccompProfile,
        SecurityContext,
    )

#: What a pod may set: these belong to its own namespaces, and harm no other pod.
SAFE_SYSCTLS = frozenset({
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
})  # fmt: skip

#: A pod's user namespace maps this many ids.
_IDS = 65536


def check_pod(spec: PodSpec, path: str) -> Iterator[Finding]:
    """The pod's own security context."""
    context = spec.securityContext
    if context is None:
        return
    path = f"{path}.securityContext"
    yield from _sysctls(context, spec, f"{path}.sysctls")
    yield from _profile(context.seccompProfile, f"{path}.seccompProfile", "a path below the profiles' folder")
    yield from _profile(context.appArmorProfile, f"{path}.appArmorProfile", "the name of a loaded profile")
    yield from _mapped(context, spec, path)


def _sysctls(context: PodSecurityContext, spec: PodSpec, path: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, sysctl in enumerate(context.sysctls):
        # The API takes net/ipv4/tcp_rmem for net.ipv4.tcp_rmem.
        name = sysctl.name.replace("/", ".")
        place = f"{path}[{index}].name"
        if name in seen:
            yield place, f"{name} is set twice"
        seen.add(name)
        if name and name not in SAFE_SYSCTLS:
            yield place, f"{name} is no safe sysctl: {', '.join(sorted(SAFE_SYSCTLS))}"
        elif name.startswith("net.") and spec.hostNetwork:
            yield place, f"{name} would be the host's own with hostNetwork"
        elif name.startswith("kernel.") and spec.hostIPC:
            yield place, f"{name} would be the host's own with hostIPC"


def check_container(container: Container, spec: PodSpec, path: str) -> Iterator[Finding]:
    """A container's security context, and what the pod's adds to it."""
    context = container.securityContext
    yield from _non_root(context, spec, path)
    if context is None:
        return
    path = f"{path}.securityContext"
    yield from _escalation(context, path)
    yield from _profile(context.seccompProfile, f"{path}.seccompProfile", "a path below the profiles' folder")
    yield from _profile(context.appArmorProfile, f"{path}.appArmorProfile", "the name of a loaded profile")
    yield from _mapped(context, spec, path)
    if context.privileged and spec.hostUsers is False:
        why = "refused beside hostUsers: false: a user namespace is where privileges end; add capabilities"
        yield f"{path}.privileged", why
    if context.procMount == "Unmasked" and spec.hostUsers is not False:
        why = "Unmasked needs hostUsers: false: an open /proc is only safe for a root that is nobody outside"
        yield f"{path}.procMount", why


def _non_root(context: SecurityContext | None, spec: PodSpec, path: str) -> Iterator[Finding]:
    """The kubelet's check before it starts a container (reason CreateContainerConfigError)."""
    pod = spec.securityContext
    wanted = (
        context.runAsNonRoot if context and context.runAsNonRoot is not None else pod and pod.runAsNonRoot
    )
    user = context.runAsUser if context and context.runAsUser is not None else pod and pod.runAsUser
    if wanted and user == 0:
        yield f"{path}.securityContext.runAsNonRoot", "forbids root, and runAsUser is 0"


def _escalation(context: SecurityContext, path: str) -> Iterator[Finding]:
    if context.allowPrivilegeEscalation is not False:
        return
    field = f"{path}.allowPrivilegeEscalation"
    if context.privileged:
        yield field, "cannot be false for a privileged container"
    added = context.capabilities.add if context.capabilities else ()
    if any(name.upper().removeprefix("CAP_") == "SYS_ADMIN" for name in added):
        yield field, "cannot be false beside the capability SYS_ADMIN, which can do everything anyway"


def _profile(profile: SeccompProfile | AppArmorProfile | None, path: str, what: str) -> Iterator[Finding]:
    if profile is None:
        return
    place = f"{path}.localhostProfile"
    if profile.type == "Localhost":
        if not profile.localhostProfile:
            yield place, f"is required with type Localhost: {what}"
        elif ".." in profile.localhostProfile.split("/") or profile.localhostProfile.startswith("/"):
            yield place, f"{profile.localhostProfile!r} has to be relative, without .."
    elif profile.localhostProfile is not None:
        yield place, f"goes with type Localhost, and this is {profile.type}"


def _mapped(context: SecurityContext | PodSecurityContext, spec: PodSpec, path: str) -> Iterator[Finding]:
    """With a user namespace only the ids that it maps exist."""
    if spec.hostUsers is not False:
        return
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        number = getattr(context, field, None)
        if number is not None and number >= _IDS:
            yield f"{path}.{field}", f"{number} does not exist with hostUsers: false: 0 to {_IDS - 1} do"
    for index, group in enumerate(getattr(context, "supplementalGroups", ())):
        if group >= _IDS:
            place = f"{path}.supplementalGroups[{index}]"
            yield place, f"{group} does not exist with hostUsers: false: 0 to {_IDS - 1} do"
